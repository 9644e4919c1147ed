"""Puts files and folders in place so that a kill or a power failure leaves the old or the new, and never neither."""

import contextlib
import errno
import os
import sys
from pathlib import Path

_AT_FDCWD = {"linux": -100, "darwin": -2}
_SWAP = 2
"""RENAME_EXCHANGE of Linux's renameat2, and RENAME_SWAP of macOS's renameatx_np."""
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
"""Errors of fsync on file systems that have none."""


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two files or folders of one file system in one step.

    Parameters
    ----------
    first, second : Path
        Both exist.

    Returns
    -------
    bool
        False if this system or file system cannot do so; nothing has changed then.
    """
    name = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform)
    if name is None:
        return False
    import ctypes

    try:
        call = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):  # an old libc
        return False
    here = _AT_FDCWD[sys.platform]
    return bool(call(here, os.fsencode(first), here, os.fsencode(second), ctypes.c_uint(_SWAP)) == 0)


def sync_file(descriptor: int) -> None:
    """Wait until the content of an open file is on the disk.

    Parameters
    ----------
    descriptor : int
        The file.

    Raises
    ------
    OSError
        The disk is full or broken.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, if this system can do so for a folder."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # the files themselves are on the disk
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until all files in a folder and its sub-folders are on the disk.

    Parameters
    ----------
    folder : Path
        The folder.

    Raises
    ------
    OSError
        A file cannot be opened, or the disk is full or broken.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(parent) / name, os.O_RDONLY)
            try:
                sync_file(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))
