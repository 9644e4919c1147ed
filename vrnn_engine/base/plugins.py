"""Plug-ins: objects that other packages register as entry points.

If a plug-in fails, the error names the package of the plug-in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from vrnn_engine.errors import VRNNEngineError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Made = TypeVar("Made")


def find_plugins(group: str) -> dict[str, "EntryPoint"]:
    """Return the entry points of a group, without importing the objects that they name.

    Parameters
    ----------
    group : str
        Name of the group, e.g. `vrnn_engine.sinks`.

    Returns
    -------
    dict of str to EntryPoint
        Entry points by name.
    """
    # Imported here, because reading the metadata of all installed packages takes tens of milliseconds.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=group)}


class Plugin:
    """Calls a plug-in, and names its package in errors.

    Parameters
    ----------
    entry : EntryPoint
        The entry point of the plug-in.
    error_class : type
        Class of the error raised in place of an exception of the plug-in.
    """

    def __init__(self, entry: "EntryPoint", error_class: type[VRNNEngineError]) -> None:
        self._entry = entry
        self._error_class = error_class
        package = entry.dist.name if entry.dist is not None else entry.value
        self._broken = f"plug-in {entry.name!r} of {package} is broken"

    def make(self, kind: type[Made], what: str, *given: Any) -> Made:
        """Import the object that the entry point names, and call it.

        Parameters
        ----------
        kind : type
            Type that the result must have, or a runtime-checkable protocol.
        what : str
            Name of that type in the message, e.g. `a sink`.
        *given
            Arguments of the call.

        Returns
        -------
        Made
            The result of the call, of type `kind`.

        Raises
        ------
        VRNNEngineError
            Of class `error_class`: the plug-in cannot be imported, raised an exception, or returned another type.
        """
        with self.blamed():
            made = self._entry.load()(*given)
        if not isinstance(made, kind):
            raise self._error_class(f"{self._broken}: it returned a {type(made).__name__}, not {what}")
        return made

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Convert exceptions of the block to errors that name the plug-in; errors of this package pass unchanged.

        Yields
        ------
        None

        Raises
        ------
        VRNNEngineError
            Of class `error_class`, in place of an exception of the block.
        """
        try:
            yield
        except VRNNEngineError:
            raise
        except Exception as error:
            raise self._error_class(f"{self._broken}: {type(error).__name__}: {error}") from error
