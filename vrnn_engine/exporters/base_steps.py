"""What all step models of this package share: units, normalisation, controls, the style of ink, and their inputs."""

from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor

from vrnn_engine.exporters.controls import latent_controls, output_controls, read_latent_controls, style_controls
from vrnn_engine.exporters.ink_style import InkStyle
from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.models.noise import LatentControls
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.runtime.voice.manifest import Control, Normalisation
from vrnn_engine.runtime.voice.text import CHARACTERS, Text

Model = TypeVar("Model", bound=RecurrentModel)


class BaseSteps(Generic[Model]):
    """The attributes and inputs of a `vrnn_engine.exporters.protocol.StepModel`; a subclass generates and observes.

    A model without latents has no inputs and controls for latents.  `state.style` (ink) is the state of `InkStyle`.

    Parameters
    ----------
    model : RecurrentModel
        The trained model.
    rate : int
        Samples or points per second.
    unit : str
        Unit of a frame's values.
    mean, std : tuple of float
        Normalisation of the training data: one number for audio; for a pen, one for dx and one for dy.
    ink_style : InkStyle, optional
        Applies a style to generated ink, and removes it from observed ink.
    text : Text, optional
        How the model reads a text; by default it reads none.
    """

    def __init__(
        self,
        model: Model,
        rate: int,
        unit: str,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        ink_style: InkStyle | None = None,
        text: Text | None = None,
    ):
        config = model.config
        self._ink_style = ink_style
        self.model = model
        self.text = text
        self.modality = config.modality
        self.rate, self.unit = rate, unit
        self.frame_size, self.channels = config.frame_size, config.channels
        self.basis: Literal["samples", "mdct", "points"] = config.basis
        self.family: str = config.family
        self.normalisation = Normalisation(mean=mean, std=std)
        self._latent_controls = latent_controls(config.latent_size) if config.latent_size else ()
        self._output_controls = output_controls(config)
        styled = style_controls() if ink_style else ()
        self.controls: tuple[Control, ...] = self._latent_controls + self._output_controls + styled
        pen = config.modality == "pen"  # pen-up, the third column, is not normalised
        self._mean = torch.tensor([*mean, 0.0] if pen else mean)
        self._std = torch.tensor([*std, 1.0] if pen else std)

    def normalise(self, frames: Tensor) -> Tensor:
        """Return frames [..., F] in world units as normalised frames."""
        return (frames - self._mean) / self._std

    def step_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `generate`."""
        noise = self._latent_noise() | {"noise.output": (self.frame_size,)}
        if k := self.model.output.mixture_size:
            noise["noise.mixture"] = (k,)
        if self._ink_style:
            noise["noise.style"] = (self._ink_style.noise_size,)
        controls = {f"control.{control.name}": control.shape for control in self.controls}
        return self._states() | self._text_inputs() | noise | controls

    def observe_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `observe`."""
        controls = {f"control.{control.name}": control.shape for control in self._latent_controls}
        frame: dict[str, Shape] = {"frame": (self.frame_size,)}
        return self._states() | self._text_inputs() | frame | self._latent_noise() | controls

    def _states(self) -> dict[str, Shape]:
        """Return names and shapes of all states."""
        start = self.model.initial_state(1)._asdict()
        states: dict[str, Shape] = {
            f"state.{name}": (value.shape[-1],) for name, value in start.items() if value.shape[-1]
        }
        states |= self._signal_states()
        if self._ink_style:
            states["state.style"] = (self._ink_style.state_size,)
        return states

    def _signal_states(self) -> dict[str, Shape]:
        """Return names and shapes of the states of the frame basis."""
        return {}

    def _text_inputs(self) -> dict[str, Shape]:
        return {CHARACTERS: (self.text.window,)} if self.text else {}

    def _latent_noise(self) -> dict[str, Shape]:
        return {"noise.latent": (self.model.config.latent_size,)} if self._latent_controls else {}

    def _steering(self, inputs: Named) -> LatentControls | None:
        return read_latent_controls(inputs) if self._latent_controls else None

    def _to_world(self, frame: Tensor, inputs: Named) -> tuple[Tensor, Named]:
        """Return a normalised frame in world units and in the stream's style, and the next state of the style."""
        seen = frame * self._std + self._mean
        if not self._ink_style:
            return seen, {}
        held = self._ink_style.draw(inputs["state.style"], inputs["noise.style"])
        style = self._ink_style.style(held, inputs["control.style.temperature"])
        seen = self._ink_style.apply(seen, style, inputs["control.style.slant"], inputs["control.style.size"])
        return seen, {"next.style": held}

    def _from_world(self, inputs: Named) -> tuple[Tensor, Named]:
        """Return the observed frame normalised and without its style, and the next state of the style."""
        seen = inputs["frame"]
        if not self._ink_style:
            return self.normalise(seen), {}
        held = self._ink_style.measure(inputs["state.style"], seen)
        seen = self._ink_style.remove(seen, self._ink_style.style(held, 0.0))
        return self.normalise(seen), {"next.style": held}


def next_states(state: dict[str, Tensor]) -> Named:
    """Return states [B, ...] by their names as outputs, `next.NAME`."""
    return {f"next.{name}": value for name, value in state.items()}
