"""The step model of a text-conditioned model: its step in world units, with its text and its controls."""

import torch
from torch import Tensor

from vrnn_engine.exporters.base_steps import BaseSteps, next_states
from vrnn_engine.exporters.controls import read_latent_controls, read_output_noise
from vrnn_engine.exporters.ink_style import InkStyle
from vrnn_engine.exporters.protocol import Named
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import Normal, kl_divergence
from vrnn_engine.models.text.state import TextState
from vrnn_engine.models.text.window import START, WINDOW
from vrnn_engine.runtime.voice.text import ATTENTION, CHARACTERS, END, NONE, POSITION, Text

RESTART = ("h", "c", "position", "window")
"""States that are zero at the beginning of a line; the others are the hand."""


OUTPUT_TEMPERATURE, MIXTURE_TEMPERATURE = 0.4, 0.5
"""Temperatures of ink with a text where the controls are 1: a recogniser reads it with fewer errors than at 1.  Ink
without a text has the model's own, because at these it falls into short strokes."""


class TextSteps(BaseSteps[TextVRNN]):
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

    While the pen writes a text, the controls `output.temperature` and `mixture.temperature` are multiplied by
    `OUTPUT_TEMPERATURE` and `MIXTURE_TEMPERATURE`.

    Parameters
    ----------
    model : TextVRNN
        The trained model.
    rate, unit, mean, std, ink_style
        See `BaseSteps`.
    line_height : float
        Distance of two baselines, in the unit of dx and dy.
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
        text = Text(
            alphabet=(NONE, *model.text.alphabet, END),
            window=WINDOW,
            position="position",
            first_position=START,
            restart=RESTART,
            line_height=line_height,
        )
        super().__init__(model, rate, unit, mean, std, ink_style, text)

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
        text = inputs[CHARACTERS].long()
        noise = _careful(read_output_noise(inputs, self._output_controls), text)
        made = self.model.generate(_state(inputs), text, inputs["noise.latent"], noise, read_latent_controls(inputs))
        seen, style = self._to_world(made.frame, inputs)
        return {
            **next_states(made.state._asdict()),
            **style,
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
        frame, style = self._from_world(inputs)
        old = _state(inputs)
        text = inputs[CHARACTERS].long()
        prior = self.model.belief(old)
        found = self.model.observe(frame, old, text, inputs["noise.latent"], read_latent_controls(inputs))
        decoded = self.model.decode(found.latent, old.h)
        standard = Normal(torch.zeros_like(prior.mean), torch.ones_like(prior.std))
        return {
            **next_states(found.state._asdict()),
            **style,
            "latent": found.latent,
            "prior.mean": prior.mean,
            "prior.std": prior.std,
            "posterior.mean": found.posterior.mean,
            "posterior.std": found.posterior.std,
            "kl": kl_divergence(found.posterior, standard) - kl_divergence(prior, standard),
            "log_likelihood": self.model.output.log_prob(decoded, frame),
            **_reading(found.state, found.attention),
        }


def _careful(noise: OutputNoise, text: Tensor) -> OutputNoise:
    """Return the noise with the temperatures at which the rows that have a text [B, U] can be read."""
    reads = text.amax(dim=-1, keepdim=True) > 0
    return noise._replace(
        output_temperature=noise.output_temperature * torch.where(reads, OUTPUT_TEMPERATURE, 1.0),
        mixture_temperature=noise.mixture_temperature * torch.where(reads, MIXTURE_TEMPERATURE, 1.0),
    )


def _state(inputs: Named) -> TextState:
    return TextState(*(inputs[f"state.{name}"] for name in TextState._fields))


def _reading(state: TextState, attention: Tensor) -> Named:
    return {POSITION: state.position.squeeze(-1) + START, ATTENTION: attention}
