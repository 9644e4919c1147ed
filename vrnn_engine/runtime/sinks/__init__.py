"""From a target string to a sink: built-in ones by name or file ending, others by entry point."""

import importlib
import os
from pathlib import PurePath
from typing import Any, cast

from vrnn_engine.base.plugins import Plugin, find_plugins
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.adapter import AdaptedSink
from vrnn_engine.runtime.sinks.base import AtomicFile, Format, Sink, SinkLike

__all__ = ["ENTRY_POINTS", "AtomicFile", "Format", "Sink", "SinkLike", "as_sink", "make_sink"]

ENTRY_POINTS = "vrnn_engine.sinks"
"""Group in which another package announces its sinks: the entry point's name is a scheme (`NAME:...`, `NAME`) and a
file ending (`FILE.NAME`); what it points to is called as `make(target, latency)` and returns a `Sink`."""

# Modules are imported on use: a cold start pays for one sink, not for all.
_NAMED = {
    "speakers": "speakers:SpeakersSink",
    "serial": "ink.serialport:SerialSink",
    "terminal": "ink.terminal:TerminalSink",
    "-": "stdout:StdoutSink",
    "null": "null:NullSink",
}
_WITH_PLACE = ("speakers", "serial")  # may be followed by :WHERE
_ENDINGS = {
    ".wav": "audiofile:AudioFileSink",
    ".flac": "audiofile:AudioFileSink",
    ".svg": "ink.svg:SvgSink",
    ".hpgl": "ink.hpgl:HpglSink",
    ".gcode": "ink.gcode:GcodeSink",
    ".jsonl": "jsonl:JsonLinesSink",
}
_KNOWN = (
    "speakers, speakers:NAME, FILE.wav, FILE.flac, FILE.svg, FILE.hpgl, FILE.gcode, serial:PORT, terminal, FILE.jsonl, "
    "- and null"
)


def make_sink(target: str | os.PathLike[str], latency: float = 0.05) -> Sink:
    """Return the sink that a target string names, not opened yet.

    Parameters
    ----------
    target
        `speakers`, `speakers:NAME` (or an index), a file by its ending, `serial:PORT`, `terminal`, `-` for stdout,
        `null`, or what an installed plug-in provides.  Those for ink and `speakers` take options:
        `page.svg?width=120&margin=8`.
    latency
        Seconds that a device sink buffers.

    Raises
    ------
    SinkError
        Nothing provides the target (the message names what exists), an option is wrong, or its plug-in is broken.
    """
    text = os.fspath(target)
    place, _, query = text.partition("?")
    scheme, colon, _ = place.partition(":")
    ending = PurePath(place).suffix.lower()
    where = _NAMED.get(scheme) if not colon or scheme in _WITH_PLACE else None
    if where is None:
        where = _ENDINGS.get(ending)
    if where is not None:
        kind = _built_in(where)
        if query and kind.Options is None:
            raise SinkError(f"{place} takes no options, and so cannot be told {query!r}")
        return cast(Sink, kind(text, latency))
    plugins = find_plugins(ENTRY_POINTS)
    entry = plugins.get(scheme) or plugins.get(ending.removeprefix("."))
    if entry is None:
        others = "; from plug-ins: " + ", ".join(sorted(plugins)) if plugins else ""
        raise SinkError(f"nothing can write to {text!r}; there are {_KNOWN}{others}")
    plugin = Plugin(entry, SinkError)
    made = plugin.make(SinkLike, "a sink", text, latency)  # type: ignore[type-abstract]
    return AdaptedSink(made, plugin.blamed)


def as_sink(to: str | os.PathLike[str] | Sink | SinkLike, latency: float = 0.05) -> Sink:
    """Return a sink for a target string, or for an object that is one or has its three methods.

    Parameters
    ----------
    to : str, path, Sink or SinkLike
        A target (see `make_sink`); or a `Sink`, returned as it is; or an object with `open`, `write` and `close`,
        wrapped in an `AdaptedSink`.
    latency : float
        Seconds that a device buffers; only for a target.

    Returns
    -------
    Sink
        Not opened yet.

    Raises
    ------
    SinkError
        As `make_sink` does.
    """
    if isinstance(to, Sink):
        return to
    if isinstance(to, SinkLike):
        return AdaptedSink(to)
    return make_sink(to, latency)


def _built_in(where: str) -> Any:  # a subclass of Sink that takes a target and a latency
    module, name = where.split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
