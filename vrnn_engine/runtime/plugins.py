"""What other packages announce by entry points: found by name, and when broken, explained by the name of its owner."""

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


def make_from(
    entry: "EntryPoint", kind: type[Made], what: str, error_class: type[VRNNEngineError], *given: Any
) -> Made:
    """Call what an entry point names.

    Parameters
    ----------
    entry : EntryPoint
    kind : type
        What it must give; a runtime-checkable protocol.
    what : str
        What to call that in messages.
    error_class : type
        Raised, with the owner's name, for whatever goes wrong in there; its own errors of this package pass.
    *given
        Passed on.
    """
    owner = entry.dist.name if entry.dist is not None else entry.value
    try:
        made = entry.load()(*given)
    except VRNNEngineError:
        raise
    except Exception as error:
        raise error_class(f"plug-in {entry.name!r} of {owner} is broken: {type(error).__name__}: {error}") from error
    if not isinstance(made, kind):
        raise error_class(f"plug-in {entry.name!r} of {owner} is broken: it gave a {type(made).__name__}, not {what}")
    return made
