"""`-`: writes raw 16-bit little-endian PCM or a WAV stream to stdout, or JSON lines for a pen voice."""

import os
import sys
from typing import Literal

import numpy as np

from vrnn_engine.base.descriptors import limit_pipe, write_all
from vrnn_engine.base.file_errors import write_error
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import Options, read_options, split_target
from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.jsonl import JsonLinesEncoder
from vrnn_engine.runtime.sinks.pcm import streamed_wav_header, to_pcm16

_STDOUT = 1
_BYTES_PER_POINT = 60
"""Usual length of the JSON line of a pen point; accurate enough to choose the size of a pipe."""


class StdoutOptions(Options, frozen=True, kw_only=True):
    """Options of `-`."""

    format: Literal["raw", "wav"] = "raw"
    """`raw`: PCM without a header, or JSON lines of ink.  `wav`: PCM after a WAV header of unknown length."""


class StdoutSink(Sink):
    """Writes to stdout without a buffer, so that each block leaves as soon as it is generated.

    If stdout is a pipe, its capacity is reduced, so that a control takes effect soon: to `latency` seconds, but at
    least a page of memory, usually 4096 bytes.  Only Linux supports this.

    Parameters
    ----------
    target : str
        `-`; `StdoutOptions` may follow, as in `-?format=wav`.
    latency : float
        Capacity of a pipe in seconds.

    Raises
    ------
    SinkError
        An option is wrong.
    """

    Options = StdoutOptions
    label = "stdout"
    live = True

    def __init__(self, target: str = "-", latency: float = 0.05) -> None:
        place, given = split_target(target)
        self._options = read_options(place, given, StdoutOptions)
        self._latency = latency
        self._lines: JsonLinesEncoder | None = None
        self._interrupted = False

    def open(self, format: Format) -> None:
        """Prepare for a format.

        Parameters
        ----------
        format : Format
            Format of a voice of either modality.

        Raises
        ------
        SinkError
            stdout is closed, stdout is a terminal and the voice is an audio voice, or ink is requested as WAV.
        """
        if sys.stdout is None:
            raise SinkError("stdout is closed; redirect it to a program or a file, or name a file")
        if self._options.format == "wav":
            format.require("audio", "-?format=wav")
        if format.modality == "pen":
            self._lines = JsonLinesEncoder(format)
        elif os.isatty(_STDOUT):
            raise SinkError(
                "stdout is a terminal, which cannot show raw sound; pipe it to a program, e.g. "
                f"| aplay -f S16_LE -r {format.rate}{' -c 2' * (format.channels == 2)}, or name a .wav file"
            )
        sys.stdout.flush()  # text printed earlier must come first
        size = _BYTES_PER_POINT if self._lines else 2 * format.channels
        limit_pipe(_STDOUT, max(1, round(self._latency * format.rate * size)))
        if self._options.format == "wav":
            self._send(streamed_wav_header(format.rate, format.channels))

    def write(self, block: np.ndarray) -> None:
        """Write one block.

        Parameters
        ----------
        block : ndarray, float32, shape [samples], [samples, 2] or [points, 3]

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
        self._send(data)

    def interrupt(self) -> None:
        """Make a `write` to a non-blocking stdout stop waiting for room."""
        self._interrupted = True

    def close(self) -> None:
        """Do nothing: stdout stays open."""

    def _send(self, data: bytes) -> None:
        # Write to the descriptor: sys.stdout would keep the data that it could not write, and fail again at exit.
        try:
            write_all(_STDOUT, data, lambda: self._interrupted)
        except OSError as error:
            raise write_error(self.label, error) from error
