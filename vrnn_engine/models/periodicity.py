"""Periodicity of a signal: its normalised correlation with itself one period earlier."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import SourceFilter
from vrnn_engine.models.layers import disable_autocast

FEW_ROWS = 16
"""Up to this many rows, `correlate` uses matrix products, as a graph does; for more rows, the FFT is faster."""
SILENCE = 1e-6
"""Added to the mean square that normalises the periodicity; the signal has variance one."""


class Periodicity(nn.Module):
    """Normalised correlation of a frame with the signal one period earlier, for each period.

    Parameters
    ----------
    config : SourceFilter
        Gives the shortest and the longest period, in samples.
    frame_size : int
        F, samples in a frame.
    """

    within: Tensor
    floor: Tensor

    def __init__(self, config: SourceFilter, frame_size: int):
        super().__init__()
        self.frame_size, self.longest, self.periods = frame_size, config.longest, config.periods
        reach = torch.ones(config.longest + frame_size, config.periods + 1)
        # A column for each period marks the samples one period before the frame; the last column marks the frame.
        reach = reach.tril().triu(1 - frame_size)
        reach[:, -1] = torch.arange(len(reach)) >= config.longest
        self.register_buffer("within", reach.T.contiguous(), persistent=False)
        self.register_buffer("floor", torch.full((config.periods + 1,), frame_size * SILENCE), persistent=False)

    def forward(self, sound: Tensor, squares: Tensor) -> Tensor:
        """Return the periodicity of a frame.

        Parameters
        ----------
        sound : Tensor
            The `longest` samples before the frame, the frame, and values that are not read, [..., longest + F + N].
        squares : Tensor
            The squares of the `longest` samples before the frame, and of the frame, [..., longest + F].

        Returns
        -------
        Tensor
            [..., periods], from the longest period to the shortest; 1 where the signal repeats exactly.
        """
        last = sound[..., self.longest : self.longest + self.frame_size]
        powers = functional.linear(squares, self.within, self.floor)
        of_earlier, of_last = powers.split([self.periods, 1], dim=-1)
        return correlate(sound, last, count=self.periods) / torch.sqrt(of_earlier * of_last)


def correlate(x: Tensor, taps: Tensor, before: int = 0, after: int = 0, count: int | None = None) -> Tensor:
    """Return the correlation y_n = sum_k taps_k x_(n+k), in the precision of the taps.

    Parameters
    ----------
    x : Tensor
        [..., N].
    taps : Tensor
        [..., K].
    before, after : int
        Zeros to add before and after x.
    count : int, optional
        Number of outputs; by default all that x has.

    Returns
    -------
    Tensor
        [..., count]; by default, `count` is before + N + after - K + 1.
    """
    width = taps.shape[-1]
    count = count or before + x.shape[-1] + after - width + 1
    if few_rows(x):
        # One product of two small matrices.  Rows of the first are pieces of x that begin `step` samples apart; rows of
        # the second are copies of the taps, each shifted by one sample more than the last.  So each piece gives `step`
        # outputs.  Any values may stand at the end of the last piece, because they are multiplied by zero.
        step = next(step for step in range(1, count + 1) if step * step >= count and count % step == 0)
        rows, blocks = count // step, -(-(width + step - 1) // step)
        pieces = windows(_cut(x.to(taps.dtype), before, (rows - 1 + blocks) * step), rows, step, blocks)
        with disable_autocast(x.device):
            return (pieces @ shifts(taps, step, blocks * step).transpose(-1, -2)).flatten(-2)
    # In double precision, since the rounding error of a loud past would be audible in a quiet frame.
    length = int(count + width - 1)  # a tracer gives a tensor
    size = 1 << (length - 1).bit_length()
    product = torch.fft.rfft(_cut(x, before, length).double(), size) * torch.fft.rfft(taps.double(), size).conj()
    return torch.fft.irfft(product, size)[..., :count].to(taps.dtype)


def _cut(x: Tensor, before: int, length: int) -> Tensor:
    """Return x after `before` zeros, cut off or continued by zeros: [..., N] -> [..., length]."""
    spare = length - before - x.shape[-1]
    return functional.pad(x, (before, spare)) if before or spare > 0 else x[..., :length]


class Convolution(nn.Module):
    """Convolution y_n = sum_k taps_k x_(n-k) of N samples x, which zeros precede and follow, for N successive n.

    In a graph it is a product of two small matrices: blocks of x, and copies of the taps, each shifted by one sample
    more.  Row b of the product is what block b of B samples adds to the N + B samples from b B on.  Read as rows of N
    values, each row begins B columns later than the row before it, as it should, and is continued in the next row.

    Parameters
    ----------
    length : int
        N.
    start : int
        The first n.

    Attributes
    ----------
    width : int
        K, taps and zeros, for which a graph copies nothing but the shifted taps.
    """

    counts: Tensor
    ones: Tensor

    def __init__(self, length: int, start: int = 0):
        super().__init__()
        self.length, self.start = length, start
        self.block = next(size for size in range(math.isqrt(length), 0, -1) if length % size == 0)
        column = torch.arange(length)
        # Block b begins in column b B of row b, and the columns before hold the end of block b - 1, y_(N + n).
        begins = column >= self.block * torch.arange(length // self.block + 1)[:, None]
        self.register_buffer("counts", (begins != (column < start)).double(), persistent=False)
        self.register_buffer("ones", torch.ones(1, len(begins), dtype=torch.float64), persistent=False)
        self.width = length + self.block + 1

    def forward(self, x: Tensor, taps: Tensor) -> Tensor:
        """Convolve samples with taps.

        Parameters
        ----------
        x : Tensor
            [..., N].
        taps : Tensor
            At most N taps, and zeros, [..., K].

        Returns
        -------
        Tensor
            y_n in column n modulo N, for `start` <= n < N + `start`, [..., N], in the precision of the taps.
        """
        length, start = self.length, self.start
        if not few_rows(x):
            y = correlate(x, taps[..., :length].flip(-1), length - 1, start)
            return torch.cat([y[..., length:], y[..., start:length]], dim=-1)
        with disable_autocast(x.device):
            pieces = x.to(taps.dtype).unflatten(-1, (-1, self.block))
            product = pieces @ shifts(taps, self.block, length + self.block)
            rows = product.flatten(-2).unflatten(-1, (-1, length)) * self.counts
            # A product with ones: onnxruntime adds in another order if the batch has one row.
            return (self.ones @ rows).squeeze(-2)


def few_rows(x: Tensor) -> bool:
    """Return whether a convolution of x [..., N] is computed as in a graph, by matrix products."""
    return torch.compiler.is_exporting() or x[..., 0].numel() <= FEW_ROWS


def windows(x: Tensor, rows: int, step: int, blocks: int) -> Tensor:
    """Return pieces of x that begin `step` samples apart.

    The function copies blocks of `step` samples; with an index for each sample, onnxruntime takes ten times as long.

    Parameters
    ----------
    x : Tensor
        [..., (rows - 1 + blocks) * step].
    rows : int
        Number of pieces.
    step : int
        Samples from the beginning of a piece to that of the next.
    blocks : int
        Length of a piece, in steps.

    Returns
    -------
    Tensor
        [..., rows, blocks * step].
    """
    index = (torch.arange(rows)[:, None] + torch.arange(blocks)).flatten().to(x.device)
    pieces = x.unflatten(-1, (-1, step)).index_select(-2, index)
    return pieces.reshape(*x.shape[:-1], rows, blocks * step)


def shifts(x: Tensor, rows: int, width: int) -> Tensor:
    """Return `rows` copies of x in zeros; row k is shifted right by k samples: [..., N] -> [..., rows, width].

    Copies of x, each padded to one sample more than a row, are joined; the result is cut into rows.
    """
    spare = width + 1 - x.shape[-1]
    one = functional.pad(x, (0, spare)) if spare > 0 else x[..., : width + 1] if spare else x
    copies = [one] * (rows - 1) + [one[..., : width - rows + 1]]
    return torch.cat(copies, dim=-1).unflatten(-1, (rows, width))
