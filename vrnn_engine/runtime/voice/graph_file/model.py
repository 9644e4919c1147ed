"""Reads what the checks need of an ONNX file: operators, names, attributes, shapes and the places of tensors.

The numbers of the fields are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.voice.graph_file.protobuf import (
    Field,
    FieldLimit,
    Message,
    collect,
    merged,
    messages,
    numbers,
    text,
)

MAX_VALUES = 4096
"""Largest number of elements of a constant whose values are read; larger ones are weights."""
MAX_SIZE = 2**61 - 2
"""Largest size of an axis of a constant."""
MAX_AXES = 64
"""Most axes of a constant."""

_NUMPY = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
_NUMPY |= {12: "<u4", 13: "<u8"}
_BITS = {16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4}
"""Types without a counterpart in numpy: bfloat16, four of 8 bits, two of 4 bits."""
_TYPED = {4: "<f4", 10: "<f8"}
_VARINTS = (5, 7, 11)


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
    """

    def __init__(self, message: Message, limit: FieldLimit) -> None:
        found = collect(message, limit)
        self.name = text(found.get(8, []))
        self.shape = _shape(numbers(found.get(1, [])), self.name)
        self._kind = (numbers(found.get(2, [])) or [0])[-1]
        known = _NUMPY.get(self._kind)
        self.bits = 8 * np.dtype(known).itemsize if known else _BITS.get(self._kind, 0)
        self.place = _place(messages(found.get(13, [])), limit)
        self._data = {number: found[number] for number in (9, *_TYPED, *_VARINTS) if number in found}

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def raw(self) -> bool:
        """Whether the elements are in the graph as their bytes in memory."""
        return 9 in self._data

    @property
    def stored(self) -> int:
        """Bytes of the elements in the graph; each element has at least half a byte."""
        return sum(1 if isinstance(one, int) else len(one) for values in self._data.values() for one in values)

    @functools.cached_property
    def values(self) -> np.ndarray | None:
        """The elements; None if they are in a file, are many, or are of a type that numpy does not have."""
        kind = _NUMPY.get(self._kind)
        if self.place or kind is None or not 0 <= self.size <= MAX_VALUES:
            return None
        if 9 in self._data:
            found = np.frombuffer(messages(self._data[9])[-1], kind)
        elif typed := next((number for number in _TYPED if number in self._data), 0):
            found = np.frombuffer(merged(self._data[typed]), _TYPED[typed])
        else:
            whole = [one for number in _VARINTS for one in numbers(self._data.get(number, []))]
            found = np.array(whole, np.int64).astype(kind) if kind[-2:] != "f2" else np.array(whole, "<u2").view(kind)
        if found.size != self.size:
            raise ValueError(
                f"the constant {self.name[:80]!r} has {found.size} elements, and its shape needs {self.size}"
            )
        return found.reshape(self.shape)

    def check_values(self) -> None:
        """Read the elements; raise `ValueError` or `OverflowError` if they do not fit the shape or the type."""
        _ = self.values


@dataclass(frozen=True)
class Node:
    """One node of a graph: operator, domain, names of inputs and outputs, and its attributes by name."""

    operator: str
    domain: str
    """Empty for ONNX's own operators, also where a file calls it `ai.onnx`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, "Attribute"]

    def number(self, name: str, default: int) -> int:
        """Return an attribute that is an integer; writers of proto3 leave out a 0."""
        return (self.attributes[name].numbers or (0,))[-1] if name in self.attributes else default

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers; None if the node does not have it."""
        return self.attributes[name].numbers if name in self.attributes else None


@dataclass(frozen=True)
class Attribute:
    """An attribute of a node, as far as the checks read it: integers, the number of floats, text, tensors, graphs."""

    numbers: tuple[int, ...]
    floats: int
    text: str
    tensors: tuple[Tensor, ...]
    graphs: tuple["GraphFile", ...]
    sparse: bool


@dataclass(frozen=True)
class GraphFile:
    """A graph: its nodes, constants, and the shapes of its inputs, in which None is an axis without a fixed size."""

    nodes: tuple[Node, ...]
    constants: tuple[Tensor, ...]
    inputs: dict[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    sparse: bool

    def tensors(self) -> Iterator[Tensor]:
        """Yield the constants of the graph, of its nodes and of the graphs in its nodes."""
        yield from self.constants
        for node in self.nodes:
            for attribute in node.attributes.values():
                yield from attribute.tensors
                for inner in attribute.graphs:
                    yield from inner.tensors()


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file: its graph, the versions of its operators by domain, and the number of its functions."""

    graph: GraphFile
    versions: dict[str, int]
    functions: int


def read_model(content: bytes | memoryview, most_fields: int | None = None) -> ModelFile:
    """Read an ONNX file.

    Parameters
    ----------
    content : bytes
        Content of the file.
    most_fields : int, optional
        Largest number of fields of all its messages; by default any number.

    Raises
    ------
    ValueError
        The content is not an ONNX file.
    TooManyFieldsError
        It has more fields.
    """
    limit = FieldLimit(most_fields)
    found = collect(content if len(content) <= _SMALL else memoryview(content), limit)
    imports = [collect(one, limit) for one in messages(found.get(8, []))]
    versions = {text(one.get(1, [])): (numbers(one.get(2, [])) or [0])[-1] for one in imports}
    graph = _graph(merged(found.get(7, [])), 0, limit)
    return ModelFile(graph, versions, len(found.get(25, [])) + len(found.get(20, [])))


_DEEPEST = 20
_SMALL = 1 << 20


def _graph(message: Message, depth: int, limit: FieldLimit) -> GraphFile:
    if depth > _DEEPEST:
        raise ValueError(f"graphs are nested more than {_DEEPEST} deep")
    found = collect(message, limit)
    return GraphFile(
        tuple(_node(one, depth, limit) for one in messages(found.get(1, []))),
        tuple(Tensor(one, limit) for one in messages(found.get(5, []))),
        dict(_input(one, limit) for one in messages(found.get(11, []))),
        tuple(text(collect(one, limit).get(1, [])) for one in messages(found.get(12, []))),
        15 in found,
    )


def _node(message: Message, depth: int, limit: FieldLimit) -> Node:
    found = collect(message, limit)
    attributes = dict(_attribute(one, depth, limit) for one in messages(found.get(5, [])))
    inputs, outputs = (tuple(bytes(one).decode() for one in messages(found.get(number, []))) for number in (1, 2))
    domain = text(found.get(7, []))
    return Node(text(found.get(4, [])), "" if domain == "ai.onnx" else domain, inputs, outputs, attributes)


def _attribute(message: Message, depth: int, limit: FieldLimit) -> tuple[str, Attribute]:
    found = collect(message, limit)
    tensors = [merged(found[5])] if 5 in found else []
    graphs = [merged(found[6])] if 6 in found else []
    content = Attribute(
        tuple(numbers([one for number in (3, 8) for one in found.get(number, [])])),
        sum(len(one) // 4 for one in messages(found.get(7, []))),
        bytes(messages(found[4])[-1]).decode(errors="replace") if 4 in found else "",
        tuple(Tensor(one, limit) for one in [*tensors, *messages(found.get(10, []))]),
        tuple(_graph(one, depth + 1, limit) for one in [*graphs, *messages(found.get(11, []))]),
        22 in found or 23 in found,
    )
    return text(found.get(1, [])), content


def _input(message: Message, limit: FieldLimit) -> tuple[str, tuple[int | None, ...]]:
    found = collect(message, limit)
    kind = collect(_first(found, 2), limit)
    shape = collect(_first(collect(_first(kind, 1), limit), 2), limit)
    axes = [collect(one, limit) for one in messages(shape.get(1, []))]
    return text(found.get(1, [])), tuple(_axis(axis[1]) if 1 in axis else None for axis in axes)


def _axis(values: list[Field]) -> int:
    if not (found := numbers(values)):
        raise ValueError("the size of an axis is no number")
    return found[-1]


def _shape(sizes: list[int], name: str) -> tuple[int, ...]:
    if len(sizes) > MAX_AXES:
        raise ValueError(f"the constant {name[:80]!r} has {len(sizes)} axes, more than {MAX_AXES}")
    if (largest := max(sizes, default=0)) > MAX_SIZE:
        raise ValueError(f"the constant {name[:80]!r} has a size of {largest}, more than {MAX_SIZE}")
    return tuple(sizes)


def _first(found: dict[int, list[Field]], number: int) -> Message:
    return merged(found.get(number, []))


def _place(entries: list[Message], limit: FieldLimit) -> Place | None:
    if not entries:
        return None
    pairs = [(text(one.get(1, [])), text(one.get(2, []))) for one in (collect(entry, limit) for entry in entries)]
    place = dict(pairs)
    if len(place) < len(pairs):
        raise ValueError("the place of a tensor has an entry twice")
    length = int(place["length"]) if "length" in place else None
    found = Place(place.get("location", ""), int(place.get("offset", 0)), length)
    if found.offset < 0 or (length or 0) < 0:
        raise ValueError("the place of a tensor is before the start of its file")
    return found
