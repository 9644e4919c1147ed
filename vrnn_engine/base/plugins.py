"""What other packages announce by entry points: found by name, and when broken, explained by the name of its owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from vrnn_engine.errors import VRNNEngineError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Made = TypeVar("Made")


def find_plugins(group: str) -> dict[str, "EntryPoint"]:
    """Return the entry points of a group by name.  Nothing of them is imported."""
    # Reading the metadata of every installed package takes tens of milliseconds: only where it is needed.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=group)}


class Plugin:
    """An entry point, and who is to blame for what comes of it.

    Parameters
    ----------
    entry : EntryPoint
    error_class : type
        Raised, with the owner's name, for whatever goes wrong in there; its own errors of this package pass.
    """

    def __init__(self, entry: "EntryPoint", error_class: type[VRNNEngineError]) -> None:
        self._entry = entry
        self._error_class = error_class
        owner = entry.dist.name if entry.dist is not None else entry.value
        self._broken = f"plug-in {entry.name!r} of {owner} is broken"

    def make(self, kind: type[Made], what: str, *given: Any) -> Made:
        """Call what the entry point names.

        Parameters
        ----------
        kind : type
            What it must give; a runtime-checkable protocol.
        what : str
            What to call that in messages.
        *given
            Passed on.
        """
        with self.blamed():
            made = self._entry.load()(*given)
        if not isinstance(made, kind):
            raise self._error_class(f"{self._broken}: it gave a {type(made).__name__}, not {what}")
        return made

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Blame it for what goes wrong within."""
        try:
            yield
        except VRNNEngineError:
            raise
        except Exception as error:
            raise self._error_class(f"{self._broken}: {type(error).__name__}: {error}") from error
