"""Marks files and folders as in use, so that they can be told from what a killed process has left behind.

The mark is a lock of the operating system (flock), which ends with the process, however the process ends.  On systems
without flock, as Windows, and on file systems without it, nothing is ever reported as abandoned.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl

    _LOCKS = True
except ImportError:  # Windows
    _LOCKS = False


_kept: dict[Path, int] = {}
"""The descriptor of each folder that `keep_locked` has locked."""


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file or folder until its descriptor is closed; wait for a process that examines it.

    Parameters
    ----------
    descriptor : int
        Its descriptor.
    shared : bool
        Whether other processes may hold shared locks of it at the same time.
    """
    if _LOCKS:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except OSError:  # the file system has no locks; then `abandoned` does not get one either
            pass


def lock_folder(folder: Path, *, shared: bool = False) -> int | None:
    """Open and lock a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    shared : bool
        As for `lock`.

    Returns
    -------
    int or None
        The descriptor, which holds the lock until it is closed; None if the folder cannot be opened.
    """
    if not _LOCKS:  # Windows opens no folders
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    lock(descriptor, shared=shared)
    return descriptor


def keep_locked(folder: Path) -> None:
    """Hold a shared lock on a folder until the process ends; nothing happens if it does not exist.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    held = _kept.get(folder)
    if held is not None and is_at(held, folder):
        return
    descriptor = lock_folder(folder, shared=True)
    if held is not None:  # another folder has this name now
        os.close(_kept.pop(folder))
    if descriptor is not None:
        _kept[folder] = descriptor


@contextmanager
def lock_held(file: io.FileIO) -> Iterator[None]:
    """Hold the lock of a file until the end of the block, although the block closes the file.

    Parameters
    ----------
    file : FileIO
        A file that `lock` has locked; nothing happens if it is closed already.
    """
    descriptor = None
    if _LOCKS and not file.closed:
        with suppress(OSError):  # too many open files; then the lock ends when the file is closed
            descriptor = os.dup(file.fileno())
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_still_there(folder: Path, descriptor: int | None) -> bool:
    """Return whether a folder that this process made exists, and is not another one of the same name.

    Parameters
    ----------
    folder : Path
        The folder.
    descriptor : int or None
        The result of `lock_folder`.
    """
    return folder.is_dir() if descriptor is None else is_at(descriptor, folder)


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether a path still names the file or folder that a descriptor has open."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Yield whether no process uses a file or folder; during the block, a process that wants to use it waits.

    Parameters
    ----------
    path : Path
        A file or folder whose users lock it.  A symbolic link is not followed.

    Yields
    ------
    bool
        False also if it does not exist or cannot be examined.
    """
    if not _LOCKS:
        yield False
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield _try_lock(descriptor) and is_at(descriptor, path)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
