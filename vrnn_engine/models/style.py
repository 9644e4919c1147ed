"""The style of ink, its slant and size: a shear and a scale between what a model writes and what is seen.

    seen = A(s) plain    A(s) (dx, dy) = exp(size_sd s_2) (dx - slant_sd s_1 dy, dy)    s ~ N(0, I)

A model that is trained on plain ink knows one style, so it cannot lose it; a stream draws s once and holds it.
"""

import math
from typing import Annotated

import msgspec
import torch
from torch import Tensor

from vrnn_engine.models.normal import in_fours

Spread = Annotated[float, msgspec.Meta(gt=0, le=1)]

KNOWN_AFTER = 1.0
"""Seconds of ink after which its measures count as much as what is usual."""
BASELINE = 0.5
"""Seconds over which the height that ink is at is averaged: what is slower is its baseline."""
FORGOTTEN_AFTER = 60.0
"""Seconds that a measure is a mean of, about, once there were as many."""
MOST = 3.0
"""Sds from the usual, either way, that a measured style may be."""
SMALLEST = 1e-3
"""Share of the usual size that ink is taken to have at least."""
STEEPEST = math.radians(75)
"""What ink may lean at most."""


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What styles a corpus has: means and sds over its writers."""

    slant: Annotated[float, msgspec.Meta(ge=-2, le=2)]
    """Across over down of downstrokes; positive where the top leans to the right."""
    slant_sd: Spread
    size: Annotated[float, msgspec.Meta(gt=0)]
    """Rms height of the ink about its baseline, in the unit of the ink."""
    size_sd: Spread
    """Of the size's logarithm."""


class Hand:
    """What gives ink a style, frame by frame, and takes it away again.

    Its state [B, 8] is the style's noise (0 before it is drawn), whether the pen is on the paper, and of the ink that
    was observed: the means of squared moves down and of their products with moves across, the height above the
    baseline, the mean of its square, and of how many frames the means are.  What was observed is gone on in.

    Parameters
    ----------
    usual : Style
    rate : float
        Frames a second.
    """

    noise_size = 2
    state_size = 8

    def __init__(self, usual: Style, rate: float):
        self.usual, self.rate = usual, rate

    def draw(self, state: Tensor, noise: Tensor) -> Tensor:
        """Return the state with the noise [B, 2] that is held: the first one that it was given."""
        held = state[:, :2]
        return torch.cat([torch.where(held == 0, noise, held), state[:, 2:]], dim=-1)

    def measure(self, state: Tensor, frame: Tensor) -> Tensor:
        """Return the state after a frame [B, 3] was observed."""
        noise, (on_paper, *means, frames) = state[:, :2], state[:, 2:].split(1, dim=-1)
        across, down, lifted = frame.split(1, dim=-1)
        counts = on_paper * (down > 0)
        height = math.exp(-1 / (BASELINE * self.rate)) * means[2] + down
        frames = (frames + 1).clamp(max=FORGOTTEN_AFTER * self.rate)
        power, lean, square = (
            mean + (value - mean) / frames
            for mean, value in (
                (means[0], counts * down * down),
                (means[1], counts * -across * down),
                (means[3], height * height),
            )
        )
        return torch.cat([noise, (lifted < 0.5).to(frame), power, lean, height, square, frames], dim=-1)

    def style(self, state: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """Return s [B, 2]: what was measured, as far as it is known; the rest of it is drawn."""
        noise, (_, power, lean, _, square, frames) = state[:, :2], state[:, 2:].split(1, dim=-1)
        slant = torch.where(power > 0, lean / power.clamp(min=1e-12) - self.usual.slant, 0.0)
        size = torch.sqrt(square).clamp(min=SMALLEST * self.usual.size)
        measured = torch.cat(
            [slant / self.usual.slant_sd, in_fours(torch.log, size / self.usual.size) / self.usual.size_sd], dim=-1
        )
        known = frames / (frames + KNOWN_AFTER * self.rate)
        return (known * measured).clamp(-MOST, MOST) + temperature * torch.sqrt(1 - known) * noise

    def write(self, frame: Tensor, style: Tensor, degrees: Tensor | float, factor: Tensor | float) -> Tensor:
        """Give a plain frame [B, 3] a style [B, 2], leaning so many degrees further and so many times as large."""
        slant, size = style.split(1, dim=-1)
        angle = in_fours(torch.atan, self.usual.slant + self.usual.slant_sd * slant) + math.radians(1) * degrees
        lean = in_fours(torch.tan, angle.clamp(-STEEPEST, STEEPEST)) - self.usual.slant
        return self._applied(frame, -lean, factor * in_fours(torch.exp, self.usual.size_sd * size))

    def read(self, frame: Tensor, style: Tensor) -> Tensor:
        """Take a style [B, 2] away from a frame [B, 3]."""
        slant, size = style.split(1, dim=-1)
        return self._applied(frame, self.usual.slant_sd * slant, in_fours(torch.exp, -self.usual.size_sd * size))

    def _applied(self, frame: Tensor, shear: Tensor, scale: Tensor) -> Tensor:
        across, down, lifted = frame.split(1, dim=-1)
        return torch.cat([scale * (across + shear * down), scale * down, lifted], dim=-1)
