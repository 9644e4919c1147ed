"""Reads a constant tensor of an ONNX file: its shape, the place of its elements, and the elements if they are few."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.voice.graph_file.layouts import ENTRY, TENSOR
from vrnn_engine.runtime.voice.graph_file.protobuf import (
    FieldLimit,
    Fields,
    Message,
    collect,
    messages,
    numbers,
    text,
    whole,
)

MAX_VALUES = 4096
"""Largest number of elements of a constant whose values are read; larger ones are weights."""
MAX_SIZE = 1 << 40
"""Largest size of an axis of a constant."""
MAX_AXES = 64
"""Most axes of a constant."""

NUMPY = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
"""Type of the elements in ONNX -> the type in numpy."""
NUMPY |= {12: "<u4", 13: "<u8"}
_BITS = {16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4}
"""Types without a counterpart in numpy: bfloat16, four of 8 bits, two of 4 bits."""
FLOATING = frozenset({1, 10, 11, 16})
"""Types of floating point: float32, float16, float64, bfloat16."""
_RAW, _INT32 = 9, 5
_STORED = {1: 4, 7: 7, 11: 10, 12: 11, 13: 11}
"""Type of the elements -> the field that holds them if they are not raw bytes; `int32_data` for all other types."""
_FIXED = {4: "<f4", 10: "<f8"}
_DATA = (4, 5, 6, 7, _RAW, 10, 11)
_INSIDE, _OUTSIDE = 0, 1


@dataclass(frozen=True)
class Place:
    """The part of a file that holds a tensor: name as in the graph, first byte, number of bytes (None: to the end)."""

    location: str
    offset: int
    length: int | None


class Tensor:
    """A constant tensor of a graph.

    Parameters
    ----------
    message : bytes or memoryview
        The message TensorProto.
    limit : FieldLimit
        Counts its fields.

    Attributes
    ----------
    name : str
    shape : tuple of int
    bits : int
        Bits of an element; 0 for strings and other types that no voice may have.
    place : Place or None
        The file that holds the elements; None if they are in the graph.

    Raises
    ------
    ValueError
        The message is damaged, or holds elements that a parser would ignore.
    """

    def __init__(self, message: Message, limit: FieldLimit) -> None:
        found = collect(message, TENSOR, limit)
        self.name = text(found, 8)
        self.shape = _shape(found, self.name, limit)
        self.kind = whole(found, 2, range(2**31), "the type of a constant")
        known = NUMPY.get(self.kind)
        self.bits = 8 * np.dtype(known).itemsize if known else _BITS.get(self.kind, 0)
        self.place = _place(found, limit)
        self._limit = limit
        self._data = {number: found[number] for number in _DATA if number in found}
        self._field = _STORED.get(self.kind, _INT32)
        fitting = () if self.place else (_RAW,) if _RAW in found else (self._field,)
        if self.bits and (3 in found or not self._data.keys() <= set(fitting)):
            raise ValueError(f"the constant {self.name[:80]!r} has elements in a field that does not fit its type")

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def floating(self) -> bool:
        """Whether the elements are floating point."""
        return self.kind in FLOATING

    @property
    def needed(self) -> int:
        """Number of bytes that the elements need in memory."""
        return (self.size * self.bits + 7) // 8

    @property
    def raw(self) -> bool:
        """Whether the elements are in the graph as their bytes in memory."""
        return _RAW in self._data

    @property
    def stored(self) -> int:
        """Bytes of the elements in the graph; each element has at least half a byte."""
        return sum(1 if isinstance(one, int) else len(one) for values in self._data.values() for one in values)

    @functools.cached_property
    def values(self) -> np.ndarray | None:
        """The elements; None if they are in a file, are many, or are of a type that numpy does not have."""
        kind = NUMPY.get(self.kind)
        if self.place or kind is None or not 0 <= self.size <= MAX_VALUES:
            return None
        if self.raw or self._field in _FIXED:
            content = b"".join(messages(self._data, _RAW if self.raw else self._field))
            found = np.frombuffer(content, kind if self.raw else _FIXED[self._field])
        else:
            found = self._integers(kind)
        if found.size != self.size:
            raise ValueError(
                f"the constant {self.name[:80]!r} has {found.size} elements, and its shape needs {self.size}"
            )
        if kind == "?" and found.view("u1").max(initial=0) > 1:
            raise ValueError(f"the constant {self.name[:80]!r} has a truth value that is not 0 or 1")
        return found.reshape(self.shape)

    def check(self) -> None:
        """Raise `ValueError` or `OverflowError` unless the elements are there, and fit the shape and the type."""
        if self.bits == 0:
            raise ValueError(f"the constant {self.name[:80]!r} has a type that no voice may have")
        if min(self.shape, default=0) < 0:
            raise ValueError(f"the constant {self.name[:80]!r} has a negative size")
        if self.place is None:
            enough = self.stored >= (self.needed if self.raw else self.size // 2)
        else:
            enough = self.place.length in (None, self.needed)
        if not enough:
            raise ValueError(f"the constant {self.name[:80]!r} of shape {list(self.shape)[:8]} has too few bytes")
        _ = self.values

    def _integers(self, kind: str) -> np.ndarray:
        """Return the elements that are stored as integers."""
        read = numbers(self._data, self._field, MAX_VALUES, f"elements in {self.name[:80]!r}", self._limit)
        if self._field == _INT32 and any(not -(2**31) <= one < 2**31 for one in read):
            raise ValueError(f"the constant {self.name[:80]!r} has an element of more than 32 bits")
        return np.array(read, np.int64).astype(kind) if kind[-2:] != "f2" else np.array(read, "<u2").view(kind)


def _shape(found: Fields, name: str, limit: FieldLimit) -> tuple[int, ...]:
    sizes = numbers(found, 1, MAX_AXES, f"axes of the constant {name[:80]!r}", limit)
    if (largest := max(sizes, default=0)) > MAX_SIZE:
        raise ValueError(f"the constant {name[:80]!r} has a size of {largest}, more than {MAX_SIZE}")
    return tuple(sizes)


def _place(found: Fields, limit: FieldLimit) -> Place | None:
    outside = whole(found, 14, range(_INSIDE, _OUTSIDE + 1), "the place of a tensor") == _OUTSIDE
    pairs = [(text(one, 1), text(one, 2)) for one in (collect(entry, ENTRY, limit) for entry in messages(found, 13))]
    place = dict(pairs)
    if len(place) < len(pairs):
        raise ValueError("the place of a tensor has an entry twice")
    if outside != bool(pairs):
        raise ValueError("a tensor has to name its place if it is in another file, and only then")
    if not outside:
        return None
    length = _decimal(place["length"]) if "length" in place else None
    return Place(place.get("location", ""), _decimal(place.get("offset", "0")), length)


def _decimal(text: str) -> int:
    """Return a number of bytes; `int` alone also reads `1_0` and ` 1`, which others read otherwise."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"the place of a tensor has {text[:80]!r}, which is not a number of bytes")
    return int(text)
