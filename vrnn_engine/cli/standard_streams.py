"""Prepares stdin, stdout and stderr of the process for the command line."""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from vrnn_engine.base.descriptors import WaitingWriter, open_missing_descriptors


class IgnoreClosed:
    """A text stream that ignores write errors, so that the process continues, e.g. after its terminal has closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, and ignore an `OSError`."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, and ignore an `OSError`."""
        with suppress(OSError):
            self._stream.flush()


def prepare() -> None:
    """Make the standard streams safe to write to, even if the process was started with closed or non-blocking streams.

    The null device replaces a closed stderr, because `print(file=None)` would write to stdout.  If stdout or stderr is
    non-blocking, writing waits for room.  File names that are not UTF-8 are printed with their original bytes.
    """
    open_missing_descriptors()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # stays open as long as the process
    sys.stdout = _waiting(sys.stdout, 1)
    sys.stderr = cast(TextIO, IgnoreClosed(_waiting(sys.stderr, 2)))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def _waiting(stream: TextIO, descriptor: int) -> TextIO:
    """Return a stream that waits for room if the descriptor is non-blocking, and otherwise the stream itself."""
    if not isinstance(stream, io.TextIOWrapper) or not hasattr(os, "get_blocking"):
        return stream
    if stream.fileno() != descriptor or os.get_blocking(descriptor):
        return stream
    buffer = io.BufferedWriter(WaitingWriter(descriptor))
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=stream.line_buffering)
