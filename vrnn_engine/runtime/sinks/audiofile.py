"""FILE.wav and FILE.flac: 16-bit, mono, by libsndfile."""

import contextlib
from pathlib import PurePath
from typing import NoReturn

import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import FileSink, Format, to_pcm16


class AudioFileSink(FileSink):
    """Writes a sound file; `clipped` counts the samples that were beyond full scale."""

    def __init__(self, target: str, latency: float = 0.05) -> None:
        super().__init__(target, latency)
        self.clipped = 0

    def open(self, format: Format) -> None:
        """Start the file beside its final path."""
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
            self._explain(error)

    def write(self, block: np.ndarray) -> None:
        """Append samples `[n]`."""
        samples, clipped = to_pcm16(block)
        self.clipped += clipped
        try:
            self._sound.write(samples)
        except (RuntimeError, AssertionError) as error:  # soundfile asserts that libsndfile took everything
            self._explain(error)
        self.file.check()

    def close(self) -> None:
        """Complete the header and give the file its name."""
        try:
            self._sound.close()
        except RuntimeError as error:
            self._explain(error)
        super().close()

    def abort(self) -> None:
        """Remove what was written."""
        if hasattr(self, "_sound"):
            with contextlib.suppress(RuntimeError):
                self._sound.close()
        super().abort()

    def _explain(self, error: Exception) -> NoReturn:
        self.file.check()  # libsndfile only says "system error"; the file knows which
        raise SinkError(f"cannot write {self.label}: {error}") from error
