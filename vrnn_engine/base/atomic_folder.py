"""Writes a folder atomically: it gets its final name when it is complete, or not at all."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vrnn_engine.base.atomic.durable import exchange, sync_folder, sync_tree
from vrnn_engine.base.atomic.leftovers import remove, remove_leftovers
from vrnn_engine.base.atomic.partial import OLD, new_partial_folder


@contextmanager
def atomic_folder(target: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield an empty folder beside `target`, which is renamed to `target` at the end of the block.

    An earlier folder of that name is replaced.  If the block raises, its folder is removed and the earlier one stays.
    Missing parent folders are created.  Permissions follow the umask.  What killed processes have left of `target` is
    removed first.

    One call of Linux and of macOS exchanges the two folders, so that a killed process leaves the old or the new.  On
    other systems two renames replace an earlier folder; if the process is killed between them, the earlier folder
    remains as a hidden folder whose name ends in `.old`, and `remove_leftovers` gives it its name back.

    Parameters
    ----------
    target : Path
        The final path.
    durable : bool
        Whether the files must be on the disk before the folder gets its name, so that a power failure cannot leave
        empty files in it.

    Yields
    ------
    Path
        The folder to fill.

    Raises
    ------
    OSError
        A folder cannot be created or renamed.  If several processes replace `target` at the same time, all but one of
        them may get this error.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent, target.name)
    temporary, descriptor = new_partial_folder(target)
    earlier = temporary.with_suffix(OLD)
    try:
        yield temporary
        if durable:
            sync_tree(temporary)
        if not (os.path.lexists(target) and exchange(temporary, target)):
            _rename(temporary, target, earlier)
        if durable:
            sync_folder(target.parent)
    finally:
        if descriptor is not None:
            os.close(descriptor)
        remove(temporary)
        if os.path.lexists(target):  # otherwise the earlier folder is the only copy
            remove(earlier)


def _rename(temporary: Path, target: Path, earlier: Path) -> None:
    """Replace an earlier folder by two renames; if the second fails, undo the first."""
    with contextlib.suppress(FileNotFoundError):
        target.rename(earlier)
    try:
        temporary.rename(target)
    except BaseException:  # an interrupt as well: the earlier folder must not be lost
        with contextlib.suppress(OSError):  # there was none, or another process has put its own folder there
            earlier.rename(target)
        raise
