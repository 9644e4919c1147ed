"""The folders in which the events of a performance may read and write files: a timeline may come from a stranger."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vrnn_engine.errors import SinkError, StreamError, VRNNEngineError
from vrnn_engine.runtime.options import split_place
from vrnn_engine.runtime.targets import find_target


def file_of(to: str) -> str | None:
    """Return the file of a target; None if the target is a device such as `speakers`.

    Parameters
    ----------
    to : str
        The target.  That of a plug-in counts as a file.
    """
    place = split_place(to)[0]
    target = find_target(place)
    return None if target is not None and target.scheme else place


@dataclass(frozen=True)
class Places:
    """Where `Prime` and `Follow` may read files, and `Fork` may write them.

    Parameters
    ----------
    folders : tuple of Path, optional
        Events may use files in these folders and below; a symbolic link counts as what it names.  None: everywhere.
    overwrite : bool
        Whether a fork may replace an existing file.
    """

    folders: tuple[Path, ...] | None = None
    overwrite: bool = False

    @classmethod
    def within(cls, folders: Iterable[str | os.PathLike[str]], overwrite: bool = False) -> "Places":
        """Return the places in some folders.

        Parameters
        ----------
        folders : iterable of paths
            The folders.
        overwrite : bool
            As for the class.
        """
        return cls(tuple(Path(os.path.realpath(folder)) for folder in folders), overwrite)

    def check_source(self, path: str) -> None:
        """Raise `StreamError` unless events may read a file.

        Parameters
        ----------
        path : str
            A recording or a trajectory; a `?` is a part of its name.
        """
        self._check_folder(path, StreamError)

    def check_target(self, to: str) -> None:
        """Raise `SinkError` unless a fork may write to a target.

        Parameters
        ----------
        to : str
            A target.  Only files are limited, and not devices such as `speakers`.
        """
        place = file_of(to)
        if place is None:
            return
        self._check_folder(place, SinkError)
        if not self.overwrite and os.path.lexists(place):
            raise SinkError(
                f"{place} exists, and a fork does not replace files; name another file, or allow it", ("overwrite",)
            )

    def _check_folder(self, path: str, error_class: type[VRNNEngineError]) -> None:
        try:
            real = Path(os.path.realpath(path))
        except ValueError:  # a null byte
            raise error_class(f"{path!r:.80} is not a path") from None
        if self.folders is not None and not any(real.is_relative_to(folder) for folder in self.folders):
            folders = ", ".join(map(str, self.folders))
            raise error_class(
                f"{path:.200} is outside of the folders that events may use ({folders}); allow its folder", ("allow",)
            )
