"""Writes a folder atomically: it gets its final name when it is complete, or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vrnn_engine.base.files import temporary_name


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`, which is renamed to `target` at the end of the block.

    An earlier folder of that name is replaced.  If the block raises, its folder is removed and the earlier one stays.
    Missing parent folders are created.  Permissions follow the umask.  Two renames replace an earlier folder; if the
    process is killed between them, the earlier folder remains as a hidden folder whose name ends in `.old`.

    Parameters
    ----------
    target : Path
        The final path.

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
    temporary, earlier = temporary_name(target, ".part"), temporary_name(target, ".old")
    temporary.mkdir()
    try:
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            target.rename(earlier)
        try:
            temporary.rename(target)
        except BaseException:  # an interrupt as well: the earlier folder must not be lost
            with contextlib.suppress(OSError):  # there was none, or another process has put its own folder there
                earlier.rename(target)
            raise
    finally:
        _remove(temporary)
        if os.path.lexists(target):  # otherwise the earlier folder is the only copy
            _remove(earlier)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
