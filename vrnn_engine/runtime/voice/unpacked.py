"""The cache of unpacked voices: one folder for each .zip, named by its sha256, and a limit on their size.

A process holds a lock on each folder that it uses, so that no other process removes it.
"""

import functools
import os
import re
from pathlib import Path

from vrnn_engine.base.atomic.leftovers import remove, size_of
from vrnn_engine.base.atomic.locks import abandoned, keep_locked
from vrnn_engine.base.atomic.scratch import ScratchFolder
from vrnn_engine.base.folders import cache_folder

LIMIT = 4 << 30
"""Largest number of bytes that unpacked voices may take; the one in use is kept even if it is larger."""

_NAME = re.compile(r"[0-9a-f]{64}")


def unpacked_folder() -> Path:
    """Return the folder of unpacked voices: in the cache, or a temporary one if the cache cannot be written."""
    cache = cache_folder("voices")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return cache
    except OSError:
        pass
    return Path(_scratch().name)


def use(folder: Path) -> None:
    """Keep an unpacked voice from being removed while this process runs, and count it as used last.

    Parameters
    ----------
    folder : Path
        Its folder; nothing happens if it does not exist.
    """
    keep_locked(folder)
    try:
        os.utime(folder)
    except OSError:  # it does not exist, or belongs to somebody else
        pass


def trim(limit: int = LIMIT) -> int:
    """Remove unpacked voices that no process uses, those that were used longest ago first.

    Parameters
    ----------
    limit : int
        Number of bytes that all may take together; 0 removes all that are not in use.

    Returns
    -------
    int
        Number of bytes removed.
    """
    try:
        folders = [path for path in cache_folder("voices").iterdir() if _NAME.fullmatch(path.name)]
        ages = {path: path.stat().st_mtime for path in folders}
    except OSError:  # there is no cache, or another process removes from it
        return 0
    sizes = {path: size_of(path) for path in folders}
    total, removed = sum(sizes.values()), 0
    for path in sorted(folders, key=ages.__getitem__):
        if total - removed <= limit:
            break
        with abandoned(path) as free:
            if free:
                removed += remove(path)
    return removed


@functools.cache
def _scratch() -> ScratchFolder:
    return ScratchFolder()
