"""`-`: raw 16-bit little-endian PCM on stdout, or JSON lines for a pen."""

import os
import sys

import numpy as np

from vrnn_engine.base.files import write_error
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.jsonl import JsonLinesEncoder
from vrnn_engine.runtime.sinks.pcm import to_pcm16

_STDOUT = 1


class StdoutSink(Sink):
    """Writes to stdout without a buffer, so that each block leaves as soon as it is generated.

    Parameters
    ----------
    target, latency
        Ignored.
    """

    label = "stdout"
    live = True

    def __init__(self, target: str = "-", latency: float = 0.05) -> None:
        self._lines: JsonLinesEncoder | None = None

    def open(self, format: Format) -> None:
        """Prepare for a format.

        Parameters
        ----------
        format : Format
            Of either modality.

        Raises
        ------
        SinkError
            stdout is a terminal and the voice is an audio voice.
        """
        if format.modality == "pen":
            self._lines = JsonLinesEncoder(format)
        elif os.isatty(_STDOUT):
            raise SinkError(
                "stdout is a terminal, which cannot show raw sound; pipe it to a program, e.g. "
                f"| aplay -f S16_LE -r {format.rate}, or name a .wav file"
            )
        if sys.stdout is not None:
            sys.stdout.flush()  # text printed earlier must come first

    def write(self, block: np.ndarray) -> None:
        """Write one block.

        Parameters
        ----------
        block : ndarray, float32, shape [samples] or [points, 3]

        Raises
        ------
        SinkError
            The reading program has closed the pipe, or the disk is full.
        """
        if self._lines is not None:
            data = self._lines.encode(block)
        else:
            samples, clipped = to_pcm16(block)
            self.clipped += clipped
            data = samples.tobytes()
        # To the descriptor: sys.stdout would keep what it could not write, and fail a second time at exit.
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(_STDOUT, view) :]
        except OSError as error:
            raise write_error(self.label, error) from error

    def close(self) -> None:
        """Do nothing: stdout stays open."""
