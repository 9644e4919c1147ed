"""The files and devices that the events of a performance may use: a timeline may come from a stranger."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vrnn_engine.base.plugins import find_plugins
from vrnn_engine.errors import SinkError, StreamError, VRNNEngineError
from vrnn_engine.runtime.options import split_place
from vrnn_engine.runtime.sinks import ENTRY_POINTS
from vrnn_engine.runtime.targets import find_target

HARMLESS = ("speakers", "terminal", "-", "null")
"""Targets, besides files, that a fork may always write to: they choose no device, address or serial port."""


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
    """Where `Prime` and `Follow` may read files, and where `Fork` may write.

    Parameters
    ----------
    folders : tuple of Path, optional
        Events may use files in these folders and below; a symbolic link counts as what it names.  None: everywhere.
    overwrite : bool
        Whether a fork may replace an existing file.
    devices : tuple of str
        Targets without their options, such as `serial:/dev/ttyUSB0`, that forks may open.  If `folders` is None, they
        may open every target; otherwise files, these devices, and `HARMLESS`.
    """

    folders: tuple[Path, ...] | None = None
    overwrite: bool = False
    devices: tuple[str, ...] = ()

    @classmethod
    def within(
        cls, folders: Iterable[str | os.PathLike[str]], overwrite: bool = False, devices: Iterable[str] = ()
    ) -> "Places":
        """Return the places in some folders, and some devices.

        Parameters
        ----------
        folders : iterable of paths
            The folders.
        overwrite, devices
            As for the class.
        """
        return cls(tuple(Path(os.path.realpath(folder)) for folder in folders), overwrite, tuple(devices))

    def check_source(self, path: str) -> None:
        """Raise `StreamError` unless events may read a file.

        Parameters
        ----------
        path : str
            A recording or a trajectory; a `?` is a part of its name.
        """
        if self.folders is not None and (path == "-" or path.startswith("-?")):
            raise StreamError(f"{path:.80} is stdin, and events may read files only; name a file")
        self._check_folder(path, StreamError)

    def check_device(self, to: str) -> None:
        """Raise `SinkError` if a target opens a device, an address or a plug-in that events may not open.

        Parameters
        ----------
        to : str
            A target.  A file is accepted here.
        """
        place = split_place(to)[0]
        if self.folders is None or place in (*HARMLESS, *self.devices):
            return
        target = find_target(place)
        # An unknown target may be that of a plug-in, whose name is its scheme; it opens what it likes.
        if target.scheme if target is not None else place.partition(":")[0] in find_plugins(ENTRY_POINTS):
            raise SinkError(
                f"{place:.200} may not be opened by a fork, only files, {', '.join(HARMLESS)}; allow this target",
                ("allow",),
            )

    def check_target(self, to: str) -> None:
        """Raise `SinkError` unless a fork may write to a target.

        Parameters
        ----------
        to : str
            A target: a file in the folders, or one that `check_device` accepts.
        """
        self.check_device(to)
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
