"""From a target string to a sink: built-in ones by name or file ending, others by entry point."""

import importlib
import os
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from vrnn_engine.errors import SinkError, VRNNEngineError
from vrnn_engine.runtime.sinks.base import AtomicFile, Format, Sink

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ENTRY_POINTS", "AtomicFile", "Format", "Sink", "make_sink"]

ENTRY_POINTS = "vrnn_engine.sinks"
"""Group in which another package announces its sinks: the entry point's name is a scheme (`NAME:...`, `NAME`) and a
file ending (`FILE.NAME`); what it points to is called as `make(target, latency)` and returns a `Sink`."""

# Modules are imported on use: a cold start pays for one sink, not for all.
_NAMED = {
    "speakers": "speakers:SpeakersSink",
    "serial": "serialport:SerialSink",
    "terminal": "terminal:TerminalSink",
    "-": "stdout:StdoutSink",
    "null": "null:NullSink",
}
_WITH_PLACE = ("speakers", "serial")  # may be followed by :WHERE
_ENDINGS = {
    ".wav": "audiofile:AudioFileSink",
    ".flac": "audiofile:AudioFileSink",
    ".svg": "svg:SvgSink",
    ".hpgl": "hpgl:HpglSink",
    ".gcode": "gcode:GcodeSink",
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
        `null`, or what an installed plug-in provides.  Those for ink take options: `page.svg?width=120&margin=8`.
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
        if query and not hasattr(kind, "Options"):
            raise SinkError(f"{place} takes no options, and so cannot be told {query!r}")
        return kind(text, latency)
    # Reading the metadata of every installed package takes tens of milliseconds, so only now.
    from importlib.metadata import entry_points

    plugins = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    entry = plugins.get(scheme) or plugins.get(ending.removeprefix("."))
    if entry is None:
        others = "; from plug-ins: " + ", ".join(sorted(plugins)) if plugins else ""
        raise SinkError(f"nothing can write to {text!r}; there are {_KNOWN}{others}")
    return _from_plugin(entry, text, latency)


def _built_in(where: str) -> Callable[[str, float], Sink]:
    module, name = where.split(":")
    # Those that take options have a class `Options` that says which.
    return cast(Callable[[str, float], Sink], getattr(importlib.import_module(f"{__name__}.{module}"), name))


def _from_plugin(entry: "EntryPoint", target: str, latency: float) -> Sink:
    """Make a plug-in's sink; whatever goes wrong in there becomes one `SinkError` that names the plug-in."""
    owner = entry.dist.name if entry.dist is not None else entry.value
    try:
        sink = entry.load()(target, latency)
    except VRNNEngineError:
        raise
    except Exception as error:
        raise SinkError(f"plug-in {entry.name!r} of {owner} is broken: {type(error).__name__}: {error}") from error
    if not isinstance(sink, Sink):
        raise SinkError(f"plug-in {entry.name!r} of {owner} is broken: it gave a {type(sink).__name__}, not a sink")
    return sink
