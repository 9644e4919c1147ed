"""The controls of this package's models, and the change of their defaults."""

from collections.abc import Mapping

import msgspec

from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.noise import LatentControls, OutputNoise
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.voice.manifest import Control

MOST_FEEDBACK = 1.15
"""Largest `output.temperature` of a source-filter output, which repeats its own past samples: above about 2 the noise
that it adds in each period grows without limit, and at 4 the level of `blizzard` rose by 100 dB in a few seconds.  At
1.4, extreme values of its other controls made it 35 dB louder; up to 1.15 they make it less than 20 dB louder."""


def latent_controls(latent_size: int) -> tuple[Control, ...]:
    """Return the controls of a model with `latent_size` latent dimensions; each is a field of `LatentControls`."""
    z = (latent_size,)
    return (
        _temperature("latent.temperature", "multiplies the sd of the prior that z is drawn from"),
        _control("latent.shift", z, -10, 10, 0, "added to z, per dimension"),
        _control("latent.hold", z, 0, 1, 0, "how far z is pulled to latent.target, per dimension: 0 not, 1 wholly"),
        _control("latent.target", z, -10, 10, 0, "where latent.hold pulls z to, per dimension"),
    )


def output_controls(config: ModelConfig) -> tuple[Control, ...]:
    """Return the controls of a model's output distribution; each is a field of `OutputNoise`, with _ for the dot."""
    most = MOST_FEEDBACK if config.source_filter else 4
    controls = [_control("output.temperature", (1,), 0, most, 1, "multiplies the sd of the output distribution")]
    if config.components > 1:
        controls.append(_temperature("mixture.temperature", "how freely a component is chosen: 0 always the likeliest"))
    if config.source_filter:
        controls.append(_control("output.voicing", (1,), -10, 3, 0, "how well a period repeats itself: -10 whispers"))
    return tuple(controls)


def style_controls() -> tuple[Control, ...]:
    """Return the controls of ink with a style."""
    return (
        _temperature("style.temperature", "how far the style that a stream draws strays from the usual one"),
        _control("style.slant", (1,), -45, 45, 0, "degrees that the ink leans further to the right"),
        _control("style.size", (1,), 0.25, 4, 1, "multiplies the size of the ink"),
    )


def read_latent_controls(inputs: Named) -> LatentControls:
    """Return the values of the controls that `latent_controls` describes, from the inputs of a graph."""
    return LatentControls(*(inputs[f"control.latent.{name}"] for name in LatentControls._fields))


def read_output_noise(inputs: Named, controls: tuple[Control, ...]) -> OutputNoise:
    """Return the noise of the output and the values of its controls, from the inputs of a graph.

    Parameters
    ----------
    inputs : dict of str to Tensor
        `noise.output`, `noise.mixture` if the output is a mixture, and `control.NAME`.
    controls : tuple of Control
        As `output_controls` returns them.
    """
    steering = {control.name.replace(".", "_"): inputs[f"control.{control.name}"] for control in controls}
    return OutputNoise(inputs["noise.output"], inputs.get("noise.mixture"), **steering)


def with_defaults(controls: tuple[Control, ...], defaults: Mapping[str, float]) -> tuple[Control, ...]:
    """Return controls with other defaults.

    Parameters
    ----------
    controls : tuple of Control
        The controls of a model.
    defaults : mapping of str to float
        New defaults by name of the control; the other controls keep theirs.

    Raises
    ------
    ControlError
        A name is not that of a control, or a value is outside the range of its control.
    """
    checked = Controls(controls)
    checked.update(defaults)
    return tuple(
        msgspec.structs.replace(control, default=float(defaults.get(control.name, control.default)))
        for control in controls
    )


def fitting(controls: tuple[Control, ...], defaults: Mapping[str, float]) -> dict[str, float]:
    """Return the defaults of an earlier version of a voice, without unknown controls and within today's ranges.

    Parameters
    ----------
    controls : tuple of Control
        The controls of a model.
    defaults : mapping of str to float
        Defaults by name of the control.
    """
    known = {control.name: control for control in controls}
    return {
        name: min(max(value, known[name].minimum), known[name].maximum)
        for name, value in defaults.items()
        if name in known
    }


def _temperature(name: str, description: str) -> Control:
    return _control(name, (1,), 0, 4, 1, description)


def _control(name: str, shape: Shape, least: float, most: float, default: float, description: str) -> Control:
    return Control(
        name=name,
        shape=shape,
        default=float(default),
        minimum=float(least),
        maximum=float(most),
        description=description,
    )
