"""A small recogniser of handwritten lines: convolutions, two bidirectional LSTMs, and CTC.

CTC: Graves et al. 2006, Connectionist Temporal Classification.  Class 0 is the blank.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vrnn_engine.evaluation.legibility.features import FEATURES, features, on_paper

STRIDES = (1, 2, 2)
"""Of the convolutions."""
SHORTER = 4
"""The convolutions shorten a line by this factor."""
BLANK, FORGET = -2.0, 1.0
"""Initial biases of the blank and of the forget gates."""


class Recogniser(nn.Module):
    """Gives the log-probability of each character at each step of a line.

    Parameters
    ----------
    alphabet : str
        Characters that it knows; class i + 1 is character i.
    channels : int
        Channels of the convolutions.
    units : int
        Units of each LSTM in each direction.
    dropout : float
        Share of the values that are dropped before each LSTM and before the output.
    """

    def __init__(self, alphabet: str, channels: int = 96, units: int = 128, dropout: float = 0.15):
        super().__init__()
        self.alphabet, self.channels, self.units = alphabet, channels, units
        wide = (FEATURES, channels // 2, channels, channels)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, 5, stride, padding=2) for a, b, stride in zip(wide[:-1], wide[1:], STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(count) for count in wide[1:])
        self.forwards = nn.ModuleList(nn.LSTM(count, units) for count in (channels, 2 * units))
        self.backwards = nn.ModuleList(nn.LSTM(count, units) for count in (channels, 2 * units))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * units + channels, len(alphabet) + 1)
        # While all steps are blank, the gradient of CTC is small; these, and the way around the LSTMs, end that soon.
        with torch.no_grad():
            for name, bias in self.named_parameters():
                if name == "output.bias":
                    nn.init.constant_(bias[:1], BLANK)
                elif "bias_ih" in name:
                    nn.init.constant_(bias[units : 2 * units], FORGET)

    def forward(self, lines: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of the classes at each step.

        Parameters
        ----------
        lines : Tensor [B, T, F]
            Features of lines, padded with zeros.
        lengths : Tensor [B]
            Number of points of each.

        Returns
        -------
        scores : Tensor [T', B, classes]
            Log-probabilities; T' is about T / 4.
        steps : Tensor [B]
            Number of steps of each line.
        """
        found = lines.transpose(1, 2)
        for layer, norm, stride in zip(self.convolutions, self.norms, STRIDES, strict=True):
            lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
            found = norm(torch.relu(layer(found)).transpose(1, 2)).transpose(1, 2)
            # Padding stays zero, so that a line is recognised alike whatever is beside it.
            found = found * (torch.arange(found.shape[2]) < lengths[:, None])[:, None]
        hidden = seen = found.permute(2, 0, 1)
        turned = _reversal(lengths, len(hidden))
        for onward, back in zip(self.forwards, self.backwards, strict=True):
            hidden = self.dropout(hidden)
            ahead, behind = onward(hidden)[0], back(_pick(hidden, turned))[0]
            hidden = torch.cat([ahead, _pick(behind, turned)], -1)
        scores = self.output(self.dropout(torch.cat([hidden, seen], -1)))
        return scores.float().log_softmax(-1), lengths


def _reversal(lengths: Tensor, steps: int) -> Tensor:
    """Return places [T, B] that reverse each sequence within its own length, and leave its padding where it is.

    A packed sequence does the same in four times the time on a CPU.
    """
    place = torch.arange(steps)[:, None]
    return torch.where(place < lengths, lengths - 1 - place, place)


def _pick(hidden: Tensor, places: Tensor) -> Tensor:
    """Return hidden [T, B, H] at other places [T, B] of each sequence."""
    return hidden.gather(0, places[:, :, None].expand_as(hidden))


def pad(lines: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Return lines [n, F] as one tensor [B, T, F], padded with zeros, and their lengths [B]."""
    lengths = torch.tensor([len(line) for line in lines])
    return nn.utils.rnn.pad_sequence([torch.from_numpy(line) for line in lines], batch_first=True), lengths


def best_path(scores: Tensor, steps: Tensor) -> list[list[tuple[int, int]]]:
    """Return the characters of each line: the most probable class of each step, without repetitions and blanks.

    Parameters
    ----------
    scores : Tensor [T, B, classes]
        Log-probabilities.
    steps : Tensor [B]
        Number of steps of each line.

    Returns
    -------
    list of lists of pairs
        For each line, the step at which each of its characters begins, and its class.
    """
    lines = []
    for classes, count in zip(scores.argmax(-1).T.tolist(), steps.tolist(), strict=True):
        before = [0, *classes[: count - 1]]
        changes = enumerate(zip(classes[:count], before, strict=True))
        lines.append([(step, now) for step, (now, last) in changes if now and now != last])
    return lines


@dataclass(frozen=True)
class Reading:
    """What a recogniser reads in a line."""

    text: str
    ink: tuple[int, ...]
    """Number of points on the paper before each character, since the one before it, and after the last one."""

    def __add__(self, other: "Reading") -> "Reading":
        """Return the reading of two rows, with a space between them."""
        return Reading(f"{self.text} {other.text}", self.ink + other.ink)


def read_ink(model: Recogniser, lines: Sequence[NDArray[np.floating]], rows: int = 32) -> list[Reading]:
    """Return what a recogniser reads in each line.

    Parameters
    ----------
    model : Recogniser
        In evaluation mode.
    lines : sequence of arrays [n, 3]
        dx, dy, pen-up.
    rows : int
        Number of lines recognised at once.
    """
    inputs = [features(line) for line in lines]
    found: dict[int, Reading] = {}
    order = sorted(range(len(lines)), key=lambda place: len(inputs[place]))
    with torch.inference_mode():
        for first in range(0, len(order), rows):
            group = order[first : first + rows]
            for place, read in zip(group, best_path(*model(*pad([inputs[one] for one in group]))), strict=True):
                found[place] = _reading(read, inputs[place], model.alphabet)
    return [found[place] for place in range(len(lines))]


def _reading(read: Sequence[tuple[int, int]], line: NDArray[np.float32], alphabet: str) -> Reading:
    """Return the text of a line, and how much ink is between its characters."""
    bounds = [0, *(SHORTER * step for step, _ in read), len(line)]
    drawn = np.append(0, np.cumsum(on_paper(line)))
    ink = tuple(int(drawn[last] - drawn[first]) for first, last in pairwise(bounds))
    return Reading("".join(alphabet[place - 1] for _, place in read), ink)
