"""Finds what a killed process has left of the files and folders that it was writing, and removes it or offers it back.

A writer locks the hidden file or folder `.NAME.TOKEN.part` that it fills; the lock ends with its process.
"""

import functools
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from vrnn_engine.base.atomic.locks import abandoned
from vrnn_engine.base.atomic.partial import OLD, PART

_HIDDEN = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(?:part|old)", re.DOTALL)
_log = logging.getLogger("vrnn_engine")


def find_leftovers(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Yield the hidden files and folders that a writer made in a folder, whether it still runs or not.

    Parameters
    ----------
    folder : Path
        The folder; it need not exist.
    name : str, optional
        Yield only those of the file or folder with this name.
    """
    try:
        with os.scandir(folder) as entries:
            hidden = sorted(entry.name for entry in entries if entry.name.endswith((PART, OLD)))
    except OSError:
        return
    for entry in hidden:
        match = _HIDDEN.fullmatch(entry)
        if match is not None and name in (None, match[1]):
            yield folder / entry


def remove_leftovers(folder: Path, name: str | None = None) -> int:
    """Remove what killed writers have left in a folder.

    An earlier folder that a killed process was replacing gets its name back if nothing has that name.

    Parameters
    ----------
    folder, name
        As for `find_leftovers`.

    Returns
    -------
    int
        Number of bytes removed.
    """
    removed = 0
    for path in find_leftovers(folder, name):
        if path.suffix == OLD:
            _restore_earlier(path)
        with abandoned(path) as free:
            if free:
                removed += remove(path)
    return removed


@functools.lru_cache(maxsize=4096)
def remove_leftovers_once(path: Path) -> None:
    """Remove what killed writers have left of a file, at the first call of this process for this path.

    A page or the progress of a plot is written again and again, and each look lists the whole folder.

    Parameters
    ----------
    path : Path
        The file that is about to be written.
    """
    remove_leftovers(path.parent, path.name)


def restore_earlier_folders(folder: Path) -> None:
    """Give earlier folders, `.NAME.TOKEN.old`, their names back, if killed processes were replacing them.

    Parameters
    ----------
    folder : Path
        The folder in which they are; it need not exist.
    """
    for path in find_leftovers(folder):
        if path.suffix == OLD:
            _restore_earlier(path)


def _restore_earlier(path: Path) -> None:
    """Give an earlier folder its name back if nothing has that name and its writer was killed."""
    match = _HIDDEN.fullmatch(path.name)
    target, part = path.with_name(match[1]) if match else path, path.with_suffix(PART)
    if os.path.lexists(target):
        return
    with abandoned(part) as free:
        if free or not os.path.lexists(part):
            try:
                path.rename(target)
            except OSError:  # another process was faster
                return
            _log.warning("%s: a process was killed while it replaced this; the earlier one is back", target)


def offer_back(path: Path) -> None:
    """Give visible names to what killed processes have written of a file, and log the names; remove empty files.

    The new name of `take.wav` is `take-interrupted.wav`, or `take-interrupted-2.wav` and so on if that exists.

    Parameters
    ----------
    path : Path
        The file that is about to be written.
    """
    for left in find_leftovers(path.parent, path.name):
        with abandoned(left) as free:
            if not free:
                continue
            size = left.stat().st_size
            if not size or not left.is_file():
                remove(left)
                continue
            kept = _unused(path)
            try:
                left.rename(kept)
            except OSError:
                continue
            _log.warning("%s: a process was killed while it wrote this; its %d bytes are in %s", path, size, kept.name)


def remove(path: Path) -> int:
    """Remove a file or folder, and return the number of bytes that are gone.

    Parameters
    ----------
    path : Path
        A symbolic link is removed, and what it names stays.
    """
    before = size_of(path)
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except OSError:  # it cannot be removed; then it stays
        pass
    return before - size_of(path)


def size_of(path: Path) -> int:
    """Return the number of bytes of a file, or of all files in a folder; 0 if it does not exist."""
    if path.is_symlink() or not path.is_dir():
        try:
            return path.lstat().st_size
        except OSError:
            return 0
    return sum(size_of(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)


def _unused(path: Path) -> Path:
    """Return the name for what is left of a file."""
    number, kept = 1, path.with_stem(f"{path.stem}-interrupted")
    while os.path.lexists(kept):
        number += 1
        kept = path.with_stem(f"{path.stem}-interrupted-{number}")
    return kept
