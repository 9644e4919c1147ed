"""The step model of a text-conditioned model: its step in world units, with its text and its controls."""

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
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.models.normal import Normal, kl_divergence
from vrnn_engine.models.text.state import TextState
from vrnn_engine.models.text.window import START, WINDOW
from vrnn_engine.runtime.voice.manifest import Control, Normalisation
from vrnn_engine.runtime.voice.text import ATTENTION, CHARACTERS, END, NONE, POSITION, Text

RESTART = ("h", "c", "position", "window")
"""States that are zero at the beginning of a line; the others are the hand."""


class TextSteps:
    """A trained text-conditioned model that implements `vrnn_engine.exporters.protocol.StepModel`.

    Both graphs have the inputs and outputs of a pen model without text, and also

    - the input `text.characters` [B, WINDOW]: indices of characters, as floats;
    - the output `text.position` [B]: the position of the attention, in characters of that window;
    - the output `text.attention` [B, WINDOW].

    `text` describes them; see `vrnn_engine.runtime.voice.text.Text`.

    The attention is 0 at SPAN characters from the position and beyond, so a window around the position suffices.  To
    move the window on by n characters, subtract n from `state.position`.  The initial value of that state, 0, stands
    for the position START.

    The latent is drawn once: `noise.latent` is used in the first frame, and `state.latent` keeps it.  `prior` is the
    distribution of the latent given the observed frames, which is N(0, I) if there are none.

    Parameters
    ----------
    model : TextVRNN
        The trained model.
    rate : int
        Points per second.
    unit : str
        Unit of dx and dy.
    mean, std : tuple of float
        Normalisation of the training data: one number for dx and one for dy.
    line_height : float
        Distance of two baselines, in the unit of dx and dy.
    ink_style : InkStyle, optional
        Applies a style to generated ink, and removes it from observed ink.
    """

    def __init__(
        self,
        model: TextVRNN,
        rate: int,
        unit: str,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        line_height: float,
        ink_style: InkStyle | None = None,
    ):
        config = model.config
        self.model, self._ink_style = model, ink_style
        self.modality = config.modality
        self.rate, self.unit = rate, unit
        self.frame_size = config.frame_size
        self.basis: Literal["samples", "mdct", "points"] = config.basis
        self.family = config.family
        self.normalisation = Normalisation(mean=mean, std=std)
        self._latent_controls, self._output_controls = latent_controls(config.latent_size), output_controls(config)
        self.controls: tuple[Control, ...] = (
            self._latent_controls + self._output_controls + (style_controls() if ink_style else ())
        )
        self.text = Text(
            alphabet=(NONE, *model.text.alphabet, END),
            window=WINDOW,
            position="position",
            first_position=START,
            restart=RESTART,
            line_height=line_height,
        )
        self._mean, self._std = torch.tensor([*mean, 0.0]), torch.tensor([*std, 1.0])

    def step_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `generate`."""
        noise: dict[str, Shape] = {"noise.output": (self.frame_size,)}
        if k := self.model.output.mixture_size:
            noise["noise.mixture"] = (k,)
        if self._ink_style:
            noise["noise.style"] = (self._ink_style.noise_size,)
        return self._common() | noise | {f"control.{control.name}": control.shape for control in self.controls}

    def observe_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `observe`."""
        steered = {f"control.{control.name}": control.shape for control in self._latent_controls}
        return self._common() | {"frame": (self.frame_size,)} | steered

    def generate(self, inputs: Named) -> Named:
        """Generate a frame [B, F] in world units.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `step_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            `frame`, `latent`, `prior.mean`, `prior.std`, `text.position`, `text.attention` and the next state,
            `next.NAME`.
        """
        noise = read_output_noise(inputs, self._output_controls)
        text = inputs[CHARACTERS].long()
        made = self.model.generate(_state(inputs), text, inputs["noise.latent"], noise, read_latent_controls(inputs))
        seen, carried = made.frame * self._std + self._mean, {}
        if self._ink_style:
            carried["next.style"] = held = self._ink_style.draw(inputs["state.style"], inputs["noise.style"])
            style = self._ink_style.style(held, inputs["control.style.temperature"])
            seen = self._ink_style.apply(seen, style, inputs["control.style.slant"], inputs["control.style.size"])
        return {
            **_next(made.state),
            **carried,
            "frame": seen,
            "latent": made.latent,
            "prior.mean": made.prior.mean,
            "prior.std": made.prior.std,
            **_reading(made.state, made.attention),
        }

    def observe(self, inputs: Named) -> Named:
        """Observe a frame [B, F] in world units.

        `kl` is the increase, by this frame, of the KL of the latent's posterior from N(0, I).  It may be negative; its
        sum over a line is the KL of the line.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `observe_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            `latent`, `prior.mean`, `prior.std`, `posterior.mean`, `posterior.std`, `kl`, `log_likelihood`,
            `text.position`, `text.attention` and the next state, `next.NAME`.
        """
        seen, carried = inputs["frame"], {}
        if self._ink_style:
            carried["next.style"] = held = self._ink_style.measure(inputs["state.style"], seen)
            seen = self._ink_style.remove(seen, self._ink_style.style(held, 0.0))
        frame, old = (seen - self._mean) / self._std, _state(inputs)
        text = inputs[CHARACTERS].long()
        prior = self.model.belief(old)
        found = self.model.observe(frame, old, text, inputs["noise.latent"], read_latent_controls(inputs))
        decoded = self.model.decode(found.latent, old.h)
        standard = Normal(torch.zeros_like(prior.mean), torch.ones_like(prior.std))
        return {
            **_next(found.state),
            **carried,
            "latent": found.latent,
            "prior.mean": prior.mean,
            "prior.std": prior.std,
            "posterior.mean": found.posterior.mean,
            "posterior.std": found.posterior.std,
            "kl": kl_divergence(found.posterior, standard) - kl_divergence(prior, standard),
            "log_likelihood": self.model.output.log_prob(decoded, frame),
            **_reading(found.state, found.attention),
        }

    def _common(self) -> dict[str, Shape]:
        start = self.model.initial_state(1)._asdict()
        states: dict[str, Shape] = {f"state.{name}": (value.shape[-1],) for name, value in start.items()}
        if self._ink_style:
            states["state.style"] = (self._ink_style.state_size,)
        return states | {CHARACTERS: (WINDOW,), "noise.latent": (self.model.config.latent_size,)}


def _state(inputs: Named) -> TextState:
    return TextState(*(inputs[f"state.{name}"] for name in TextState._fields))


def _next(state: TextState) -> Named:
    return {f"next.{name}": value for name, value in state._asdict().items()}


def _reading(state: TextState, attention: Tensor) -> Named:
    return {POSITION: state.position.squeeze(-1) + START, ATTENTION: attention}
