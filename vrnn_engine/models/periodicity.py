"""How well a signal repeats itself: its normalised correlation with itself, a period before."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import SourceFilter
from vrnn_engine.models.layers import exactly

FEW_ROWS = 16
"""Up to which correlations are sums, as in a graph; more of them are quicker as products of spectra."""
SILENCE = 1e-6
"""Mean square, of a signal of variance one, below which its periodicity is not normalised any further."""


class Periodicity(nn.Module):
    """How like a frame is to what lies each period before it."""

    within: Tensor

    def __init__(self, config: SourceFilter, frame_size: int):
        super().__init__()
        self.frame_size, self.longest, self.shortest = frame_size, config.longest, config.shortest
        reach = torch.ones(config.longest + frame_size, config.periods + 1)
        # The samples that each period lies before; in the last column, those of the frame.
        reach = reach.tril().triu(1 - frame_size)
        reach[:, -1] = torch.arange(len(reach)) >= config.longest
        self.register_buffer("within", reach, persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        """The frame and the longest period before it, [..., longest + F] -> [..., periods], from the longest to the
        shortest; 1 where the signal repeats itself after that time, whatever its level."""
        last, earlier = sound[..., self.longest :], sound[..., : self.frame_size + self.longest - self.shortest]
        powers = (sound * sound) @ self.within + self.frame_size * SILENCE
        return correlate(earlier, last) / torch.sqrt(powers[..., :-1] * powers[..., -1:])


def correlate(x: Tensor, taps: Tensor, before: int = 0, after: int = 0) -> Tensor:
    """Return y_n = sum_k taps_k x_(n+k), in the precision of the taps: [..., N] and [..., K] -> [..., N' - K + 1].

    N' is N with the silence `before` and `after` x.
    """
    length, width = before + x.shape[-1] + after, taps.shape[-1]
    count = length - width + 1
    if torch.compiler.is_exporting() or x[..., 0].numel() <= FEW_ROWS:
        # `step` outputs at a time, all of them one product of two small matrices: of pieces of x that begin as many
        # samples apart, and of the taps, each row of them shifted by one more.
        step = next(step for step in range(1, count + 1) if step * step >= count and count % step == 0)
        rows, blocks = count // step, -(-(width + step - 1) // step)
        padded = functional.pad(x.to(taps.dtype), (before, (rows - 1 + blocks) * step - before - x.shape[-1]))
        with exactly(x.device):
            product = windows(padded, rows, step, blocks) @ shifts(taps, step, blocks * step).transpose(-1, -2)
            return product.flatten(-2)
    # In double precision: a loud past would leave its rounding in a quiet frame.
    size = 1 << (length - 1).bit_length()
    padded = functional.pad(x, (before, after))
    product = torch.fft.rfft(padded.double(), size) * torch.fft.rfft(taps.double(), size).conj()
    return torch.fft.irfft(product, size)[..., :count].to(taps.dtype)


def windows(x: Tensor, rows: int, step: int, blocks: int) -> Tensor:
    """Return pieces of x that begin `step` apart: [..., (rows - 1 + blocks) * step] -> [..., rows, blocks * step].

    Whole blocks of `step` samples are copied: an index for every sample takes onnxruntime ten times as long.
    """
    index = (torch.arange(rows)[:, None] + torch.arange(blocks)).flatten().to(x.device)
    pieces = x.unflatten(-1, (-1, step)).index_select(-2, index)
    return pieces.reshape(*x.shape[:-1], rows, blocks * step)


def shifts(x: Tensor, rows: int, width: int) -> Tensor:
    """Return x in a row of silence, shifted right by one more in each: [..., N] -> [..., rows, width].

    Copies of x that are one sample longer than a row, one after the other, cut into rows.
    """
    one = functional.pad(x, (0, width + 1 - x.shape[-1]))
    copies = [one] * (rows - 1) + [one[..., : width - rows + 1]]
    return torch.cat(copies, dim=-1).unflatten(-1, (rows, width))
