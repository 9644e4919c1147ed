"""Reads messages of protocol buffers, without their schema.

The encoding is at https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

Message = bytes | memoryview
"""The bytes of a message. Small ones are faster as bytes; a view spares large ones a copy."""
Field = int | Message
"""A number, or the bytes of a string, a message, packed numbers or a fixed-size number."""

_MAX_FIELD = 1 << 29
_FIXED = {1: 8, 5: 4}


def fields(message: Message) -> Iterator[tuple[int, Field]]:
    """Yield the number and the content of each field of a message, in the order of the file.

    Parameters
    ----------
    message : bytes or memoryview
        The message.

    Raises
    ------
    ValueError
        The content is not a message: a field is cut off, or has an unknown wire type or number.
    """
    at, end = 0, len(message)
    while at < end:
        key = message[at]
        at += 1
        if key > 127:
            key, at = _varint(message, at - 1)
        number, kind = key >> 3, key & 7
        if not 0 < number < _MAX_FIELD:
            raise ValueError(f"a field has the number {number}")
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = message[at] if at < end else 128, at + 1
            if size > 127:
                size, at = _varint(message, at - 1)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"a field of unknown wire type {kind}")
        if size > end - at:
            raise ValueError("a field is longer than its message")
        yield number, message[at : at + size]
        at += size


class TooManyFieldsError(Exception):
    """A file has more fields than a reader allows."""


class FieldLimit:
    """Counts the fields that are read of a file, and stops at a limit.

    Parameters
    ----------
    most : int or None
        Largest number of fields; None for any number.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._read = 0

    def count(self) -> None:
        """Count one field; raise `TooManyFieldsError` if the file has too many."""
        self._read += 1
        if self._most is not None and self._read > self._most:
            raise TooManyFieldsError(f"it has more than {self._most:,} fields")


def collect(message: Message, limit: FieldLimit) -> dict[int, list[Field]]:
    """Return the contents of all fields of a message by number; a missing field is not in the result.

    Parameters
    ----------
    message : bytes or memoryview
        The message.
    limit : FieldLimit
        Counts the fields.

    Raises
    ------
    TooManyFieldsError
        There are more fields than the limit allows.
    """
    found: dict[int, list[Field]] = {}
    for number, value in fields(message):
        limit.count()
        found.setdefault(number, []).append(value)
    return found


def messages(values: list[Field]) -> list[Message]:
    """Return the contents of a repeated field that holds bytes.

    Parameters
    ----------
    values : list
        Contents of the field, as `collect` returns them.

    Raises
    ------
    ValueError
        A content is a number.
    """
    found = [value for value in values if not isinstance(value, int)]
    if len(found) < len(values):
        raise ValueError("a number stands where a message is expected")
    return found


def merged(values: list[Field]) -> Message:
    """Return the content of a field that holds one message; parsers merge messages that are repeated.

    Parameters
    ----------
    values : list
        Contents of the field, as `collect` returns them.
    """
    found = messages(values)
    return found[0] if len(found) == 1 else b"".join(found)


def text(values: list[Field]) -> str:
    """Return the content of a string field, or an empty string; of a repeated field, the last counts.

    Parameters
    ----------
    values : list
        Contents of the field, as `collect` returns them.
    """
    return bytes(messages(values)[-1]).decode() if values else ""


def numbers(values: list[Field]) -> list[int]:
    """Return signed integers of a repeated field, packed or not.

    Parameters
    ----------
    values : list
        Contents of the field, as `collect` returns them.
    """
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(_signed(value))
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            found.append(_signed(one))
    return found


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
