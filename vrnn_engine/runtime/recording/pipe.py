"""Reads a recording from a pipe: stdin, a named pipe, or a process substitution of the shell."""

import os
import stat
from collections.abc import Iterator

from vrnn_engine.base.descriptors import read_some
from vrnn_engine.errors import RecordingError

_STDIN_NAMES = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_STDIN = 0
MOST_LINE = 1 << 20
"""Largest number of bytes of a line of text from a pipe."""


class Pipe:
    """Reads bytes from a pipe; any thread may interrupt it.

    Parameters
    ----------
    descriptor : int
        File descriptor to read from.
    label : str
        Name of the pipe in messages.
    owned : bool
        Whether `close` closes the descriptor.
    """

    def __init__(self, descriptor: int, label: str, owned: bool) -> None:
        self.descriptor = descriptor
        self.label = label
        self._owned = owned
        self._interrupted = False

    def read(self, size: int) -> bytes:
        """Wait for bytes; return as many as requested, or fewer at the end.

        Parameters
        ----------
        size : int

        Raises
        ------
        RecordingError
            The pipe cannot be read.
        """
        parts: list[bytes] = []
        while size > 0 and (part := self.read_some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Wait for bytes and drop them; fewer at the end.

        Parameters
        ----------
        size : int
        """
        while size > 0 and (part := self.read_some(min(size, 1 << 16))):
            size -= len(part)

    def read_some(self, size: int) -> bytes:
        """Wait for bytes; return the bytes that have arrived, at most `size`, or none at the end."""
        try:
            return read_some(self.descriptor, size, lambda: self._interrupted)
        except OSError as error:
            raise RecordingError(f"{self.label}: cannot be read: {error.strerror}") from None

    def lines(self) -> Iterator[bytes]:
        """Yield the lines as they arrive, without their ends; raise `RecordingError` if one is too long."""
        rest = b""
        while part := self.read_some(1 << 16):
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
            if len(rest) > MOST_LINE:
                raise RecordingError(f"{self.label}: a line has more than {MOST_LINE >> 20} MiB; is this ink?")
        yield rest

    def interrupt(self) -> None:
        """Make `read` and `lines` end as if the pipe had ended."""
        self._interrupted = True

    def close(self) -> None:
        """Close the pipe, except stdin."""
        self.interrupt()
        if self._owned:
            os.close(self.descriptor)
            self._owned = False


def open_pipe(place: str) -> Pipe | None:
    """Open a pipe, or a file from which stdin was redirected.

    Parameters
    ----------
    place : str
        `-` and `/dev/stdin` are stdin; otherwise a path.

    Returns
    -------
    Pipe or None
        None if the path is not a pipe.

    Raises
    ------
    RecordingError
        stdin is a terminal or a folder, or the pipe cannot be opened.
    """
    if place in _STDIN_NAMES:
        if os.isatty(_STDIN):
            raise RecordingError("stdin is a terminal; pipe a recording into it, or give a file")
        if stat.S_ISDIR(os.fstat(_STDIN).st_mode):
            raise RecordingError("stdin is a folder, not a file; give the path of a recording")
        return Pipe(_STDIN, "stdin", owned=False)
    try:
        if not stat.S_ISFIFO(os.stat(place).st_mode):
            return None
        return Pipe(os.open(place, os.O_RDONLY), place, owned=True)
    except (OSError, ValueError):  # opening it as a file will say what is wrong
        return None


def is_regular(pipe: Pipe) -> bool:
    """Return whether what is read is really a file, as in `< take.flac`."""
    return stat.S_ISREG(os.fstat(pipe.descriptor).st_mode)
