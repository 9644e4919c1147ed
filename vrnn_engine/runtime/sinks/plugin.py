"""A sink of another package: what goes wrong in there is one line that names it."""

import functools
from typing import Any

import numpy as np

from vrnn_engine.base.plugins import Plugin
from vrnn_engine.runtime.sinks.base import Format, Sink

_ABSENT = object()


class PluginSink:
    """The sink that a plug-in makes for a target, with what else it may have: see `Sink`."""

    def __init__(self, plugin: Plugin, target: str, latency: float) -> None:
        made = plugin.make(Sink, "a sink", target, latency)  # type: ignore[type-abstract]
        vars(self).update(_plugin=plugin, _made=made)

    def open(self, format: Format) -> None:
        """Get ready."""
        self._call("open", format)

    def write(self, block: np.ndarray) -> None:
        """Take one block."""
        self._call("write", block)

    def close(self) -> None:
        """Finish."""
        self._call("close")

    @property
    def label(self) -> str:
        """What to call it in messages."""
        return str(getattr(self._made, "label", type(self._made).__name__))

    def __getattr__(self, name: str) -> Any:
        with self._plugin.blamed():
            value = getattr(self._made, name, _ABSENT)
        if value is _ABSENT:
            raise AttributeError(f"{self.label} has no {name}")
        return functools.partial(self._call, name) if callable(value) else value

    def __setattr__(self, name: str, value: Any) -> None:
        with self._plugin.blamed():
            setattr(self._made, name, value)

    def _call(self, name: str, *given: Any) -> Any:
        with self._plugin.blamed():
            return getattr(self._made, name)(*given)
