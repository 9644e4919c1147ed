"""Frame bases: the transform from a signal to the frames that a model sees, and its inverse.

A basis takes and returns normalised signals.  Each basis is a linear map of the signal with determinant exp(`log_det`)
per frame, so the log density of its coefficients, plus `log_det` per frame, is the log density of the signal.
"""

import math

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.emphasis import Emphasis

FITTING_LENGTH = 4096
"""`fit` cuts a long signal into parallel sequences of this many blocks."""


class PlainBasis(nn.Module):
    """Frames of the signal itself: audio samples, with an emphasis or without, or pen points.

    Parameters
    ----------
    frame_size : int
        F, values in a frame.
    emphasis : Emphasis, optional
        The filter that is applied to the samples first.

    Attributes
    ----------
    context : int
        Number of blocks that `frames` needs before the first frame.
    log_det : float
        Log determinant of the map from a block to a frame: 0.
    """

    def __init__(self, frame_size: int, emphasis: Emphasis | None = None):
        super().__init__()
        self.frame_size = frame_size
        self.emphasis = emphasis
        self.context = emphasis.settling_blocks if emphasis else 0
        self.log_det: float | Tensor = 0.0

    def frames(self, signal: Tensor) -> Tensor:
        """Return the frames [T, ..., F] of blocks [context + T, ..., F]."""
        return self.emphasis.emphasise(signal)[self.context :] if self.emphasis else signal

    def fit(self, signal: Tensor) -> None:
        """Do nothing: this basis has no parameters."""


class MdctBasis(nn.Module):
    """Coefficients of the modified discrete cosine transform: hop F, window 2F, sine window, orthonormal.

    Princen and Bradley, Analysis/Synthesis Filter Bank Design Based on Time Domain Aliasing Cancellation, 1986.
    Coefficient frame t covers the blocks t-1 and t, and completes block t-1.  The coefficients are divided by `scale`,
    their rms values over the training set, so that each bin has an rms of one.

    A stereo block has interleaved left and right samples.  Its middle (l + r) / sqrt(2) and its side (l - r) / sqrt(2)
    are transformed, each on its own; a frame has the F / 2 coefficients of the middle, then those of the side.

    Parameters
    ----------
    frame_size : int
        F, samples in a block and coefficients in a frame, of all channels together.
    channels : int
        1 or 2.
    quietest : float
        Smallest value of `scale`, relative to its largest one.

    Attributes
    ----------
    context : int
        Number of blocks that `frames` needs before the first frame: 1.
    """

    scale: Tensor
    early: Tensor
    late: Tensor

    def __init__(self, frame_size: int, channels: int = 1, quietest: float = 0.0):
        super().__init__()
        self.frame_size, self.channels, self.quietest = frame_size, channels, quietest
        self.context = 1
        size = frame_size // channels
        n = torch.arange(2 * size, dtype=torch.float64)
        k = torch.arange(size, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * size) * (n + 0.5))
        phase = math.pi / size * torch.outer(n + 0.5 + size / 2, k + 0.5)
        matrix = window[:, None] * torch.cos(phase) * math.sqrt(2 / size)
        self.register_buffer("early", matrix[:size].float(), persistent=False)
        self.register_buffer("late", matrix[size:].float(), persistent=False)
        self.register_buffer("scale", torch.ones(frame_size))

    @property
    def log_det(self) -> Tensor:
        """Log of |d coefficients / d signal| of one frame."""
        return -torch.log(self.scale).sum()

    def frames(self, signal: Tensor) -> Tensor:
        """Return the coefficients [T, ..., F] of blocks [1 + T, ..., F]."""
        return self.analyse(signal[:-1], signal[1:])

    def analyse(self, overlap: Tensor, block: Tensor) -> Tensor:
        """Return the coefficients [..., F] of the frame that covers the previous block and `block`, both [..., F].

        Parameters
        ----------
        overlap : Tensor
            The previous block, or the overlap that `synthesise` returned.
        block : Tensor
            The next block.
        """
        overlap, block = self._split(overlap), self._split(block)
        return self._flat(overlap @ self.early + block @ self.late) / self.scale

    def synthesise(self, overlap: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Overlap-add one frame.

        Parameters
        ----------
        overlap : Tensor
            The overlap of the previous frame, or the previous block if that was observed, [..., F].
        coefficients : Tensor
            [..., F].

        Returns
        -------
        tuple of Tensor
            The block that the frame completes, and the overlap for the next frame, both [..., F].
        """
        # late @ late.T is a projection: it does not change the overlap of a generated frame, and it reduces an
        # observed block to the overlap that its frame would have left.  So `overlap` may be either.
        unscaled = self._by_channel(coefficients * self.scale)
        block = unscaled @ self.early.T + (self._split(overlap) @ self.late) @ self.late.T
        return self._join(block), self._join(unscaled @ self.late.T)

    def _split(self, block: Tensor) -> Tensor:
        """Return the middle and the side of stereo blocks [..., F] as [..., 2, F / 2]; mono blocks as they are."""
        if self.channels == 1:
            return block
        left, right = block.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([left + right, left - right], dim=-2) * math.sqrt(0.5)

    def _join(self, parts: Tensor) -> Tensor:
        """Return the blocks of which `_split` gave the middle and the side."""
        if self.channels == 1:
            return parts
        middle, side = parts.unbind(-2)
        return (torch.stack([middle + side, middle - side], dim=-1) * math.sqrt(0.5)).flatten(-2)

    def _by_channel(self, coefficients: Tensor) -> Tensor:
        return coefficients if self.channels == 1 else coefficients.unflatten(-1, (2, -1))

    def _flat(self, coefficients: Tensor) -> Tensor:
        return coefficients if self.channels == 1 else coefficients.flatten(-2)

    def fit(self, signal: Tensor) -> None:
        """Set `scale` from the blocks [T, F] of the training set."""
        self.scale.fill_(1.0)
        parts = max(1, len(signal) // FITTING_LENGTH)
        length = len(signal) // parts
        side_by_side = signal[: parts * length].unflatten(0, (parts, length)).transpose(0, 1)
        flat = self.frames(side_by_side).flatten(0, -2)
        rms = flat.pow(2).mean(0).sqrt()
        self.scale.copy_(rms.clamp_min(max(1e-6, self.quietest * float(rms.max()))))


def build_basis(config: ModelConfig) -> "PlainBasis | MdctBasis":
    """Return the basis that a configuration names."""
    if config.basis == "mdct":
        return MdctBasis(config.frame_size, config.channels, config.quietest)
    return PlainBasis(config.frame_size, Emphasis(config.emphasis, config.frame_size) if config.emphasis else None)
