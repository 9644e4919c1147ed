"""`-`: raw 16-bit little-endian PCM on stdout, or JSON lines for a pen."""

import os
import sys

import numpy as np

from vrnn_engine.base.files import write_error
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import Format, Sink, to_pcm16
from vrnn_engine.runtime.sinks.jsonl import JsonLinesEncoder

_STDOUT = 1


class StdoutSink(Sink):
    """Writes to stdout at once, without a buffer, so that the first sample leaves as soon as it is made."""

    live = True

    def __init__(self, target: str = "-", latency: float = 0.05) -> None:
        self.label = "stdout"
        self.clipped = 0
        self._lines: JsonLinesEncoder | None = None

    def open(self, format: Format) -> None:
        """Get ready; refuse to pour PCM over a terminal."""
        if format.modality == "pen":
            self._lines = JsonLinesEncoder(format)
        elif os.isatty(_STDOUT):
            raise SinkError(
                "stdout is a terminal, which cannot show raw sound; pipe it on, e.g. "
                f"| aplay -f S16_LE -r {format.rate}, or name a file.wav"
            )
        if sys.stdout is not None:
            sys.stdout.flush()  # what was printed before comes before

    def write(self, block: np.ndarray) -> None:
        """Write one block; raise `SinkError` when the reader has gone or the disk is full."""
        if self._lines is not None:
            data = self._lines.encode(block)
        else:
            samples, clipped = to_pcm16(block)
            self.clipped += clipped
            data = samples.tobytes()
        # Straight to the descriptor: sys.stdout would keep what it could not write, and complain again at exit.
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(_STDOUT, view) :]
        except OSError as error:
            raise write_error(self.label, error) from error

    def close(self) -> None:
        """Nothing to finish: stdout stays open."""
