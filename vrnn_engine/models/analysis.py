"""What phi_x is shown of a frame where the output is a source and a filter: what these two are made of.

Log spectrum, log level of the frame's parts, and periodicity, instead of samples, whose phases it would have to see
through.
"""

import math

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import EmphasisConfig, SourceFilter
from vrnn_engine.models.layers import exactly
from vrnn_engine.models.normal import in_fours
from vrnn_engine.models.periodicity import Periodicity

QUIET = 1e-5
"""Power, of a signal of variance one, below which nothing is told apart."""


class Analysis(nn.Module):
    """A frame and the one before it -> [log spectrum, log levels, periodicity]."""

    transform: Tensor

    def __init__(self, config: SourceFilter, frame_size: int, emphasis: EmphasisConfig | None = None):
        super().__init__()
        self.periodicity = Periodicity(config, frame_size, emphasis)
        self.config, self.frame_size = config, frame_size
        n = torch.arange(2 * frame_size, dtype=torch.float64)
        bins = torch.arange(frame_size, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * frame_size) * (n + 0.5)) / math.sqrt(frame_size)
        angle = math.pi / frame_size * torch.outer(n, bins)
        transform = window[:, None] * torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)
        self.register_buffer("transform", transform.float(), persistent=False)
        self.size = frame_size + config.levels + config.periods
        """Width of what `forward` returns."""

    def forward(self, frame: Tensor, past: Tensor) -> Tensor:
        """[..., F], [..., P * F] (newest first) -> [..., size]."""
        with exactly(frame.device):
            return self._analyse(torch.cat([past[..., : self.frame_size], frame], dim=-1))

    def _analyse(self, both: Tensor) -> Tensor:
        real, imaginary = (both @ self.transform).chunk(2, dim=-1)
        spectrum = real * real + imaginary * imaginary
        frame = both[..., self.frame_size :]
        parts = (frame * frame).unflatten(-1, (self.config.levels, -1))
        levels = (parts @ parts.new_full((parts.shape[-1], 1), 1 / parts.shape[-1])).squeeze(-1)
        power = torch.cat([spectrum, levels], dim=-1)
        heard = 0.25 * in_fours(torch.log, power + QUIET) + 1
        return torch.cat([heard, self.periodicity(both)], dim=-1)
