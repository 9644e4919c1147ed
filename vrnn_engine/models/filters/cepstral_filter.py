"""The impulse responses of a filter and its inverse, computed from a warped cepstrum.

The logarithm of the filter 1 / A is a causal series, so both filters are causal.  The real part of the spectrum of a
causal response determines the response (Oppenheim and Schafer 1975, chapter 7).  With N = 2 K frequencies between the
multiples of 2 pi / N,

    h_n = 2 / K sum_k Re H(w_k) cos(w_k n),   w_k = pi (k + 1/2) / K,   k < K,  0 < n < N,

plus h_(N-n), which has decayed if N is large enough.  h_0 is 1, and the sum gives 2 for it.

The sum is computed in two stages, as in the fast Fourier transform of Cooley and Tukey (1965): with k = k1 + P k2 and
n = n2 + Q n1, where K = P Q / 2, the factor that depends on k2 and n1 is 1.  So two small matrices replace one large
matrix, whose values would take as long to read as a layer of the model.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DECAY = 0.97
"""Factor by which an impulse response decays in each sample.  A has only 2 F taps; if its impulse response were cut off
before it has decayed, 1 / A could be unstable.  At 16 kHz this makes every resonance at least 150 Hz wide."""
MAX_LOG_GAIN = math.log(100)
"""Limit of the absolute log magnitude of the filter; a cepstrum that exceeds it is scaled down as a whole."""
GRID = 512
"""Minimum number of points on the unit circle at which the gain is limited."""
SETTLED = 512
"""Number of samples after which an impulse response counts as zero."""
COLUMNS = range(40, 15, -2)
"""Possible values of Q; the first is the fastest for a frame of 200 samples."""
WIDTH = 4
"""The number of frequencies is a multiple of this; see `vrnn_engine.models.normal.pad_to_multiple_of_4`."""


class CepstralFilter(nn.Module):
    """Map a cepstrum of 1 / A to the impulse responses of A, truncated to two frames, and of 1 / A.

    In double precision, since errors of one response are amplified by the other.

    Parameters
    ----------
    order : int
        C, the number of coefficients.
    warp : float
        Warping of the frequency axis.
    frame_size : int
        F.

    Attributes
    ----------
    size : int
        Width of both results; at least 2 F.
    """

    log_spectra: Tensor
    log_gains: Tensor
    first: Tensor
    turn: Tensor
    second: Tensor
    kept: Tensor

    def __init__(self, order: int, warp: float, frame_size: int):
        super().__init__()
        # If Q divides F, the taps end with a row of the second stage, and no further product removes what follows.
        self.columns = next((q for q in COLUMNS if frame_size % q == 0), COLUMNS[0])
        self.is_aligned = frame_size % self.columns == 0
        within, rows = self.columns // 2, -(-(2 * frame_size + SETTLED) // self.columns)
        self.size = -(-2 * frame_size // self.columns) * self.columns + self.columns
        # The last rows have the spectrum 1.
        flat = next(count for count in range(1, 9) if (rows + count) * within % WIDTH == 0)
        self.shape = (rows + flat, within)
        n = torch.arange(self.size)
        kept = torch.stack([n < 2 * frame_size, n < frame_size]).double()
        first, turn, second = _transform(rows, within, flat, self.size // self.columns)
        index = torch.arange(rows, dtype=torch.float64)[:, None] + rows * torch.arange(within)
        points = _log_spectra(order, warp, math.pi / (rows * within) * (index.flatten() + 0.5))
        points = functional.pad(points, (0, flat * within))
        grid = max(GRID, 1 << (2 * frame_size - 1).bit_length())
        limited = _log_spectra(order, warp, 2 * math.pi / grid * torch.arange(grid // 2 + 1, dtype=torch.float64))
        spectra = torch.cat([points.real, points.imag], dim=-1)
        log_gains = (limited.real / MAX_LOG_GAIN).float()
        if self.is_aligned:
            second = second * kept[:, :: self.columns, None]
        self.register_buffer("log_spectra", spectra, persistent=False)
        self.register_buffer("log_gains", log_gains, persistent=False)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("turn", turn, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.register_buffer("kept", kept, persistent=False)

    def forward(self, cepstrum: Tensor) -> Tensor:
        """Return the impulse responses for a cepstrum [..., C], in double precision.

        Returns
        -------
        Tensor
            2 F taps of A and F taps of 1 / A, followed by zeros, [..., 2, size].
        """
        # Single precision is enough for the limit, because both responses share it.
        excess = (cepstrum @ self.log_gains).abs().amax(-1, keepdim=True).clamp_min(1.0)
        log_size, phase = ((cepstrum / excess).double() @ self.log_spectra).chunk(2, dim=-1)
        size, cosine = torch.exp(log_size), torch.cos(phase)
        real = torch.cat([cosine / size, cosine * size], dim=-1).unflatten(-1, (2, *self.shape))
        parts = real @ self.first * self.turn
        # The four terms of the angle's sum become rows, and the second stage adds them.
        taps = (self.second @ parts.reshape(*parts.shape[:-2], -1, self.columns)).flatten(-2)
        return taps if self.is_aligned else taps * self.kept


def _log_spectra(order: int, warp: float, angle: Tensor) -> Tensor:
    """Return the complex matrix [C, P] from a cepstrum to the logarithm of a spectrum at angular frequencies [P].

    Its rows are the powers of a warped unit delay (d - warp) / (1 - warp d), minus those of -warp, so that the impulse
    response begins with 1.
    """
    delay = torch.polar(torch.full_like(angle, DECAY), -angle)
    power = torch.arange(1, order + 1, dtype=torch.float64)[:, None]
    return ((delay - warp) / (1 - warp * delay)) ** power - (-warp) ** power


def _transform(rows: int, within: int, flat: int, blocks: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices of both stages, and the factors between them.

    The first stage gives U(k1, n2) = sum_k2 Re H(k1 + P k2) exp(i pi k2 n2 / K2).  With the angles a of k1 and n1, and
    b of k1 and n2, the second gives sum_k1 cos(a + b) Re U - sin(a + b) Im U, as four terms:
    cos a cos b Re U - cos a sin b Im U - sin a sin b Re U - sin a cos b Im U.

    Returns
    -------
    tuple of Tensor
        [within, 4 Q], [rows + flat, 4 Q], and [blocks, 4 * (rows + flat)].
    """
    columns, points = 2 * within, rows * within
    k1 = torch.arange(rows, dtype=torch.float64)[:, None] + 0.5
    n2, n1 = torch.arange(columns), torch.arange(blocks)
    inner = math.pi / within * torch.arange(within, dtype=torch.float64)[:, None] * n2
    a, b = math.pi / points * columns * n1[:, None, None] * k1, math.pi / points * k1 * n2
    first = torch.cat([inner.cos(), inner.sin(), inner.cos(), inner.sin()], dim=-1)
    turn = torch.cat([b.cos(), b.sin(), b.sin(), b.cos()], dim=-1)
    second = 2 / points * torch.cat([a.cos(), -a.cos(), -a.sin(), -a.sin()], dim=-1)
    # The last row has the spectrum 1; its first column of the first stage is K2.  With it, h_0 is reduced by 1.
    turn = functional.pad(turn, (0, 0, 0, flat))
    second = functional.pad(second, (0, 0, 0, flat))
    turn[-1, 0], second[0, -1, 0] = 1 / within, -1
    return first, turn, second.flatten(-2)
