"""Many recordings as one long signal, and noise of the same length; neither is ever held in memory as a whole."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats
from vrnn_engine.data.cache import Decoded


class Joined:
    """Concatenates recordings in any order, lazily: only what is read is copied.

    Parameters
    ----------
    part : Decoded
        The recordings.
    order : int array, optional
        Indices of recordings.  Default: all, in their order.
    start : int
        Number of samples to leave out of the first one, at most all of them.
    """

    def __init__(self, part: Decoded, order: NDArray[np.int64] | None = None, start: int = 0):
        begins, self.ends = part.bounds[:-1], part.bounds[1:]
        if order is not None:
            begins, self.ends = begins[order], self.ends[order]
        lengths = self.ends - begins
        lengths[0] = max(0, lengths[0] - start)
        self.samples = part.samples
        self.joins = np.cumsum(lengths)
        """Position in this signal where each recording ends."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return int(self.joins[-1])

    def read(self, first: int, count: int) -> NDArray[np.int16]:
        """Return a stretch of the signal, as int16 [count], or [count, 2] of stereo.

        Parameters
        ----------
        first : int
            Position of its first sample.
        count : int
            Number of samples; `first + count` is at most the length of the signal.
        """
        out = np.empty((count, *self.samples.shape[1:]), np.int16)
        done = 0
        recording = int(np.searchsorted(self.joins, first, side="right"))
        while done < count:
            left = int(self.joins[recording]) - first - done
            begin = int(self.ends[recording]) - left
            taken = min(left, count - done)
            out[done : done + taken] = self.samples[begin : begin + taken]
            done, recording = done + taken, recording + 1
        return out


class Noise:
    """Uniform noise in [0, 1), read at any position: the numbers that one `rng.random` of the whole signal would draw.

    Parameters
    ----------
    rng : Generator
        With the bit generator PCG64, which `numpy.random.default_rng` uses.  Its state does not change.
    """

    def __init__(self, rng: np.random.Generator):
        self.state: Any = rng.bit_generator.state
        self.bits = np.random.PCG64(0)
        self.rng = np.random.Generator(self.bits)

    def read(self, first: int, count: int) -> Floats:
        """Return a stretch of the noise, as float32 [count].

        Parameters
        ----------
        first : int
            Position of its first value.
        count : int
            Number of values.
        """
        self.bits.state = self.state
        skipped = 0
        if first:
            # A float32 uses half of a 64-bit draw; the state may hold an unused half, which advance() discards.
            halves = first - self.state["has_uint32"]
            self.bits.advance(halves // 2)
            skipped = halves % 2
        return self.rng.random(skipped + count, dtype=np.float32)[skipped:]
