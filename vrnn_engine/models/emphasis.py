"""Emphasis: an invertible filter that lifts the frequencies below the lowest tones of a recording.

Many recordings have almost no energy below the fundamental of the voice, with a cutoff that is sharper than the filters
that a model learns.  The energy that these filters leak below the cutoff is inaudible beside a tone, but audible in a
pause.  So a model is trained on the signal with its low frequencies lifted; the inverse filter lowers them in the
generated signal, and the leaked energy with them.

The filter is a cascade of S second-order sections, with the poles of a Butterworth filter at both corners:

    emphasised = prod (1 - p z^-1) / prod (1 - q z^-1) signal,   p at `upper`, q at `lower`

All p and q lie inside the unit circle, so the inverse is causal and stable.  The impulse responses of both begin with
1, so the Jacobian of a block is triangular with ones on its diagonal, and densities need no correction.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor, nn

from vrnn_engine.models.config import EmphasisConfig

SETTLED = 1e-4
"""The filter counts as settled once its impulse response stays below this."""


class Emphasis(nn.Module):
    """The filter and its inverse, for one block of F samples at a time.

    The filter and its inverse use the same memory, [..., 2 * (S + 1)]: the last sample, and the slope there, of the
    signal and of the output of each section; the last section gives the emphasised signal.  So a block that was
    filtered in one direction may follow a block that was filtered in the other.

    Parameters
    ----------
    config : EmphasisConfig
        Order and corner frequencies; S is half the order.
    frame_size : int
        F, samples in a block.

    Attributes
    ----------
    memory_size : int
        Width of the memory.
    settling_blocks : int
        Blocks after which the output no longer depends on the initial memory.
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
        # The map from a block and a memory to the next block and memory is linear.  Its matrix is the filter's
        # response to each unit vector, computed in double precision.
        self.register_buffer("forth", self._matrix(sections, config, inverse=False).float(), persistent=False)
        self.register_buffer("back", self._matrix(sections, config, inverse=True).float(), persistent=False)
        impulse = signal.sosfilt(sections, np.eye(1, 2**16)[0])
        self.settling_blocks = -(-int(np.flatnonzero(np.abs(impulse) > SETTLED)[-1]) // frame_size)

    def forward(self, block: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Emphasise a block.

        Parameters
        ----------
        block : Tensor
            [..., F].
        memory : Tensor
            [..., 2 * (S + 1)]; zeros at the start of a signal.

        Returns
        -------
        tuple of Tensor
            The emphasised block and the next memory.
        """
        return self._step(self.forth, block, memory)

    def undo(self, block: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the inverse filter to an emphasised block; parameters and results as in `forward`."""
        return self._step(self.back, block, memory)

    def emphasise(self, signal: Tensor) -> Tensor:
        """Emphasise successive blocks [T, ..., F]; the memory is zero before the first."""
        memory, blocks = signal.new_zeros(*signal.shape[1:-1], self.memory_size), []
        for block in signal:
            emphasised, memory = self(block, memory)
            blocks.append(emphasised)
        return torch.stack(blocks)

    def inverse_filter_matrix(self, length: int) -> Tensor:
        """Return the inverse filter as a matrix [length, length] of doubles, for a signal that begins after silence.

        Multiply it by row vectors of samples from the left: `emphasised @ matrix`.
        """
        return torch.tensor(signal.sosfilt(np.roll(self.sections, 3, axis=-1), np.eye(length)))

    def _step(self, matrix: Tensor, block: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        block, memory = (torch.cat([block, memory], dim=-1) @ matrix).split([self.frame_size, self.memory_size], dim=-1)
        return block, memory

    def _matrix(self, sections: NDArray[np.float64], config: EmphasisConfig, inverse: bool) -> Tensor:
        block, memory = np.split(np.eye(self.frame_size + self.memory_size), [self.frame_size], axis=1)
        # The memory holds slopes: two successive samples of such low frequencies are almost equal, and single precision
        # would lose their difference.  In units of the angular frequency of `lower`, a slope is about as large as a
        # sample.
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
