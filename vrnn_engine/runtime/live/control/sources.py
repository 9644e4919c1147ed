"""Defines what a control source must provide, and finds those of other packages by their entry points."""

import logging
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vrnn_engine.base.plugins import Plugin, find_plugins
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SourceError, VRNNEngineError

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.control.steerable import Steerable

ENTRY_POINTS = "vrnn_engine.sources"
"""Entry-point group of control sources.

The entry point's name is the NAME in a target `NAME` or `NAME:TEXT`; its object is called as `make(TEXT)` and returns a
`ControlSource`.
"""

_log = logging.getLogger("vrnn_engine")


@runtime_checkable
class ControlSource(Protocol):
    """Steers a performance from its own thread, through `performance.controls` and `performance.send`.

    See Also
    --------
    vrnn_engine.runtime.live.performance.Performance : Says which of its members any thread may use.
    """

    def start(self, performance: "Steerable") -> None:
        """Start steering.

        Parameters
        ----------
        performance : Steerable
            The performance to steer, which is not playing yet.

        Raises
        ------
        SourceError
            The source cannot start.
        """

    def stop(self) -> None:
        """Stop, and wait until the source's thread has ended."""


def make_source(target: str) -> ControlSource:
    """Make the control source that a string names.

    Parameters
    ----------
    target : str
        `NAME` or `NAME:TEXT`.

    Returns
    -------
    ControlSource
        The source, which has not been started.

    Raises
    ------
    SourceError
        No plug-in has this name, or the plug-in fails.
    """
    name, _, text = target.partition(":")
    plugins = find_plugins(ENTRY_POINTS)
    if name not in plugins:
        hint = suggest(name, plugins, "from plug-ins")
        raise SourceError(f"no control source {name!r}{hint}")
    return PluginSource(Plugin(plugins[name], SourceError), text)


class PluginSource:
    """A control source of another package; an error in it becomes one line that names the package.

    Parameters
    ----------
    plugin : Plugin
    text : str
        The text after the colon in the target.
    """

    def __init__(self, plugin: Plugin, text: str) -> None:
        self._plugin = plugin
        self._made = plugin.make(ControlSource, "a control source", text)  # type: ignore[type-abstract]

    def start(self, performance: "Steerable") -> None:
        """Start the plug-in's source.

        Parameters
        ----------
        performance : Steerable
            The performance to steer.

        Raises
        ------
        SourceError
            The plug-in fails.
        """
        with self._plugin.blamed():
            self._made.start(performance)

    def stop(self) -> None:
        """Stop the source.  An error is logged and not raised, so that other sources are stopped as well."""
        try:
            with self._plugin.blamed():
                self._made.stop()
        except VRNNEngineError as error:
            _log.warning("%s", error)
