"""Reads whole files of limited size, and nothing that is not a file: a pipe would wait, and a device never ends."""

import errno
import os
import stat
from pathlib import Path

from vrnn_engine.base.file_kinds import non_file_kind

MOST_TEXT = 64 << 20
"""Largest size in bytes of a file of text, such as a recipe or a timeline."""
MOST_STATE = 64 << 20
"""Largest size in bytes of a saved state or a hand."""
MOST_ARRAYS = 256 << 20
"""Largest size in bytes that the arrays of a recording, a trajectory or parity vectors may unpack to."""
MOST_CORPUS = 4 << 30
"""Largest size in bytes that a file of a corpus may unpack to."""

_PASSED = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
"""Beginnings of paths of descriptors that another program has passed, as a shell does for `<(...)`."""


def read_file(path: str | os.PathLike[str], most: int, *, piped: bool = False) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    path : str or path
        The file.  A symbolic link is followed.
    most : int
        Largest size in bytes.
    piped : bool
        Whether the path may also be a pipe that another program has passed as a descriptor.

    Raises
    ------
    OSError
        The path does not exist, cannot be opened, is not a file, or has more bytes.
    """
    name = os.fspath(path)
    if piped and name.startswith(_PASSED) and stat.S_ISFIFO(os.stat(name).st_mode):
        with open(name, "rb") as file:
            return _limited(file.read(most + 1), most, name)
    require_file(path)
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > most:  # a sparse file would be read as zeros
            raise too_large(most, name)
        return _limited(file.read(most + 1), most, name)


def require_file(path: str | os.PathLike[str]) -> None:
    """Raise `OSError` unless a path is a regular file, which can be read without waiting.

    Parameters
    ----------
    path : str or path
        The path.  A symbolic link is followed.
    """
    name = os.fspath(path)
    if "\0" in name:
        raise OSError(errno.EINVAL, "a path cannot have a zero byte", name.replace("\0", "?"))
    kind = non_file_kind(path)
    if kind == "a folder":
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if kind is not None:
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", name)


def file_size(path: Path) -> int:
    """Return the size in bytes of a regular file; raises `OSError` as `require_file` does."""
    require_file(path)
    return path.stat().st_size


def too_large(most: int, name: str) -> OSError:
    """Return the error for a file of more bytes than may be read.

    Parameters
    ----------
    most : int
        The limit in bytes.
    name : str
        The file.
    """
    size = f"{most >> 30} GiB" if most >= 1 << 30 else f"{most >> 20} MiB" if most >= 1 << 20 else f"{most} bytes"
    return OSError(errno.EFBIG, f"it has more than {size}", name)


def _limited(data: bytes, most: int, name: str) -> bytes:
    if len(data) > most:
        raise too_large(most, name)
    return data
