"""How well a signal repeats itself: its normalised correlation with itself, a period before."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import EmphasisConfig, SourceFilter
from vrnn_engine.models.emphasis import Emphasis
from vrnn_engine.models.layers import exactly

FEW_ROWS = 16
"""Up to which correlations are sums, as in a graph; more of them are quicker as products of spectra."""
SILENCE = 1e-6
"""Mean square, of a signal of variance one, below which its periodicity is not normalised any further."""


class Periodicity(nn.Module):
    """Two frames -> how like the last one is to what lies each period before it, in the signal without its emphasis.

    What the emphasis lifts lies below any period, and would drown it.
    """

    within: Tensor

    def __init__(self, config: SourceFilter, frame_size: int, emphasis: EmphasisConfig | None = None):
        super().__init__()
        self.frame_size, self.longest, self.shortest = frame_size, config.longest, config.shortest
        self.emphasis = Emphasis(emphasis, frame_size) if emphasis else None
        reach = torch.ones(frame_size + config.periods - 1, config.periods)
        # The samples that each period lies before.
        self.register_buffer("within", reach.tril().triu(1 - frame_size), persistent=False)

    def forward(self, both: Tensor) -> Tensor:
        """[..., 2 F] -> [..., periods], from the longest to the shortest; 1 where the signal repeats itself after
        that time, whatever its level."""
        size = self.frame_size
        if self.emphasis:
            former, memory = self.emphasis.undo(
                both[..., :size], both.new_zeros(*both.shape[:-1], self.emphasis.memory_size)
            )
            both = torch.cat([former, self.emphasis.undo(both[..., size:], memory)[0]], dim=-1)
        last, earlier = both[..., size:], both[..., size - self.longest : 2 * size - self.shortest]
        power = (last * last) @ last.new_ones(size, 1)
        floor = size * SILENCE
        return correlate(earlier, last) / torch.sqrt((power + floor) * ((earlier * earlier) @ self.within + floor))


def correlate(x: Tensor, taps: Tensor) -> Tensor:
    """Return y_n = sum_k taps_k x_(n+k), in the precision of the taps: [..., N] and [..., K] -> [..., N - K + 1]."""
    count, width = x.shape[-1] - taps.shape[-1] + 1, taps.shape[-1]
    if torch.compiler.is_exporting() or x[..., 0].numel() <= FEW_ROWS:
        # So many outputs at a time, all of them one product of two small matrices: of pieces of x that begin as many
        # samples apart, and of the taps, each copy shifted by one.
        step = math.isqrt(count)
        rows, reach = -(-count // step), width + step - 1
        pieces = windows(functional.pad(x.to(taps.dtype), (0, rows * step - count)), rows, step, reach)
        shifted = windows(functional.pad(taps, (step - 1, step - 1)), step, 1, reach)
        with exactly(x.device):
            return (pieces @ shifted.transpose(-1, -2)).flip(-1).flatten(-2)[..., :count]
    # In double precision: a loud past would leave its rounding in a quiet frame.
    size = 1 << (x.shape[-1] - 1).bit_length()
    product = torch.fft.rfft(x.double(), size) * torch.fft.rfft(taps.double(), size).conj()
    return torch.fft.irfft(product, size)[..., :count].to(taps.dtype)


def windows(x: Tensor, count: int, step: int, width: int) -> Tensor:
    """Return pieces of x that begin `step` apart: [..., (count - 1) * step + width] -> [..., count, width].

    Copies of x in a row, cut into parts one step longer than x, whose beginnings these are.  (An index for every
    element does the same, and takes onnxruntime ten times as long.)
    """
    length = x.shape[-1]
    copies = -(-count * (length + step) // length)
    return torch.cat([x] * copies, dim=-1)[..., : count * (length + step)].unflatten(-1, (count, length + step))[
        ..., :width
    ]
