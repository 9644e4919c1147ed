"""What is kept of a performance on disk, under names: one file each, in a folder of their voice.

A moment is a stream's snapshot.  A path is where its latent went: float32 `[frames, dimensions]`, as numpy writes it.
"""

import io
import os
import re
from pathlib import Path

import numpy as np

from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import saved_folder
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SinkError, StreamError

MOMENT, PATH = ".moment", ".npy"
_NAME = re.compile(r"[\w][\w .-]{0,63}")


class Moments:
    """The kept moments and paths of one voice.

    Parameters
    ----------
    voice : str
        Its name.
    home : path, optional
        Folder of all voices' moments; `$VRNN_ENGINE_MOMENTS`, or one in the user's data folder, if not given.
    """

    def __init__(self, voice: str, home: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(home or saved_folder()) / voice

    def save(self, name: str, snapshot: bytes) -> Path:
        """Write a snapshot under a name, in place of an earlier one of that name.

        Raises
        ------
        StreamError
            The name cannot be that of a file, or the file cannot be written.
        """
        return self._write(self.path(name), snapshot)

    def save_path(self, name: str, latents: np.ndarray) -> Path:
        """Write a path `[T, Z]` under a name; as `save`."""
        data = io.BytesIO()
        np.save(data, latents.astype("<f4"), allow_pickle=False)
        return self._write(self.path(name, PATH), data.getvalue())

    def load(self, name: str) -> bytes:
        """Return the snapshot under a name; raise `StreamError` if there is none."""
        path = self.path(name)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            hint = suggest(name, self.names(), "there are")
            raise StreamError(f"no moment {name!r} in {self.folder}{hint}") from None
        except OSError as error:
            raise StreamError(f"{path}: cannot be read: {error.strerror}") from error

    def names(self, ending: str = MOMENT) -> list[str]:
        """Return the names of all moments, or of all paths, sorted."""
        return sorted(path.name.removesuffix(ending) for path in self.folder.glob(f"*{ending}"))

    def path(self, name: str, ending: str = MOMENT) -> Path:
        """Return the file of a name; raise `StreamError` if it cannot be that of a file."""
        if not _NAME.fullmatch(name):
            kind = "path" if ending == PATH else "moment"
            raise StreamError(f"a {kind} cannot be called {name!r}; use up to 64 letters, digits, spaces, - and _")
        return self.folder / f"{name}{ending}"

    def _write(self, path: Path, data: bytes) -> Path:
        try:
            write_atomically(path, data, parents=True)
        except SinkError as error:
            raise StreamError(f"cannot keep the moment {path.stem!r}: {error}") from error
        return path
