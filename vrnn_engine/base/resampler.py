"""Resamples sound block by block, with soxr."""

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.process_exit import native_call, release_at_exit

MOST_MADE = 1 << 18
"""Number of samples per channel that `push_in_parts` makes at a time, or what soxr makes at once if that is more."""


class Resampler:
    """Converts sound from one sampling rate to another, block by block.

    A daemon thread that Python stops at its exit keeps its variables for ever. soxr's binding would report a resampler
    among them on stderr as leaked; so the resamplers of stopped threads are released before.

    Parameters
    ----------
    given : float
        Sampling rate of the blocks, Hz.
    wanted : float
        Sampling rate of the result, Hz.
    channels : int
        Number of channels.  If there are several, blocks have the shape [n, channels].

    Examples
    --------
    >>> resampler = Resampler(44100, 16000)
    >>> parts = [resampler.push(block) for block in blocks] + [resampler.finish()]
    """

    def __init__(self, given: float, wanted: float, channels: int = 1) -> None:
        import soxr

        self._user = threading.get_ident()
        self._part = max(1, int(MOST_MADE * float(given) / wanted))
        self._shape = (0,) if channels == 1 else (0, channels)
        with native_call():
            self._stream = soxr.ResampleStream(given, wanted, channels, dtype="float32")
            release_at_exit(self)

    def push(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Resample the next block.

        Parameters
        ----------
        samples : ndarray, float32, shape [n] or [n, channels]
            The next samples.
        last : bool
            Whether the sound ends with this block.

        Returns
        -------
        ndarray, float32, shape [m] or [m, channels]
            The samples that are ready; the others follow with later blocks.
        """
        self._user = threading.get_ident()
        with native_call():
            return self._stream.resample_chunk(samples, last=last)

    def push_in_parts(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Resample the next block in parts, so that a far higher rate takes no more memory.

        Parameters
        ----------
        samples : ndarray, float32, shape [n] or [n, channels]
            The next samples.

        Yields
        ------
        ndarray, float32, shape [m] or [m, channels]
            Together, what `push` returns.
        """
        for first in range(0, len(samples), self._part):
            yield self.push(samples[first : first + self._part])

    def finish(self) -> NDArray[np.float32]:
        """Return the samples that were not ready before, at the end of the sound; float32 [m] or [m, channels]."""
        return self.push(np.zeros(self._shape, np.float32), last=True)

    def release(self) -> None:
        """Release soxr's object, at the end of the process, unless the thread that ends the process used it last."""
        if self._user != threading.get_ident():
            del self._stream
