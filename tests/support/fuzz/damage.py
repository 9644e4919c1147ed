"""Damages valid input: flips bits, cuts, repeats and splices bytes, and puts hostile values into decoded data.

Every choice comes from one generator, so that a seed repeats an input, and so that hypothesis can shrink it.
"""

import json
import math
from random import Random
from typing import Any

import msgspec

DEEP = 10_000
"""Levels of nesting that no reader needs."""
_DEEP = "@deep@"
"""Stands for a value that nests `DEEP` levels until it is encoded, because encoders recurse."""
PIECES = (
    b"\0",
    b"\xff" * 8,
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\n",
    b"\r\n\x1b[2J",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"99999999999999999999",
    b"A" * 5000,
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"<a>" * DEEP,
    b"\x91" * DEEP,
)
"""Bytes that some readers cannot bear."""
_VALUES = (
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**64 - 1,
    -(2**63),
    10**30,
    -0.0,
    0.5,
    1e308,
    -1e39,
    1e-320,
    math.inf,
    math.nan,
    "",
    "\0",
    "../x",
    "/dev/zero",
    "a" * 5000,
    "two\nlines",
    "\x1b]0;x\x07",
    "\u202e\U0001f600",
    b"",
    b"\0" * 7,
    [],
    {},
    [[]],
    [-1],
    [2**62, 2**62],
    {"": None},
    _DEEP,
)


def damage_bytes(data: bytes, rng: Random) -> bytes:
    """Return bytes with one to four faults.

    Parameters
    ----------
    data : bytes
    rng : Random
        Makes every choice.
    """
    for _ in range(rng.randint(1, 4)):
        at = _place(data, rng)
        length = rng.choice((1, 2, 4, 8, 30, 300))
        match rng.choice(("flip", "flip", "set", "cut", "drop", "repeat", "splice", "number", "piece")):
            case "flip":
                data = data[:at] + bytes([data[at] ^ (1 << rng.randint(0, 7))]) + data[at + 1 :] if data else data
            case "set":
                data = data[:at] + bytes([rng.choice((0, 1, 127, 128, 255))]) + data[at + 1 :]
            case "cut":
                data = data[:at]
            case "drop":
                data = data[:at] + data[at + length :]
            case "repeat":
                data = data[:at] + data[at : at + length] * rng.choice((2, 3, 100)) + data[at + length :]
            case "splice":
                other = _place(data, rng)
                data = data[:at] + data[other : other + length] + data[at + length :]
            case "number":  # sizes and positions in binary formats
                width, order = rng.choice((2, 4, 8)), rng.choice(("little", "big"))
                number = rng.choice((0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1))
                data = data[:at] + number.to_bytes(width, order) + data[at + width :]
            case "piece":
                data = data[:at] + rng.choice(PIECES) + data[at:]
    return data


def _place(data: bytes, rng: Random) -> int:
    """Return a position in data; the head and the tail, which describe the rest in many formats, are likely."""
    last = max(0, len(data) - 1)
    match rng.randint(0, 4):
        case 0 | 1:
            return rng.randint(0, min(64, last))
        case 2:
            return rng.randint(max(0, last - 128), last)
        case _:
            return rng.randint(0, last)


def damage_value(value: Any, rng: Random) -> Any:
    """Return plain data (dicts, lists, numbers, strings) in which one value is missing, doubled, added or hostile.

    Parameters
    ----------
    value : plain data
        It is not changed.
    rng : Random
        Makes every choice.
    """
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value, key=repr))
        match rng.choice(("in", "in", "in", "in", "drop", "add", "rename")):
            case "in":
                return {**value, key: damage_value(value[key], rng)}
            case "drop":
                return {name: one for name, one in value.items() if name != key}
            case "add":
                return {**value, rng.choice(("x", "", "a" * 5000, "\0")): rng.choice(_VALUES)}
            case _:
                other = rng.choice(("x", "../x", "a" * 300, "\0", "two\nlines"))
                return {other if name == key else name: one for name, one in value.items()}
    if isinstance(value, list | tuple) and value and rng.random() < 0.9:
        at = rng.randint(0, len(value) - 1)
        items = list(value)
        match rng.choice(("in", "in", "in", "drop", "repeat", "many")):
            case "in":
                items[at] = damage_value(items[at], rng)
            case "drop":
                del items[at]
            case "repeat":
                items.insert(at, items[at])
            case _:
                items[at:at] = items[at : at + 1] * 1000
        return items
    if isinstance(value, bytes) and rng.random() < 0.7:
        return damage_bytes(value, rng)
    return rng.choice(_VALUES)


def to_json(value: Any) -> bytes:
    """Return plain data as JSON; it may have NaN and infinity, and bytes become text."""
    deep = b"[" * DEEP + b"]" * DEEP
    text = json.dumps(value, default=lambda one: one.decode("latin1") if isinstance(one, bytes) else str(one))
    return text.encode().replace(json.dumps(_DEEP).encode(), deep)


def to_msgpack(value: Any) -> bytes:
    """Return plain data as MessagePack; an integer of more than 64 bits becomes a float."""
    deep = b"\x91" * DEEP + b"\xc0"
    short = bytes([0xA0 + len(_DEEP)]) + _DEEP.encode()
    return msgspec.msgpack.encode(_with_small_integers(value)).replace(short, deep)


def _with_small_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_small_integers(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_small_integers(one) for one in value]
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value
