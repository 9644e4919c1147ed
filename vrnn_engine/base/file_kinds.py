"""Names the kind of a path that is not a regular file, and overwrites a file that cannot be replaced."""

import os
import shutil
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def non_file_kind(path: str | os.PathLike[str]) -> str | None:
    """Return the kind of a path that is not a regular file, e.g. `a folder` or `a pipe`; None for a regular file.

    Parameters
    ----------
    path : str or path
        The path.  A symbolic link is followed.

    Raises
    ------
    OSError
        The path does not exist, or cannot be examined.
    """
    mode = os.stat(path).st_mode
    return next((words for is_kind, words in _KINDS if is_kind(mode)), None)


def copy_in_place(source: Path, target: Path) -> None:
    """Overwrite the content of an existing file, which stays the same file, for example a mount point.

    Parameters
    ----------
    source, target : Path
        The file to read, and the file to overwrite.

    Raises
    ------
    OSError
        One of the files cannot be opened, or the disk is full.  The target may then be incomplete.
    """
    with source.open("rb") as content, target.open("r+b") as file:
        shutil.copyfileobj(content, file, 1 << 20)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
