"""The style of ink (slant and size) in a step graph: applied to generated ink, removed from observed ink.

The model itself is trained on ink in the usual style; `vrnn_engine.data.style` defines the style and its measures.
"""

import math

import torch
from torch import Tensor

from vrnn_engine.data.style import BASELINE, KNOWN_AFTER, MOST, SMALLEST, Style
from vrnn_engine.models.normal import pad_to_multiple_of_4

AVERAGING_TIME = 60.0
"""Seconds of ink over which a measure is averaged; in longer ink, the weight of older ink decays exponentially."""
MAX_RISE = 4.0
"""Limit of the vertical move between two observed points, in usual sizes: observed ink may contain several lines."""
MAX_LEAN = math.radians(75)
"""Limit of the angle of the slant, in radians."""


class InkStyle:
    """Applies a style to ink, frame by frame, and removes it.

    Its state [B, 11] consists of

    - the noise of the style, 0 before it is drawn (2 values);
    - the style measured in observed ink, in standard deviations (2), and its certainty from 0 to 1 (1);
    - whether the pen is on the paper (1);
    - running means of the squared moves down, and of their products with the moves across (2);
    - the height above the baseline, and the running mean of its square (2);
    - the number of frames in these means (1).

    After observing ink, generation continues in the observed style.

    Parameters
    ----------
    usual : Style
        Means and standard deviations of the styles of the corpus.
    rate : float
        Frames per second.
    """

    noise_size = 2
    state_size = 11

    def __init__(self, usual: Style, rate: float):
        self.usual, self.rate = usual, rate

    def draw(self, state: Tensor, noise: Tensor) -> Tensor:
        """Return the state with the noise of the style: `noise` [B, 2], unless the state has its noise already."""
        held = state[:, :2]
        return torch.cat([torch.where(held == 0, noise, held), state[:, 2:]], dim=-1)

    def measure(self, state: Tensor, frame: Tensor) -> Tensor:
        """Return the state after observing a frame [B, 3]."""
        on_paper, *means, frames = state[:, 5:].split(1, dim=-1)
        across, down, lifted = frame.split(1, dim=-1)
        counts = on_paper * (down > 0)
        # The first move, and the move to another line, say nothing about the height of the ink.
        limit = MAX_RISE * self.usual.size
        risen = torch.where(frames > 0, down.clamp(-limit, limit), 0.0)
        height = math.exp(-1 / (BASELINE * self.rate)) * means[2] + risen
        frames = (frames + 1).clamp(max=AVERAGING_TIME * self.rate)
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
        log_size = pad_to_multiple_of_4(torch.log, (torch.sqrt(square) / self.usual.size).clamp(min=SMALLEST))
        measured = known * torch.cat([slant / self.usual.slant_sd, log_size / self.usual.size_sd], dim=-1)
        certain = 1 - torch.sqrt(1 - known)
        measures = [(lifted < 0.5).to(frame), power, lean, height, square, frames]
        return torch.cat([state[:, :2], measured.clamp(-MOST, MOST), certain, *measures], dim=-1)

    def style(self, state: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """Return the style s [B, 2]: the measured style plus the drawn noise times the uncertainty of the measure.

        Parameters
        ----------
        state : Tensor
            [B, 11].
        temperature : Tensor or float
            Factor of the noise, [B, 1]; 0 gives the measured style alone.
        """
        return state[:, 2:4] + temperature * (1 - state[:, 4:5]) * state[:, :2]

    def apply(self, frame: Tensor, style: Tensor, degrees: Tensor, factor: Tensor | float) -> Tensor:
        """Apply a style to a frame of plain ink.

        Parameters
        ----------
        frame : Tensor
            dx, dy and pen-up, [B, 3].
        style : Tensor
            [B, 2].
        degrees : Tensor
            Angle, in degrees, by which the ink leans further to the right, [B, 1].
        factor : Tensor or float
            Factor of the size, [B, 1].
        """
        slant, size = style.split(1, dim=-1)
        lean = self.usual.slant + self.usual.slant_sd * slant
        # Rotated by sine and cosine: CUDA graphs need kernels for all nodes, and there is none for the tangent.
        angle = math.radians(1) * degrees
        sine, cosine = pad_to_multiple_of_4(torch.sin, torch.cat([angle, angle + math.pi / 2], dim=-1)).split(1, dim=-1)
        across, down = cosine * lean + sine, cosine - sine * lean
        steepest = math.tan(MAX_LEAN)
        # If `down` is 0 or negative, the ink was rotated to the horizontal or beyond.
        lean = torch.where(down > 0, across / down.clamp(min=1e-6), steepest).clamp(-steepest, steepest)
        return _transform(frame, self.usual.slant - lean, factor * torch.exp(self.usual.size_sd * size))

    def remove(self, frame: Tensor, style: Tensor) -> Tensor:
        """Return a frame [B, 3] of ink with style [B, 2], transformed to the usual style."""
        slant, size = style.split(1, dim=-1)
        return _transform(frame, self.usual.slant_sd * slant, torch.exp(-self.usual.size_sd * size))


def _transform(frame: Tensor, shear: Tensor, scale: Tensor) -> Tensor:
    across, down, lifted = frame.split(1, dim=-1)
    return torch.cat([scale * (across + shear * down), scale * down, lifted], dim=-1)
