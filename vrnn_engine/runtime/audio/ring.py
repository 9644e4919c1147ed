"""A lock-free ring buffer of samples between one writing and one reading thread.

Threads: exactly one calls `write` and exactly one (the audio callback) calls `read_into`; any thread may read
`written`, `taken` and `filled`.  Each counter is stored by one thread only, and only after the samples that it counts
have been copied, so the other thread never reads a sample before it was written.
"""

import numpy as np


class Ring:
    """A preallocated ring buffer of float32 samples.

    Parameters
    ----------
    capacity : int
        Largest number of samples that the ring can hold.
    channels : int
        Number of channels.  If there are several, blocks have the shape [n, channels].

    Attributes
    ----------
    written : int
        Samples written since the start.
    taken : int
        Samples read since the start.

    Raises
    ------
    ValueError
        `capacity` is less than 1.
    """

    def __init__(self, capacity: int, channels: int = 1) -> None:
        if capacity < 1:
            raise ValueError(f"a ring needs room for at least one sample, not {capacity}")
        self.capacity = capacity
        self.written = 0
        self.taken = 0
        self._samples = np.zeros(capacity if channels == 1 else (capacity, channels), np.float32)

    @property
    def filled(self) -> int:
        """Samples that have been written and not yet read."""
        return self.written - self.taken

    def write(self, block: np.ndarray) -> int:
        """Write as many samples as there is room for.

        Parameters
        ----------
        block : ndarray, float32, shape [n] or [n, channels]
            The samples.

        Returns
        -------
        int
            Number of samples written, from the beginning of the block.
        """
        count = min(len(block), self.capacity - self.filled)
        start = self.written % self.capacity
        first = min(count, self.capacity - start)
        self._samples[start : start + first] = block[:first]
        self._samples[: count - first] = block[first:count]
        self.written += count
        return count

    def read_into(self, out: np.ndarray) -> int:
        """Read samples into an array, followed by zeros where there are too few.

        Parameters
        ----------
        out : ndarray, float32, shape [n] or [n, channels]
            Overwritten; may be a strided view.

        Returns
        -------
        int
            Number of samples read.
        """
        count = min(len(out), self.written - self.taken)
        start = self.taken % self.capacity
        first = min(count, self.capacity - start)
        out[:first] = self._samples[start : start + first]
        out[first:count] = self._samples[: count - first]
        out[count:] = 0.0
        self.taken += count
        return count
