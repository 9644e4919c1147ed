"""Says what is at a path that was to be a file."""

import os
import stat

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def other_than_file(path: str | os.PathLike[str]) -> str | None:
    """Return what is there in two words, or None if it is a file; raises `OSError` if there is nothing."""
    mode = os.stat(path).st_mode
    return next((words for is_kind, words in _KINDS if is_kind(mode)), None)
