"""Kept moments on disk: a stream's snapshots under names, one file each, in a folder of their voice."""

import os
import re
from pathlib import Path

from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.names import suggest
from vrnn_engine.runtime.sinks.base import AtomicFile

ENDING = ".moment"
_NAME = re.compile(r"[\w][\w .-]{0,63}")


class Moments:
    """The kept moments of one voice.

    Parameters
    ----------
    voice : str
        Its name.
    home : path, optional
        Folder of all voices' moments; `$VRNN_ENGINE_MOMENTS`, or one in the user's data folder, if not given.
    """

    def __init__(self, voice: str, home: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(home or os.environ.get("VRNN_ENGINE_MOMENTS") or _default_home()) / voice

    def save(self, name: str, snapshot: bytes) -> Path:
        """Write a snapshot under a name, in place of an earlier one of that name.

        Raises
        ------
        StreamError
            The name cannot be that of a file, or the file cannot be written.
        """
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = AtomicFile(path)
            file.append(snapshot)
            file.commit()
        except OSError as error:
            raise StreamError(f"cannot keep the moment {name!r}: {path}: {error.strerror or error}") from error
        except SinkError as error:
            raise StreamError(f"cannot keep the moment {name!r}: {error}") from error
        return path

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

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(path.name.removesuffix(ENDING) for path in self.folder.glob(f"*{ENDING}"))

    def path(self, name: str) -> Path:
        """Return the file of a name; raise `StreamError` if it cannot be that of a file."""
        if not _NAME.fullmatch(name):
            raise StreamError(f"a moment cannot be called {name!r}; use up to 64 letters, digits, spaces, - and _")
        return self.folder / f"{name}{ENDING}"


def _default_home() -> Path:
    from platformdirs import user_data_dir

    return Path(user_data_dir("vrnn-engine", appauthor=False)) / "moments"
