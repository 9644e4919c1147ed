"""Writes to file descriptors that other programs gave to this process: its standard streams."""

import contextlib
import io
import os
import select
import stat
from collections.abc import Callable

WAIT_SECONDS = 0.2
"""Longest wait for room in a non-blocking descriptor before the caller is asked whether to give up."""


def write_all(descriptor: int, data: bytes | memoryview, give_up: Callable[[], bool] = lambda: False) -> int:
    """Write all data to a descriptor; if it is non-blocking and full, wait for room.

    The descriptor stays non-blocking: this setting belongs to all processes that share the open file.

    Parameters
    ----------
    descriptor : int
        The descriptor.
    data : bytes-like
        The bytes to write.
    give_up : callable, optional
        Called before each wait for room; if it returns True, the rest is not written.

    Returns
    -------
    int
        Number of bytes written: all of them, unless `give_up` has returned True.

    Raises
    ------
    OSError
        The data cannot be written, for example because the reader has closed the pipe.
    """
    view = memoryview(data).cast("B")
    done = 0
    while done < len(view):
        try:
            done += os.write(descriptor, view[done:])
        except BlockingIOError:
            if give_up():
                break
            _wait(descriptor, writing=True)
    return done


def read_some(descriptor: int, size: int, give_up: Callable[[], bool] = lambda: False) -> bytes:
    """Wait until a descriptor has something to read, blocking or not, and read it.

    Parameters
    ----------
    descriptor : int
        The descriptor.
    size : int
        Most bytes to read.
    give_up : callable, optional
        Asked before and while there is nothing to read; if it returns True, nothing is read.

    Returns
    -------
    bytes
        At least one byte; none at the end, or if `give_up` has returned True.

    Raises
    ------
    OSError
        It cannot be read.
    """
    while not give_up():
        if os.name != "nt" and not _wait(descriptor, writing=False):
            continue
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            continue
    return b""


def _wait(descriptor: int, writing: bool) -> bool:
    """Wait at most `WAIT_SECONDS`; return whether the descriptor is ready.  A pipe that has closed is ready."""
    if hasattr(select, "poll"):  # it takes descriptors of any number
        waiting = select.poll()
        waiting.register(descriptor, select.POLLOUT if writing else select.POLLIN)
        return bool(waiting.poll(WAIT_SECONDS * 1000))
    readers, writers = ([], [descriptor]) if writing else ([descriptor], [])
    return any(select.select(readers, writers, [], WAIT_SECONDS))


class WaitingWriter(io.RawIOBase):
    """A raw stream over a descriptor; a write to a full non-blocking descriptor waits for room.

    Parameters
    ----------
    descriptor : int
        Stays open when the stream is closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether the descriptor is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        """Write all data; return the number of bytes."""
        return write_all(self._descriptor, data)


def limit_pipe(descriptor: int, size: int) -> None:
    """Set the capacity of a pipe to the smallest possible value that is at least `size` bytes.

    Only Linux supports this; the smallest capacity is one page of memory, usually 4096 bytes.  On other systems the
    function does nothing.

    Parameters
    ----------
    descriptor : int
        The pipe.  If the descriptor is not a pipe, the function does nothing.
    size : int
        Minimum capacity in bytes.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):
        import fcntl

        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)


def open_missing_descriptors() -> None:
    """Open the null device as stdin, stdout and stderr where the process was started without them.

    Otherwise the next opened file could get descriptor 2, and receive what libraries write to stderr.
    """
    while True:
        try:
            descriptor = os.open(os.devnull, os.O_RDWR)
        except OSError:
            return
        if descriptor > 2:
            os.close(descriptor)
            return
