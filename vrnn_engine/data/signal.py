"""One long signal of many recordings, and noise of its length: both read by position, neither held in memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats
from vrnn_engine.data.cache import Decoded


class Joined:
    """Recordings one after another as one signal, in an order of one's own; put together only where it is read.

    Parameters
    ----------
    part : Decoded
        The recordings.
    order : int array, optional
        Indices of recordings.  Default: all, as they come.
    start : int
        Samples left out of the first one, or all of it.
    """

    def __init__(self, part: Decoded, order: NDArray[np.int64] | None = None, start: int = 0):
        begins, self.ends = part.bounds[:-1], part.bounds[1:]
        if order is not None:
            begins, self.ends = begins[order], self.ends[order]
        lengths = self.ends - begins
        lengths[0] = max(0, lengths[0] - start)
        self.samples = part.samples
        self.joins = np.cumsum(lengths)
        """Where, in this signal, each recording ends."""

    def __len__(self) -> int:
        return int(self.joins[-1])

    def read(self, first: int, count: int) -> NDArray[np.int16]:
        """Return samples `first` to `first + count`, which must be there."""
        out = np.empty(count, np.int16)
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
    """Uniform noise in [0, 1), the same wherever one begins to read: `rng.random` of a whole signal, in parts.

    `rng` must be of PCG64, as `numpy.random.default_rng` makes it, and is left as it is.
    """

    def __init__(self, rng: np.random.Generator):
        self.state: Any = rng.bit_generator.state
        self.bits = np.random.PCG64(0)
        self.rng = np.random.Generator(self.bits)

    def read(self, first: int, count: int) -> Floats:
        """Return values `first` to `first + count`."""
        self.bits.state = self.state
        skipped = 0
        if first:
            # A float32 takes half of a 64-bit draw, and the state may hold a half; to advance drops it.
            halves = first - self.state["has_uint32"]
            self.bits.advance(halves // 2)
            skipped = halves % 2
        return self.rng.random(skipped + count, dtype=np.float32)[skipped:]
