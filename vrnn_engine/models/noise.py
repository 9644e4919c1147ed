"""The noise from which a latent and a frame are sampled, and the controls of the sampling."""

from typing import NamedTuple

from torch import Tensor

from vrnn_engine.models.normal import Normal


class OutputNoise(NamedTuple):
    """Standard normal noise of one frame, and the controls of the output distribution.

    The control `output.temperature` is the field `output_temperature`, and so on.
    """

    output: Tensor
    """[..., F]."""
    mixture: Tensor | None = None
    """[..., K], or None if the output is not a mixture."""
    output_temperature: Tensor | float = 1.0
    """Factor of the output's standard deviation, [..., 1]."""
    mixture_temperature: Tensor | float = 1.0
    """Factor of the Gumbel noise that chooses the component, [..., 1]."""
    output_voicing: Tensor | float = 0.0
    """Added to the logit of the gain of the periodic excitation (source-filter output), [..., 1]; a negative value
    makes a voice whisper."""


class LatentControls(NamedTuple):
    """Controls of the latent; see `draw_latent`."""

    temperature: Tensor
    """Factor of the standard deviation, [B, 1]."""
    shift: Tensor
    """Added to z, [B, Z]."""
    hold: Tensor
    """Weight of `target`, [B, Z]: at 0, z is as sampled; at 1, z equals `target`."""
    target: Tensor
    """The z to hold, [B, Z]."""


def draw_latent(normal: Normal, noise: Tensor, controls: LatentControls | None) -> Tensor:
    """Sample z and apply the controls.

        z = mean + temperature * std * noise + shift
        z <- (1 - hold) * z + hold * target

    Parameters
    ----------
    normal : Normal
        Prior or posterior, [B, Z].
    noise : Tensor
        Standard normal, [B, Z].
    controls : LatentControls or None
        None leaves z as sampled.

    Returns
    -------
    Tensor
        z, [B, Z].
    """
    if controls is None:
        return normal.mean + normal.std * noise
    latent = normal.mean + controls.temperature * normal.std * noise + controls.shift
    return (1 - controls.hold) * latent + controls.hold * controls.target
