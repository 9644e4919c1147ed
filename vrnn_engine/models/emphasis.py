"""Emphasis: an invertible filter that lifts what a recording has below its lowest tones.

Many recordings have next to nothing under the voice's fundamental, with an edge that is sharper than a model's own
filters.  What these leave there is nothing beside the tone, and loud beside the silence.  So a model sees the signal
with its low end lifted; what it makes is let down again, and its leaks with it.

The filter is a cascade of S second-order sections, Butterworth at both corners:

    emphasised = prod (1 - p z^-1) / prod (1 - q z^-1) signal,   p at `upper`, q at `lower`

All p and q lie inside the unit circle, so the inverse is causal and stable; both begin with 1, so a
block's Jacobian is triangular with ones on its diagonal, and densities need no correction.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor, nn

from vrnn_engine.models.config import EmphasisConfig

FORGOTTEN = 1e-4
"""What of an impulse may be left where the filter is taken to have forgotten it."""


class Emphasis(nn.Module):
    """The filter and its inverse, a block of F samples at a time.

    Both need the same `memory` [..., 2 * (S + 1)]: of the signal, of what each section makes of it, and so
    of the emphasised signal, the last sample and its slope.  So they may follow each other freely.
    """

    forth: Tensor
    back: Tensor

    def __init__(self, config: EmphasisConfig, frame_size: int):
        super().__init__()
        zeros, poles = (
            signal.butter(config.order, corner, output="zpk", fs=1)[1] for corner in (config.upper, config.lower)
        )
        sections = signal.zpk2sos(zeros, poles, 1.0)
        self.sections = sections
        self.frame_size = frame_size
        self.memory_size = 2 * (len(sections) + 1)
        # A block and a memory go linearly into a block and a memory: one product of a matrix that the
        # filter itself writes down in double precision, from every unit vector.
        self.register_buffer("forth", self._matrix(sections, config, inverse=False).float(), persistent=False)
        self.register_buffer("back", self._matrix(sections, config, inverse=True).float(), persistent=False)
        impulse = signal.sosfilt(sections, np.eye(1, 2**16)[0])
        self.settles = -(-int(np.flatnonzero(np.abs(impulse) > FORGOTTEN)[-1]) // frame_size)
        """Blocks after which it no longer matters what the memory began with."""

    def forward(self, block: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Emphasise [..., F] with [..., 2 * (S + 1)]; return the same of the next block."""
        return self._step(self.forth, block, memory)

    def undo(self, block: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Take the emphasis away again."""
        return self._step(self.back, block, memory)

    def walk(self, signal: Tensor) -> Tensor:
        """Emphasise blocks [T, ..., F], one after the other, from an empty memory on."""
        memory, blocks = signal.new_zeros(*signal.shape[1:-1], self.memory_size), []
        for block in signal:
            emphasised, memory = self(block, memory)
            blocks.append(emphasised)
        return torch.stack(blocks)

    def undoing(self, length: int) -> Tensor:
        """Return the matrix [length, length] that takes the emphasis from so many samples after silence, in double
        precision."""
        return torch.tensor(signal.sosfilt(np.roll(self.sections, 3, axis=-1), np.eye(length)))

    def _step(self, matrix: Tensor, block: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([block, memory], dim=-1) @ matrix
        return both[..., : self.frame_size], both[..., self.frame_size :]

    def _matrix(self, sections: NDArray[np.float64], config: EmphasisConfig, inverse: bool) -> Tensor:
        block, memory = np.split(np.eye(self.frame_size + self.memory_size), [self.frame_size], axis=1)
        # Slopes rather than two samples, which at these frequencies are so alike that single precision
        # would lose what sets them apart; measured in radians of `lower`, they are about as large.
        slope = 2 * np.pi * config.lower
        pasts = [np.column_stack([a - slope * b, a]) for a, b in zip(memory.T[::2], memory.T[1::2], strict=True)]
        filters = [(section[:3], section[3:]) for section in sections]
        if inverse:
            pasts, filters = pasts[::-1], [(a, b) for b, a in reversed(filters)]
        ends = [block[:, -2:]]
        for (b, a), before, after in zip(filters, pasts, pasts[1:], strict=False):
            past = np.stack([signal.lfiltic(b, a, y[::-1], x[::-1]) for x, y in zip(before, after, strict=True)])
            block, _ = signal.lfilter(b, a, block, zi=past)
            ends.append(block[:, -2:])
        kept = [np.column_stack([end[:, 1], (end[:, 1] - end[:, 0]) / slope]) for end in ends]
        return torch.from_numpy(np.hstack([block, *(kept[::-1] if inverse else kept)]))
