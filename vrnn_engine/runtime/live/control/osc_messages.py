"""Translates OSC packets into events, and reports into OSC packets.

    /control/NAME VALUE...   /nudge/NAME BY   /ramp/NAME SECONDS VALUE...   /walk/NAME SPEED [SEED]
    /reset   /seed N   /snapshot NAME   /restore NAME   /morph NAME SECONDS   /trace NAME SECONDS   /follow PATH [TIMES]
    /rewind SECONDS   /prime FILE   /fork TARGET SECONDS [SEED]   /write TEXT   /erase COUNT

The NAME of a control may end in /INDEX, which selects one dimension of a vector.

Arguments are numbers and strings (types i, h, f, d, s).  The messages of a bundle are applied in order and
immediately; its time tag is ignored.
"""

from collections.abc import Sequence

import msgspec

from vrnn_engine.base.text_files import visible
from vrnn_engine.errors import SourceError
from vrnn_engine.runtime.live.events import AnyEvent

Argument = int | float | str
Message = tuple[str, list[Argument]]

MAX_NESTING = 8
"""Largest depth of bundles inside bundles."""

_REQUESTS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "/reset": ("reset", (), "/reset"),
    "/seed": ("seed", ("seed",), "/seed N"),
    "/snapshot": ("snapshot", ("name",), "/snapshot NAME"),
    "/restore": ("restore", ("name",), "/restore NAME"),
    "/morph": ("morph", ("to", "seconds"), "/morph NAME SECONDS"),
    "/trace": ("trace", ("name", "seconds"), "/trace NAME SECONDS"),
    "/follow": ("follow", ("path", "times"), "/follow PATH [TIMES]"),
    "/rewind": ("rewind", ("seconds",), "/rewind SECONDS"),
    "/prime": ("prime", ("file",), "/prime FILE"),
    "/fork": ("fork", ("to", "seconds", "seed"), "/fork TARGET SECONDS [SEED]"),
    "/write": ("write", ("text",), "/write TEXT"),
    "/erase": ("erase", ("count",), "/erase COUNT"),
}
"""Address: the event's tag, the fields that the arguments fill, and the usage for messages."""
_INTEGERS = {"seed", "times", "count"}
"""Fields of events that are integers; some programs send every number as a float."""
_STRINGS = {"name", "file", "to", "path", "text"}
"""Fields of events that are strings; a number that is sent for one becomes its text."""
_TYPES = frozenset("ifhds")


def read_packet(packet: bytes, depth: int = 0) -> list[Message]:
    """Return the messages of a packet.

    Parameters
    ----------
    packet : bytes
        A message or a bundle.
    depth : int
        Number of bundles that contain this packet.

    Returns
    -------
    list of (str, list)
        Address and arguments of each message, in order.

    Raises
    ------
    SourceError
        The bytes are not an OSC packet, or a part is damaged. None of the packet's messages may be used then.
    """
    if packet.startswith(b"/"):
        return [_read_message(packet)]
    if not packet.startswith(b"#bundle\0"):
        raise SourceError("not an OSC packet: it begins neither with / nor with #bundle")
    if depth == MAX_NESTING:
        raise SourceError(f"an OSC bundle is nested more than {MAX_NESTING} deep")
    # python-osc's OscBundle never ends on a negative size (version 1.10.2).
    found, at = [], 16
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        part = packet[at + 4 : at + 4 + size]
        if not size or len(part) < size:
            raise SourceError("an OSC bundle is truncated or damaged")
        found += read_packet(part, depth + 1)
        at += 4 + size
    return found


def to_event(address: str, values: Sequence[Argument]) -> AnyEvent:
    """Return the event for a message.

    Parameters
    ----------
    address : str
    values : sequence of int, float or str
        The arguments.

    Returns
    -------
    event

    Raises
    ------
    SourceError
        The address is unknown, or the arguments do not fit it.
    """
    kind, _, rest = address[1:].partition("/")
    if kind in ("control", "nudge", "ramp", "walk") and rest:
        return _to_control_event(kind, rest, list(values))
    if address not in _REQUESTS:
        known = "/control/NAME, /nudge/NAME, /ramp/NAME, /walk/NAME, " + ", ".join(_REQUESTS)
        raise SourceError(f"unknown OSC address {address!r:.60}; there are {known}")
    tag, fields, usage = _REQUESTS[address]
    given = {name: _fit(name, value) for name, value in zip(fields, values, strict=False)}
    return _convert({"do": tag, **given}, len(values) <= len(fields), usage)


def write_message(address: str, *values: Argument) -> bytes:
    """Return a packet of one message.

    Parameters
    ----------
    address : str
    *values : int, float or str
        The arguments; a float is sent with 32 bits.

    Returns
    -------
    bytes
    """
    from pythonosc.osc_message_builder import build_msg

    return build_msg(address, values).dgram


def _read_message(packet: bytes) -> Message:
    from pythonosc import osc_message
    from pythonosc.parsing import osc_types

    try:
        _, at = osc_types.get_string(packet, 0)
        tags = osc_types.get_string(packet, at)[0] if packet[at:] else ","
        # The types are checked first, because python-osc logs an unknown type to the root logger and reads on.
        if unknown := sorted(set(tags[1:]) - _TYPES):
            raise SourceError(f"an OSC argument has type {unknown[0]!r}; send numbers and strings")
        message = osc_message.OscMessage(packet)
        return message.address, message.params
    except (osc_message.ParseError, osc_types.ParseError, UnicodeDecodeError):
        raise SourceError("an OSC message is truncated or damaged") from None


def _to_control_event(kind: str, rest: str, values: list[Argument]) -> AnyEvent:
    name, _, last = rest.rpartition("/")
    if not (name and last.isdecimal() and len(last) < 7):
        name, last = rest, ""
    given: dict[str, object] = {"control": name}
    if last:
        given["index"] = int(last)
    if kind == "walk":
        given |= {field: _fit(field, value) for field, value in zip(("speed", "seed"), values, strict=False)}
        return _convert({"do": "walk", **given}, len(values) in (1, 2), f"/walk/{rest:.60} SPEED [SEED]")
    if kind == "nudge":
        given |= {"do": "nudge", "by": values[0] if values else None}
        return _convert(given, len(values) == 1, f"/nudge/{rest:.60} BY")
    given["do"] = "set"
    if kind == "ramp" and values:
        given["ramp"] = values.pop(0)
    if values:
        given["value"] = values[0] if len(values) == 1 else values
    usage = f"/{kind}/{rest:.60} {'SECONDS ' if kind == 'ramp' else ''}VALUE..."
    return _convert(given, "value" in given, usage)


def _fit(name: str, value: Argument) -> Argument:
    """Return a value converted to the type of its field, because some programs send every number as a float."""
    if isinstance(value, float) and value.is_integer() and name in _INTEGERS | _STRINGS:
        value = int(value)
    return str(value) if name in _STRINGS else value


def _convert(given: dict[str, object], complete: bool, usage: str) -> AnyEvent:
    try:
        if not complete:
            raise ValueError
        event: AnyEvent = msgspec.convert(given, type=AnyEvent)
        return event
    except ValueError:  # msgspec.ValidationError is a ValueError
        raise SourceError(f"write it as {visible(usage)}") from None
