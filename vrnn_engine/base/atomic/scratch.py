"""Temporary folders that the next run removes if their process was killed."""

import os
import tempfile
from pathlib import Path

from vrnn_engine.base.atomic.leftovers import remove
from vrnn_engine.base.atomic.locks import abandoned, is_still_there, lock_folder

PREFIX = "vrnn-engine-scratch-"


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder, which is removed by `cleanup`, at the end of a `with` block, or at the end of the process.

    Making one first removes those of killed processes of the same user.
    """

    def __init__(self) -> None:
        remove_scratch_folders()
        while True:
            super().__init__(prefix=PREFIX, ignore_cleanup_errors=True)  # Windows keeps files of a session open
            self._lock = lock_folder(Path(self.name))
            if is_still_there(Path(self.name), self._lock):
                return
            self.cleanup()  # another process took it for abandoned before it was locked

    def cleanup(self) -> None:
        """Remove the folder."""
        super().cleanup()
        descriptor, self._lock = self._lock, None
        if descriptor is not None:
            os.close(descriptor)


def remove_scratch_folders() -> int:
    """Remove the scratch folders of killed processes of this user.

    Returns
    -------
    int
        Number of bytes removed.
    """
    removed = 0
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with abandoned(path) as free:
            if free and path.stat().st_uid == os.getuid():
                removed += remove(path)
    return removed
