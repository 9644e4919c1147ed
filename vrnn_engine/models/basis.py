"""Frame bases: what of a signal a model sees as one frame, and how a frame becomes signal again.

Signals here are normalised.  Every basis is a linear map of determinant `exp(log_det)` over the
signal, so densities of its coefficients, plus `log_det` a frame, are densities of the signal.
"""

import math

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.emphasis import Emphasis

FITTING_LANE = 4096
"""Blocks that are walked one after another to fit; more stand side by side."""


class PlainBasis(nn.Module):
    """Frames as they are: audio samples (`samples`), emphasised or not, or pen points (`points`)."""

    def __init__(self, frame_size: int, emphasis: Emphasis | None = None):
        super().__init__()
        self.frame_size = frame_size
        self.emphasis = emphasis
        self.context = emphasis.settles if emphasis else 0
        """Blocks that `frames` needs before the first frame."""
        self.log_det: float | Tensor = 0.0

    def frames(self, signal: Tensor) -> Tensor:
        """[context + T, ..., F] -> [T, ..., F]."""
        return self.emphasis.walk(signal)[self.context :] if self.emphasis else signal

    def fit(self, signal: Tensor) -> None:
        """Nothing to fit."""


class MdctBasis(nn.Module):
    """MDCT coefficients: hop F, window 2F, sine window (Princen & Bradley 1986), orthonormal.

    Coefficient frame t covers the blocks t-1 and t, and completes block t-1.  Coefficients are
    divided by `scale`, their sd over the training set, so that every bin has the same size.
    """

    scale: Tensor
    early: Tensor
    late: Tensor

    def __init__(self, frame_size: int):
        super().__init__()
        self.frame_size = frame_size
        self.context = 1
        """Blocks that `frames` needs before the first whole frame."""
        n = torch.arange(2 * frame_size, dtype=torch.float64)
        k = torch.arange(frame_size, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * frame_size) * (n + 0.5))
        phase = math.pi / frame_size * torch.outer(n + 0.5 + frame_size / 2, k + 0.5)
        matrix = window[:, None] * torch.cos(phase) * math.sqrt(2 / frame_size)
        self.register_buffer("early", matrix[:frame_size].float(), persistent=False)
        self.register_buffer("late", matrix[frame_size:].float(), persistent=False)
        self.register_buffer("scale", torch.ones(frame_size))

    @property
    def log_det(self) -> Tensor:
        """log |d coefficients / d signal| of one frame."""
        return -torch.log(self.scale).sum()

    def frames(self, signal: Tensor) -> Tensor:
        """Blocks [1 + T, ..., F] -> coefficients [T, ..., F]."""
        return self.analyse(signal[:-1], signal[1:])

    def analyse(self, overlap: Tensor, block: Tensor) -> Tensor:
        """Return the coefficients [..., F] of the frame over the block that `overlap`s and the next one, [..., F]."""
        return (overlap @ self.early + block @ self.late) / self.scale

    def synthesise(self, overlap: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Overlap-add one frame: ([..., F], [..., F]) -> the block it completes, the new overlap."""
        # late @ late.T is a projection: it leaves the overlap of a generated frame as it is, and takes
        # from a true block just what that frame would have left.  So both serve as overlap.
        unscaled = coefficients * self.scale
        return unscaled @ self.early.T + (overlap @ self.late) @ self.late.T, unscaled @ self.late.T

    def fit(self, signal: Tensor) -> None:
        """Set `scale` from training blocks [T, F]."""
        self.scale.fill_(1.0)
        lanes = max(1, len(signal) // FITTING_LANE)
        length = len(signal) // lanes
        side_by_side = signal[: lanes * length].unflatten(0, (lanes, length)).transpose(0, 1)
        flat = self.frames(side_by_side).flatten(0, -2)
        self.scale.copy_(flat.pow(2).mean(0).sqrt().clamp_min(1e-6))


def build_basis(config: ModelConfig) -> "PlainBasis | MdctBasis":
    """Return the basis that a model is described with."""
    if config.basis == "mdct":
        return MdctBasis(config.frame_size)
    return PlainBasis(config.frame_size, Emphasis(config.emphasis, config.frame_size) if config.emphasis else None)
