"""Reads messages of protocol buffers whose fields are described by a layout.

The encoding is at https://protobuf.dev/programming-guides/encoding/.
"""

import math
from collections.abc import Mapping
from enum import Enum

Message = bytes | memoryview
"""The bytes of a message. Small ones are faster as bytes; a view spares large ones a copy."""
Field = int | Message
"""A number, or the bytes of a string, a message, packed numbers or a fixed-size number."""
Fields = dict[int, list[Field]]
"""Contents of the fields of a message by number; a missing field is not in it."""

_MAX_FIELD = 1 << 29
_FIXED = {1: 8, 5: 4}
_VARINT, _DELIMITED = 0, 2


class Kind(Enum):
    """What a field holds: the wire types in which it may be written, and whether it may be repeated."""

    NUMBER = ((0,), False)
    NUMBERS = ((0, 2), True)
    FLOAT = ((5,), False)
    FLOATS = ((5, 2), True)
    DOUBLES = ((1, 2), True)
    ONE = ((2,), False)
    """One text or message."""
    LIST = ((2,), True)
    """Texts or messages."""


class Layout:
    """The fields of a message that are read.

    A parser that knows the layout skips a field whose wire type does not fit, and of a field that is repeated without
    reason it takes the last content or merges them. A reader that differs there reads another graph than the parser,
    so this one refuses both.

    Parameters
    ----------
    kinds : mapping of int to Kind
        Number of a field -> what it holds.

    Attributes
    ----------
    tags : dict of int to (int, bool)
        Number and wire type of a field, as they are written before it -> its number, and whether it may be repeated.
    numbers : set of int
    """

    def __init__(self, kinds: Mapping[int, Kind]) -> None:
        self.tags = {
            number << 3 | wire: (number, kind.value[1]) for number, kind in kinds.items() for wire in kind.value[0]
        }
        self.numbers = set(kinds)


class TooManyFieldsError(Exception):
    """A file has more fields than a reader allows."""


class FieldLimit:
    """Counts the fields and packed numbers that are read of a file, and stops at a limit.

    Parameters
    ----------
    most : int or None
        Largest number of fields; None for any number.

    Attributes
    ----------
    left : float
        Number of fields that may still be read.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self.left = math.inf if most is None else most

    def error(self) -> TooManyFieldsError:
        """Return the error for a file that has more fields."""
        return TooManyFieldsError(f"it has more than {self._most:,} fields")


def collect(message: Message, layout: Layout, limit: FieldLimit) -> Fields:
    """Return the contents of those fields of a message that its layout has.

    Parameters
    ----------
    message : bytes or memoryview
        The message.
    layout : Layout
        The fields to read.
    limit : FieldLimit
        Counts all fields.

    Raises
    ------
    ValueError
        The content is not a message: a field is cut off, or has an unknown wire type or number. Or a field has a wire
        type that does not fit the layout, or is repeated against it.
    TooManyFieldsError
        There are more fields than the limit allows.
    """
    found: Fields = {}
    at, end, tags, left = 0, len(message), layout.tags, limit.left
    while at < end:
        tag = message[at]
        at += 1
        if tag > 127:
            tag, at = _varint(message, at - 1)
        if left < 1:
            raise limit.error()
        left -= 1
        kind = tag & 7
        value: Field
        if kind == _VARINT:
            value, at = _varint(message, at)
        else:
            if kind == _DELIMITED:
                size, at = message[at] if at < end else 128, at + 1
                if size > 127:
                    size, at = _varint(message, at - 1)
            elif kind in _FIXED:
                size = _FIXED[kind]
            else:
                raise ValueError(f"a field of unknown wire type {kind}")
            if size > end - at:
                raise ValueError("a field is longer than its message")
            value = message[at : at + size]
            at += size
        if tag not in tags:
            _check_unread(tag, layout)
            continue
        number, repeated = tags[tag]
        if number not in found:
            found[number] = [value]
        elif repeated:
            found[number].append(value)
        else:
            raise ValueError(f"the field {number} is in a message twice")
    limit.left = left
    return found


def _check_unread(tag: int, layout: Layout) -> None:
    """Raise `ValueError` unless a field that the layout does not have is one that a parser skips."""
    number = tag >> 3
    if not 0 < number < _MAX_FIELD:
        raise ValueError(f"a field has the number {number}")
    if number in layout.numbers:
        raise ValueError(f"the field {number} has the wire type {tag & 7}, which does not fit it")


def messages(found: Fields, number: int) -> list[Message]:
    """Return the contents of a field that holds texts or messages."""
    return [value for value in found[number] if not isinstance(value, int)] if number in found else []


def message(found: Fields, number: int) -> Message:
    """Return the content of a field that holds one message, or an empty message, which has the same meaning."""
    value = found[number][0] if number in found else b""
    return b"" if isinstance(value, int) else value


def text(found: Fields, number: int) -> str:
    """Return the content of a field that holds one text, or an empty string."""
    return bytes(message(found, number)).decode()


def whole(found: Fields, number: int, allowed: range, what: str) -> int:
    """Return the integer of a field, or 0.

    Parameters
    ----------
    found : Fields
    number : int
        Number of the field, which holds one number.
    allowed : range
        The integers that are allowed. A parser takes the last 32 bits of a larger one for some fields.
    what : str
        What the number is, for the error.

    Raises
    ------
    ValueError
        Another integer.
    """
    first = found[number][0] if number in found else 0
    value = _signed(first) if isinstance(first, int) else 0
    if value not in allowed:
        raise ValueError(f"{what} is {value}, not {allowed[0]} to {allowed[-1]}")
    return value


def numbers(found: Fields, number: int, most: int, what: str, limit: FieldLimit) -> list[int]:
    """Return the signed integers of a repeated field, packed or not.

    Parameters
    ----------
    found : Fields
    number : int
        Number of the field.
    most : int
        Largest number of integers.
    what : str
        What the integers are, for the error.
    limit : FieldLimit
        Counts the packed ones.

    Raises
    ------
    ValueError
        There are more integers, or one is cut off.
    """
    read: list[int] = []
    for value in found.get(number, ()):
        if isinstance(value, int):
            read.append(_signed(value))
        else:
            at = 0
            while at < len(value) and len(read) <= most:
                if limit.left < 1:
                    raise limit.error()
                limit.left -= 1
                one, at = _varint(value, at)
                read.append(_signed(one))
        if len(read) > most:
            raise ValueError(f"it has more than {most} {what}")
    return read


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _varint(message: Message, at: int) -> tuple[int, int]:
    """Return the number at a position, seven bits a byte from the low ones on, and the position after it."""
    value = shift = 0
    for at in range(at, min(at + 10, len(message))):  # noqa: B020 - the position is handed on
        byte = message[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + 1
        shift += 7
    raise ValueError("a number is longer than its message")
