"""Creates the hidden file or folder under which something is written before it gets its name, and locks it."""

import os
import secrets
from pathlib import Path

from vrnn_engine.base.atomic.locks import is_at, is_still_there, lock, lock_folder

PART, OLD = ".part", ".old"
"""Endings of the hidden names `.NAME.TOKEN.part`, for what is being written, and `.NAME.TOKEN.old`, for an earlier
folder that is being replaced by two renames."""


def new_partial_file(path: Path) -> tuple[Path, int]:
    """Create and lock a hidden file beside a path.

    Parameters
    ----------
    path : Path
        The final path.

    Returns
    -------
    Path
        The hidden file.
    int
        Its descriptor, which holds the lock.

    Raises
    ------
    OSError
        The file cannot be created.
    """
    # Not the tempfile module: only the owner may read its files, whatever the umask.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        hidden = _hidden_name(path)
        descriptor = os.open(hidden, flags, 0o666)
        lock(descriptor)
        if os.name == "nt" or is_at(descriptor, hidden):
            return hidden, descriptor
        os.close(descriptor)  # another process took it for abandoned before it was locked


def new_partial_folder(path: Path) -> tuple[Path, int | None]:
    """Create and lock a hidden folder beside a path.

    Parameters
    ----------
    path : Path
        The final path.

    Returns
    -------
    Path
        The hidden folder.
    int or None
        The descriptor that holds the lock; None where folders cannot be locked.

    Raises
    ------
    OSError
        The folder cannot be created.
    """
    while True:
        hidden = _hidden_name(path)
        hidden.mkdir()
        descriptor = lock_folder(hidden)
        if is_still_there(hidden, descriptor):
            return hidden, descriptor
        if descriptor is not None:  # another process took it for abandoned before it was locked
            os.close(descriptor)


def _hidden_name(path: Path) -> Path:
    """Return an unused hidden name in the folder of the final path."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
