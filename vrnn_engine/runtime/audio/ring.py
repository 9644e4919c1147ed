"""A ring of samples between one thread that makes them and one that plays them, without a lock.

Threads: exactly one calls `write`, exactly one (the audio callback) calls `read_into`; anyone may look at
`written`, `taken` and `filled`.  Each counter is stored by one side only, and only after the samples it speaks
of have been copied, so the other side never sees a sample that is not there yet.
"""

import numpy as np


class Ring:
    """A preallocated ring of float32 samples.

    Parameters
    ----------
    capacity
        How many samples it holds at most.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring needs room for at least one sample, not {capacity}")
        self.capacity = capacity
        self.written = 0
        """Samples ever put in."""
        self.taken = 0
        """Samples ever taken out."""
        self._samples = np.zeros(capacity, np.float32)

    @property
    def filled(self) -> int:
        """Samples waiting."""
        return self.written - self.taken

    def write(self, block: np.ndarray) -> int:
        """Put in as much of a block `[n]` as there is room for; return how many samples that was."""
        count = min(len(block), self.capacity - self.filled)
        start = self.written % self.capacity
        first = min(count, self.capacity - start)
        self._samples[start : start + first] = block[:first]
        self._samples[: count - first] = block[first:count]
        self.written += count
        return count

    def read_into(self, out: np.ndarray) -> int:
        """Fill `out` `[n]`, with silence where samples are missing; return how many were there."""
        count = min(len(out), self.written - self.taken)
        start = self.taken % self.capacity
        first = min(count, self.capacity - start)
        out[:first] = self._samples[start : start + first]
        out[first:count] = self._samples[: count - first]
        out[count:] = 0.0
        self.taken += count
        return count
