"""The step model of a trained model of any family: its step in world units (full scale, mm, ...), with controls."""

from typing import Literal

import torch
from torch import Tensor

from vrnn_engine.exporters.controls import (
    latent_controls,
    output_controls,
    read_latent_controls,
    read_output_noise,
    style_controls,
)
from vrnn_engine.exporters.ink_style import InkStyle
from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.models.basis import MdctBasis
from vrnn_engine.models.noise import LatentControls
from vrnn_engine.models.recurrent import RecurrentModel, State
from vrnn_engine.runtime.voice.manifest import Control, Normalisation


class RecurrentSteps:
    """A trained model that implements `vrnn_engine.exporters.protocol.StepModel`.

    A model without latents has no inputs, outputs and controls for latents.

    Besides the states of the model, there may be these states:

    - `overlap` [F] (MDCT): after observing, the newest block; after generating, the part of the next block that the
      last frame determines.
    - `pending` [1] (MDCT): 1 after observing: the next observed block completes a frame that the recurrence has not
      read.  0 at the start and after generating: the recurrence has already read that frame, and an observed block only
      fills `overlap`.
    - `emphasis`: the memory of the emphasis filter and its inverse.
    - `style` (ink): the state of `InkStyle`.

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
    """

    def __init__(
        self,
        model: RecurrentModel,
        rate: int,
        unit: str,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        ink_style: InkStyle | None = None,
    ):
        config = model.config
        self._ink_style = ink_style
        self.model = model
        self.modality = config.modality
        self.rate, self.unit = rate, unit
        self.frame_size = config.frame_size
        self.basis: Literal["samples", "mdct", "points"] = config.basis
        self.family: str = config.family
        self.normalisation = Normalisation(mean=mean, std=std)
        self._latents = bool(config.latent_size)
        self._output_controls = output_controls(config)
        self.controls = self._latent_controls() + self._output_controls + (style_controls() if ink_style else ())
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
        return self._states() | noise | {f"control.{control.name}": control.shape for control in self.controls}

    def observe_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `observe`."""
        controls = {f"control.{control.name}": control.shape for control in self._latent_controls()}
        return self._states() | {"frame": (self.frame_size,)} | self._latent_noise() | controls

    def generate(self, inputs: Named) -> Named:
        """Generate a frame [B, F] in world units.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `step_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            `frame`, `latent`, `prior.mean`, `prior.std` and the next state, `next.NAME`.
        """
        old, noise = self._state(inputs), read_output_noise(inputs, self._output_controls)
        made = self.model.generate(old, inputs.get("noise.latent", old.latent), noise, self._steering(inputs))
        basis, frame, carried = self.model.basis, made.frame, {}
        if isinstance(basis, MdctBasis):
            frame, carried["next.overlap"] = basis.synthesise(inputs["state.overlap"], frame)
            carried["next.pending"] = torch.zeros_like(inputs["state.pending"])
        elif basis.emphasis:
            frame, carried["next.emphasis"] = basis.emphasis.undo(frame, inputs["state.emphasis"])
        seen = frame * self._std + self._mean
        if self._ink_style:
            carried["next.style"] = held = self._ink_style.draw(inputs["state.style"], inputs["noise.style"])
            style = self._ink_style.style(held, inputs["control.style.temperature"])
            seen = self._ink_style.apply(seen, style, inputs["control.style.slant"], inputs["control.style.size"])
        return _present(
            {
                **_next(made.state),
                **carried,
                "frame": seen,
                "latent": made.latent,
                "prior.mean": made.prior.mean,
                "prior.std": made.prior.std,
            }
        )

    def observe(self, inputs: Named) -> Named:
        """Observe a frame [B, F] in world units.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `observe_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            `latent`, `prior.mean`, `prior.std`, `posterior.mean`, `posterior.std`, `kl`, `log_likelihood` and the next
            state, `next.NAME`.
        """
        seen, carried = inputs["frame"], {}
        if self._ink_style:
            carried["next.style"] = held = self._ink_style.measure(inputs["state.style"], seen)
            seen = self._ink_style.remove(seen, self._ink_style.style(held, 0.0))
        block = self.normalise(seen)
        old = self._state(inputs)
        basis, frame = self.model.basis, block
        if isinstance(basis, MdctBasis):
            frame, carried["next.overlap"] = basis.analyse(inputs["state.overlap"], block), block
        elif basis.emphasis:
            frame, carried["next.emphasis"] = basis.emphasis(block, inputs["state.emphasis"])
        noise = inputs.get("noise.latent", old.latent)
        inferred = self.model.infer(self.model.features(frame, old.past), old, noise, self._steering(inputs))
        prior, kl, log_likelihood, _ = self.model.score(frame, inferred, old)
        state = inferred.state
        if isinstance(basis, MdctBasis):
            pending = inputs["state.pending"]
            state = State(*(torch.where(pending > 0, new, same) for new, same in zip(state, old, strict=True)))
            counts = pending.squeeze(-1)
            kl, log_likelihood = kl * counts, log_likelihood * counts
            carried["next.pending"] = torch.ones_like(pending)
        return _present(
            {
                **_next(state),
                **carried,
                "latent": inferred.latent,
                "prior.mean": prior.mean,
                "prior.std": prior.std,
                "posterior.mean": inferred.posterior.mean,
                "posterior.std": inferred.posterior.std,
                **({"kl": kl} if self._latents else {}),
                "log_likelihood": log_likelihood,
            }
        )

    def _states(self) -> dict[str, Shape]:
        start = self.model.initial_state(1)._asdict()
        states: dict[str, Shape] = {
            f"state.{name}": (value.shape[-1],) for name, value in start.items() if value.shape[-1]
        }
        basis = self.model.basis
        if isinstance(basis, MdctBasis):
            states |= {"state.overlap": (self.frame_size,), "state.pending": (1,)}
        elif basis.emphasis:
            states["state.emphasis"] = (basis.emphasis.memory_size,)
        if self._ink_style:
            states["state.style"] = (self._ink_style.state_size,)
        return states

    def _latent_noise(self) -> dict[str, Shape]:
        return {"noise.latent": (self.model.config.latent_size,)} if self._latents else {}

    def _latent_controls(self) -> tuple[Control, ...]:
        return latent_controls(self.model.config.latent_size) if self._latents else ()

    def _steering(self, inputs: Named) -> LatentControls | None:
        return read_latent_controls(inputs) if self._latents else None

    def _state(self, inputs: Named) -> State:
        nothing = inputs["state.h"][..., :0]
        return State(*(inputs.get(f"state.{name}", nothing) for name in State._fields))


def _next(state: State) -> Named:
    return {f"next.{name}": value for name, value in state._asdict().items()}


def _present(outputs: Named) -> Named:
    """Return the outputs except those of width 0, which stand for quantities that the model does not have."""
    return {name: value for name, value in outputs.items() if value.dim() == 1 or value.shape[-1]}
