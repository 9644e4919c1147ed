"""FILE.wav and FILE.flac: 16-bit mono sound files, written by libsndfile."""

import contextlib
from pathlib import PurePath
from typing import Any, NoReturn

import numpy as np

from vrnn_engine.base.file_errors import write_error
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import FileSink, Format
from vrnn_engine.runtime.sinks.pcm import to_pcm16


class AudioFileSink(FileSink):
    """Writes a sound file, in the format that its extension names.

    Parameters
    ----------
    target : str
        Path of the file, ending in `.wav` or `.flac`.
    latency : float
        Ignored.
    """

    _sound: Any = None  # soundfile.SoundFile, from `open` on

    def open(self, format: Format) -> None:
        """Create the file under a temporary name.

        Parameters
        ----------
        format : Format
            Format of an audio voice.

        Raises
        ------
        SinkError
            The voice is not an audio voice, libsndfile is missing, or the file cannot be created.
        """
        format.require("audio", self.label)
        try:
            import soundfile
        except OSError as error:
            raise SinkError(
                f"cannot write {self.label}: libsndfile is missing ({error}); on Debian: apt install libsndfile1"
            ) from error
        kind = PurePath(self.label).suffix[1:].upper()
        try:
            self._sound = soundfile.SoundFile(self.file, "w", format.rate, 1, subtype="PCM_16", format=kind)
        except soundfile.SoundFileError as error:
            self._fail(error)

    def write(self, block: np.ndarray) -> None:
        """Append samples.

        Parameters
        ----------
        block : ndarray, float32, shape [samples]
            Full scale is +-1.

        Raises
        ------
        SinkError
            The samples cannot be written, e.g. because the disk is full.
        """
        samples, clipped = to_pcm16(block)
        self.clipped += clipped
        try:
            self._sound.write(samples)
        except (RuntimeError, AssertionError) as error:  # soundfile asserts that libsndfile wrote all samples
            self._fail(error)
        self.file.check()

    def close(self) -> None:
        """Complete the header and rename the file to its path."""
        try:
            self._sound.close()
        except RuntimeError as error:
            self._fail(error)
        super().close()

    def abort(self) -> None:
        """Remove the incomplete file."""
        if self._sound is not None:
            with contextlib.suppress(RuntimeError):
                self._sound.close()
        super().abort()

    def _fail(self, error: Exception) -> NoReturn:
        self.file.check()  # libsndfile only reports "system error"; `check` raises the cause
        raise write_error(self.label, error) from error
