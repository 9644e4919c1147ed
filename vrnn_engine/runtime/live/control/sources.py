"""Who steers a performance from outside: found by name, other packages' by entry point."""

import logging
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vrnn_engine.base.plugins import Plugin, find_plugins
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SourceError, VRNNEngineError

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.performance import Performance

ENTRY_POINTS = "vrnn_engine.sources"
"""Group in which another package announces its control sources: the entry point's name is what comes before the colon
of `NAME` or `NAME:...`; what it points to is called as `make(text)`, with what comes after, and returns a `Source`."""

_log = logging.getLogger("vrnn_engine")


@runtime_checkable
class Source(Protocol):
    """Something that steers, in a thread of its own, by `performance.controls` and `performance.send`."""

    def start(self, performance: "Performance") -> None:
        """Begin; raise `SourceError` if that cannot be."""

    def stop(self) -> None:
        """End, and wait until it has ended."""


def make_source(target: str) -> Source:
    """Return the control source that a string names, not started yet; raise `SourceError` if there is none."""
    name, _, text = target.partition(":")
    plugins = find_plugins(ENTRY_POINTS)
    if name not in plugins:
        hint = suggest(name, plugins, "from plug-ins")
        raise SourceError(f"no control source {name!r}{hint}")
    return PluginSource(Plugin(plugins[name], SourceError), text)


class PluginSource:
    """A source of another package: what goes wrong in there is one line that names it."""

    def __init__(self, plugin: Plugin, text: str) -> None:
        self._plugin = plugin
        self._made = plugin.make(Source, "a control source", text)  # type: ignore[type-abstract]

    def start(self, performance: "Performance") -> None:
        """Begin; raise `SourceError` if that cannot be."""
        with self._plugin.blamed():
            self._made.start(performance)

    def stop(self) -> None:
        """End; where that fails it is said, and what else is to end does."""
        try:
            with self._plugin.blamed():
                self._made.stop()
        except VRNNEngineError as error:
            _log.warning("%s", error)
