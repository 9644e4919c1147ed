"""FILE.wav and FILE.flac: 16-bit sound files, written by libsndfile."""

import contextlib
import logging
from pathlib import Path, PurePath
from typing import Any, NoReturn

import numpy as np

from vrnn_engine.base.file_errors import write_error
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import FileSink, Format
from vrnn_engine.runtime.sinks.pcm import to_pcm16

MOST_WAV_SAMPLES = (0xFFFFFFFF - 1024) // 2
"""Most samples of a WAV file in all channels: its header has 32 bits for its bytes, 4 GiB, 37 hours at 16 kHz."""

_log = logging.getLogger("vrnn_engine")


class AudioFileSink(FileSink):
    """Writes a sound file, in the format that its extension names.

    A WAV file cannot be longer than `MOST_WAV_SAMPLES`: the sound goes on, without a gap, in FILE-2.wav and so on.

    Parameters
    ----------
    target : str
        Path of the file, ending in `.wav` or `.flac`.
    latency : float
        Ignored.
    """

    _sound: Any = None  # soundfile.SoundFile, from `open` on
    _left: int | None = None  # samples that the file has room for; None: no limit
    _number = 1  # of the file

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
        self._first, self._format = Path(self.label), format
        self._open_file()

    def _open_file(self) -> None:
        try:
            import soundfile
        except OSError as error:
            raise SinkError(
                f"cannot write {self.label}: libsndfile is missing ({error}); on Debian: apt install libsndfile1"
            ) from error
        kind = PurePath(self.label).suffix[1:].upper()
        self._left = MOST_WAV_SAMPLES // self._format.channels if kind == "WAV" else None
        try:
            rate, channels = self._format.rate, self._format.channels
            self._sound = soundfile.SoundFile(self.file, "w", rate, channels, subtype="PCM_16", format=kind)
        except soundfile.SoundFileError as error:
            self._fail(error)

    def write(self, block: np.ndarray) -> None:
        """Append samples.

        Parameters
        ----------
        block : ndarray, float32, shape [samples] or [samples, 2]
            Full scale is +-1.

        Raises
        ------
        SinkError
            The samples cannot be written, e.g. because the disk is full.
        """
        samples, clipped = to_pcm16(block)
        self.clipped += clipped
        while self._left is not None and len(samples) > self._left:
            self._append(samples[: self._left])
            samples = samples[self._left :]
            self._continue_in_next_file()
        self._append(samples)
        if self._left is not None:
            self._left -= len(samples)

    def _append(self, samples: np.ndarray) -> None:
        try:
            self._sound.write(samples)
        except (RuntimeError, AssertionError) as error:  # soundfile asserts that libsndfile wrote all samples
            self._fail(error)
        self.file.check()

    def _continue_in_next_file(self) -> None:
        full = self.label
        self.close()
        self._atomic = None
        self._number += 1
        self.label = str(self._first.with_stem(f"{self._first.stem}-{self._number}"))
        _log.warning("%s is as long as a WAV file can be; the sound continues in %s", full, self.label)
        self._open_file()

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
