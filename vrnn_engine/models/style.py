"""The style of ink given to what a model writes, and taken from what it observes: see `vrnn_engine.data.style`."""

import math

import torch
from torch import Tensor

from vrnn_engine.data.style import BASELINE, KNOWN_AFTER, MOST, SMALLEST, Style
from vrnn_engine.models.normal import in_fours

FORGOTTEN_AFTER = 60.0
"""Seconds that a measure is a mean of, about, once there were as many."""
LEAP = 4.0
"""Usual sizes that the pen is taken to move up or down at most, where what is observed may be more than a line."""
STEEPEST = math.radians(75)
"""What ink may lean at most."""


class Hand:
    """What gives ink a style, frame by frame, and takes it away again.

    Its state [B, 11] is the style's noise (0 before it is drawn); the style that was heard in observed ink, and how
    certain it is, from 0 to 1; and what that is measured from: whether the pen is on the paper, the means of squared
    moves down and of their products with moves across, the height above the baseline, the mean of its square, and of
    how many frames the means are.  What was observed is gone on in.

    Parameters
    ----------
    usual : Style
    rate : float
        Frames a second.
    """

    noise_size = 2
    state_size = 11

    def __init__(self, usual: Style, rate: float):
        self.usual, self.rate = usual, rate

    def draw(self, state: Tensor, noise: Tensor) -> Tensor:
        """Return the state with the noise [B, 2] that is held: the first one that it was given."""
        held = state[:, :2]
        return torch.cat([torch.where(held == 0, noise, held), state[:, 2:]], dim=-1)

    def measure(self, state: Tensor, frame: Tensor) -> Tensor:
        """Return the state after a frame [B, 3] was observed."""
        on_paper, *means, frames = state[:, 5:].split(1, dim=-1)
        across, down, lifted = frame.split(1, dim=-1)
        counts = on_paper * (down > 0)
        # A first move, or one to another line, says where the ink is and not how tall.
        leap = LEAP * self.usual.size
        risen = torch.where(frames > 0, down.clamp(-leap, leap), 0.0)
        height = math.exp(-1 / (BASELINE * self.rate)) * means[2] + risen
        frames = (frames + 1).clamp(max=FORGOTTEN_AFTER * self.rate)
        power, lean, square = (
            mean + (value - mean) / frames
            for mean, value in (
                (means[0], counts * down * down),
                (means[1], counts * -across * down),
                (means[3], height * height),
            )
        )
        known = frames / (frames + KNOWN_AFTER * self.rate)
        slant = torch.where(power > 0, lean / power.clamp(min=1e-12) - self.usual.slant, 0.0)
        taller = in_fours(torch.log, (torch.sqrt(square) / self.usual.size).clamp(min=SMALLEST))
        heard = known * torch.cat([slant / self.usual.slant_sd, taller / self.usual.size_sd], dim=-1)
        certain = 1 - torch.sqrt(1 - known)
        measures = [(lifted < 0.5).to(frame), power, lean, height, square, frames]
        return torch.cat([state[:, :2], heard.clamp(-MOST, MOST), certain, *measures], dim=-1)

    def style(self, state: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """Return s [B, 2]: what was heard; where that is not certain, drawn."""
        return state[:, 2:4] + temperature * (1 - state[:, 4:5]) * state[:, :2]

    def write(self, frame: Tensor, style: Tensor, degrees: Tensor, factor: Tensor | float) -> Tensor:
        """Give a plain frame [B, 3] a style [B, 2], so many degrees [B, 1] further, so many times as large."""
        slant, size = style.split(1, dim=-1)
        lean = self.usual.slant + self.usual.slant_sd * slant
        # Turned by sines and cosines, which CUDA has for its graphs, and not by tangents.
        angle = math.radians(1) * degrees
        sine, cosine = in_fours(torch.sin, torch.cat([angle, angle + math.pi / 2], dim=-1)).split(1, dim=-1)
        across, down = cosine * lean + sine, cosine - sine * lean
        steepest = math.tan(STEEPEST)
        # With a down of 0 or less it has turned past the horizontal.
        lean = torch.where(down > 0, across / down.clamp(min=1e-6), steepest).clamp(-steepest, steepest)
        return self._applied(frame, self.usual.slant - lean, factor * torch.exp(self.usual.size_sd * size))

    def read(self, frame: Tensor, style: Tensor) -> Tensor:
        """Take a style [B, 2] away from a frame [B, 3]."""
        slant, size = style.split(1, dim=-1)
        return self._applied(frame, self.usual.slant_sd * slant, torch.exp(-self.usual.size_sd * size))

    def _applied(self, frame: Tensor, shear: Tensor, scale: Tensor) -> Tensor:
        across, down, lifted = frame.split(1, dim=-1)
        return torch.cat([scale * (across + shear * down), scale * down, lifted], dim=-1)
