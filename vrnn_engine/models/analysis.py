"""What phi_x is shown of a frame where the output is a source and a filter: what these two are made of.

Log spectrum, log level of the frame's parts, and periodicity, instead of samples, whose phases it would have to see
through.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import EmphasisConfig, SourceFilter
from vrnn_engine.models.emphasis import Emphasis
from vrnn_engine.models.layers import exactly
from vrnn_engine.models.periodicity import Periodicity

QUIET = 1e-5
"""Power, of a signal of variance one, below which nothing is told apart."""


class Analysis(nn.Module):
    """A frame and the one before it -> [log spectrum, log levels], periodicity.

    The periodicity is that of the signal without its emphasis: what this lifts lies below any period, and would
    drown it.
    """

    views: Tensor
    average: Tensor

    def __init__(self, config: SourceFilter, frame_size: int, emphasis: EmphasisConfig | None = None):
        super().__init__()
        self.periodicity = Periodicity(config, frame_size)
        n = torch.arange(2 * frame_size, dtype=torch.float64)
        bins = torch.arange(frame_size, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * frame_size) * (n + 0.5)) / math.sqrt(frame_size)
        angle = math.pi / frame_size * torch.outer(n, bins)
        transform = window[:, None] * torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)
        plain = Emphasis(emphasis, frame_size).undoing(2 * frame_size) if emphasis else torch.eye(2 * frame_size)
        self.views_of = [frame_size, frame_size, frame_size + config.longest]
        # Real and imaginary part of the spectrum, and what of the plain signal the periodicity is of.
        views = torch.cat([transform, plain.double()[:, frame_size - config.longest :]], dim=-1)
        self.register_buffer("views", views.float(), persistent=False)
        self.heard = frame_size + config.levels
        self.size = self.heard + config.periods
        """Width of what `forward` returns, taken together."""
        length = frame_size // config.levels
        average = torch.eye(config.levels).repeat_interleave(length, 0) / length
        # Some columns more, so that the logarithm is taken of whole fours; see `in_fours`.
        self.register_buffer("average", functional.pad(average, (0, -self.heard % 4)), persistent=False)

    def forward(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """[..., 2 F] -> [..., F + levels], [..., periods]."""
        with exactly(both.device):
            real, imaginary, plain = (both @ self.views).split(self.views_of, dim=-1)
            frame = both[..., both.shape[-1] // 2 :]
            power = torch.cat([real * real + imaginary * imaginary, (frame * frame) @ self.average], dim=-1)
            return (0.25 * torch.log(power + QUIET) + 1)[..., : self.heard], self.periodicity(plain)
