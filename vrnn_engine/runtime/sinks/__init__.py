"""Sinks, to which streams are written.  `make_sink` makes one from a target string, built in or from a plug-in."""

import importlib
import os
from pathlib import PurePath
from typing import Any

from vrnn_engine.base.files import AtomicFile
from vrnn_engine.base.plugins import Plugin, find_plugins
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import split_place
from vrnn_engine.runtime.sinks.adapter import AdaptedSink
from vrnn_engine.runtime.sinks.base import Format, Sink, SinkLike
from vrnn_engine.runtime.targets import find_target, list_targets

__all__ = ["ENTRY_POINTS", "AtomicFile", "Format", "Sink", "SinkLike", "as_sink", "make_sink"]

ENTRY_POINTS = "vrnn_engine.sinks"
"""Entry-point group of plug-ins.  The entry point's name is a scheme (`NAME`, `NAME:...`) and a file ending
(`FILE.NAME`); the object it names is called as `make(target, latency)` and returns a `Sink` or a `SinkLike`."""


def make_sink(target: str | os.PathLike[str], latency: float = 0.05) -> Sink:
    """Return the sink for a target string.

    Parameters
    ----------
    target : str or path
        One of `targets.TARGETS` (`speakers`, `speakers:NAME`, a file with a known extension, `serial:PORT`, `terminal`,
        `-` for stdout, `null`), or a target of an installed plug-in.  Options may follow, as in
        `page.svg?width=120&margin=8`.
    latency : float
        Seconds that a sound device buffers.

    Returns
    -------
    Sink
        Not opened yet.

    Raises
    ------
    SinkError
        The target is unknown, one of its options is wrong, or its plug-in fails.

    See Also
    --------
    as_sink : Also accepts an object.
    """
    if not isinstance(target, str | os.PathLike):
        raise SinkError(f"{target!r:.60} is not a target; give a string such as out.wav, a path, or a sink")
    text = os.fspath(target)
    place, query = split_place(text)
    built_in = find_target(place)
    if built_in is not None:
        make = _import_sink(built_in.sink)
        if query and make.Options is None:
            raise SinkError(f"{place} takes no options, which begin at the first ?; leave out ?{query}")
        sink: Sink = make(text if make.Options is not None else place, latency)
        return sink
    plugins = find_plugins(ENTRY_POINTS)
    scheme, ending = place.partition(":")[0], PurePath(place).suffix.lower()
    entry = plugins.get(scheme) or plugins.get(ending.removeprefix("."))
    if entry is None:
        others = "; from plug-ins: " + ", ".join(sorted(plugins)) if plugins else ""
        named = " (without the options, which begin at the first ?)" if query else ""
        raise SinkError(f"unknown target {place!r}{named}; the targets are {list_targets()}{others}")
    plugin = Plugin(entry, SinkError)
    made = plugin.make(SinkLike, "a sink", text, latency)  # type: ignore[type-abstract]
    return AdaptedSink(made, plugin.blamed)


def as_sink(to: str | os.PathLike[str] | Sink | SinkLike, latency: float = 0.05) -> Sink:
    """Return the sink for a target string or an object.

    Parameters
    ----------
    to : str, path, Sink or SinkLike
        A target (see `make_sink`); a `Sink`, which is returned unchanged; or an object with `open`, `write` and
        `close`, which is wrapped in an `AdaptedSink`.
    latency : float
        Seconds that a sound device buffers; used only if `to` is a target.

    Returns
    -------
    Sink
        Not opened yet.

    Raises
    ------
    SinkError
        In the same cases as for `make_sink`.
    """
    if isinstance(to, Sink):
        return to
    if isinstance(to, SinkLike):
        return AdaptedSink(to)
    return make_sink(to, latency)


def _import_sink(path: str) -> Any:
    """Import the class of a target, `module:Class`, so that a cold start imports one sink and not all of them."""
    module, name = path.split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
