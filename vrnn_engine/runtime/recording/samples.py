"""Reads sound that is completely available: an array, or a sound file, which is decoded block by block."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np

from vrnn_engine.base.file_errors import reason
from vrnn_engine.base.reading.sound_files import open_sound
from vrnn_engine.errors import RecordingError

BLOCK = 1 << 15
"""Samples per channel that are decoded at a time."""


class SampleSource(Protocol):
    """Sound of any rate and any number of channels."""

    label: str
    """Name of the sound in messages."""
    rate: float | None
    """Samples per second; None for the voice's rate."""
    channels: int
    """Number of channels."""
    count: int | None
    """Samples per channel; None if it is not known before the end."""
    conversions: tuple[str, ...]
    """How the samples were converted to full scale +-1."""

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks, float [n, channels], full scale +-1."""
        ...

    def interrupt(self) -> None:
        """Make an iterator that waits for samples end soon.  Called from another thread."""

    def close(self) -> None:
        """Close the file or pipe."""


class ArraySource:
    """Samples of an array.

    Parameters
    ----------
    given : array-like
        [n] or [n, channels]: float with full scale +-1, int16 or int32.
    rate : float or None
        Samples per second; None for the voice's own.

    Raises
    ------
    RecordingError
        The array is empty, or of another shape or type.
    """

    label = "the array given"

    def __init__(self, given: Any, rate: float | None) -> None:
        try:
            samples = np.asarray(given)
        except ValueError:
            raise RecordingError(f"{self.label}: samples must be an array of numbers [n] or [n, channels]") from None
        if samples.ndim == 1:
            samples = samples[:, np.newaxis]
        if samples.ndim != 2:
            raise RecordingError(f"{self.label}: samples must be [n] or [n, channels], not of shape {[*samples.shape]}")
        if samples.size == 0:
            raise RecordingError(f"{self.label}: is empty, it has no samples")
        if samples.shape[1] > 32 and samples.shape[1] > samples.shape[0]:
            raise RecordingError(f"{self.label}: shape {[*samples.shape]} looks like [channels, n]; transpose it")
        self._full = 1.0
        self.conversions: tuple[str, ...] = ()
        if samples.dtype in (np.int16, np.int32):
            self._full = -float(np.iinfo(samples.dtype).min)
            self.conversions = (f"{samples.dtype} to full scale +-1",)
        elif samples.dtype.kind != "f":
            raise RecordingError(f"{self.label}: samples must be float, int16 or int32, not {samples.dtype}")
        self.rate = rate
        self.count: int | None
        self.count, self.channels = samples.shape
        self._samples = samples

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks, float [n, channels]."""
        for first in range(0, len(self._samples), BLOCK):
            block = self._samples[first : first + BLOCK]
            yield block / self._full if self.conversions else block

    def interrupt(self) -> None:
        """Do nothing: an array never waits."""

    def close(self) -> None:
        """Do nothing."""


class FileSource:
    """Samples of a sound file.

    Parameters
    ----------
    place : str or int
        Path, or a descriptor of an open file, which is left open.
    label : str
        Its name in messages.

    Raises
    ------
    RecordingError
        libsndfile is missing, or cannot read the file, or the file has no samples.
    """

    conversions: tuple[str, ...] = ()

    def __init__(self, place: str | int, label: str) -> None:
        self.label = label
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise RecordingError(f"{label}: reading sound needs soundfile and libsndfile: {error}") from None
        self._errors = (soundfile.LibsndfileError, OSError, RuntimeError, TypeError)
        self._opened = ExitStack()
        try:
            self._file = self._opened.enter_context(open_sound(os.dup(place) if isinstance(place, int) else place))
        except self._errors as error:
            raise self._unreadable(error) from None
        self.rate: float | None = self._file.samplerate
        self.channels: int = self._file.channels
        self.count: int | None = self._file.frames
        if self.count == 0:
            self.close()
            raise RecordingError(f"{label}: is empty, it has no samples")

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks, float32 [n, channels]."""
        while True:
            try:
                block = self._file.read(BLOCK, dtype="float32", always_2d=True)
            except self._errors as error:
                raise self._unreadable(error) from None
            if not len(block):
                return
            yield block

    def interrupt(self) -> None:
        """Do nothing: a file does not wait."""

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def _unreadable(self, error: Exception) -> RecordingError:
        words = " ".join(reason(error).split()).removesuffix(".")
        return RecordingError(f"{self.label}: cannot be read as sound ({words}); use WAV, FLAC, OGG or MP3")
