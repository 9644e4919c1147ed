"""Reads what the checks need of an ONNX file: operators, names, attributes, shapes and the places of tensors.

The numbers of the fields are those in `layouts.py`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vrnn_engine.runtime.voice.graph_file.layouts import (
    ATTRIBUTE,
    DIMENSION,
    GRAPH,
    MODEL,
    NODE,
    OPSET,
    SHAPE,
    TENSOR_TYPE,
    TYPE,
    VALUE_INFO,
    VALUE_OF_TYPE,
)
from vrnn_engine.runtime.voice.graph_file.protobuf import (
    FieldLimit,
    Fields,
    Message,
    collect,
    message,
    messages,
    numbers,
    text,
    whole,
)
from vrnn_engine.runtime.voice.graph_file.tensors import MAX_SIZE, MAX_VALUES, Tensor

Axes = tuple[int | None, ...]
"""Sizes of the axes of a value; None for an axis without a fixed size."""

_INT64 = range(-(2**63), 2**63)
_INT32 = range(2**31)


@dataclass(frozen=True)
class Node:
    """One node of a graph: operator, domain, names of inputs and outputs, and its attributes by name."""

    operator: str
    domain: str
    """Empty for ONNX's own operators, also where a file calls it `ai.onnx`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, "Attribute"]

    @property
    def label(self) -> str:
        """Operator and first result, for error messages."""
        return f"{self.operator[:80]} -> {(self.outputs or ('nothing',))[0][:80]}"

    def number(self, name: str, default: int) -> int:
        """Return an attribute that is an integer; writers of proto3 leave out a 0."""
        return (self.attributes[name].numbers or (0,))[-1] if name in self.attributes else default

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers; None if the node does not have it."""
        return self.attributes[name].numbers if name in self.attributes else None

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        return self.attributes[name].text if name in self.attributes else default


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
    """A graph: its nodes, constants, and the shapes of its inputs.

    `inputs` has None for a shape that the file does not state. `declared` has the shapes that the file states of
    outputs and of results of nodes.
    """

    nodes: tuple[Node, ...]
    constants: tuple[Tensor, ...]
    inputs: dict[str, Axes | None]
    outputs: tuple[str, ...]
    declared: tuple[tuple[str, Axes], ...]
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
    """Version of the operators by domain; ONNX's own domain is empty, also where the file calls it `ai.onnx`."""
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
        The content is not an ONNX file, or one that another parser may read otherwise: a field has a wire type that
        does not fit, a name or a field that has to be unique appears twice.
    TooManyFieldsError
        It has more fields.
    """
    limit = FieldLimit(most_fields)
    found = collect(content if len(content) <= _SMALL else memoryview(content), MODEL, limit)
    imports = [collect(one, OPSET, limit) for one in messages(found, 8)]
    versions = [(_domain(one, 1), whole(one, 2, _INT32, "the version of the operators")) for one in imports]
    _require_once("the domain", (domain for domain, _ in versions))
    graph = _graph(message(found, 7), 0, limit)
    return ModelFile(graph, dict(versions), len(messages(found, 25)) + len(messages(found, 20)))


_DEEPEST = 20
_SMALL = 1 << 20


def _domain(found: Fields, number: int) -> str:
    """Return the name of a domain; `ai.onnx` means ONNX's own domain, whose name is empty."""
    domain = text(found, number)
    return "" if domain == "ai.onnx" else domain


def _require_once(what: str, names: Iterable[str]) -> None:
    """Raise `ValueError` if a name appears twice."""
    every = tuple(names)
    if len(set(every)) < len(every):
        raise ValueError(f"{what} {Counter(every).most_common(1)[0][0][:80]!r} is given twice")


def _graph(content: Message, depth: int, limit: FieldLimit) -> GraphFile:
    if depth > _DEEPEST:
        raise ValueError(f"graphs are nested more than {_DEEPEST} deep")
    found = collect(content, GRAPH, limit)
    nodes = tuple(_node(one, depth, limit) for one in messages(found, 1))
    constants = tuple(Tensor(one, limit) for one in messages(found, 5))
    values = _Values(limit)
    inputs, outputs, others = ([values.read(one) for one in messages(found, number)] for number in (11, 12, 13))
    graph = GraphFile(
        nodes,
        constants,
        dict(inputs),
        tuple(name for name, _ in outputs),
        tuple((name, axes) for name, axes in (*outputs, *others) if axes is not None),
        15 in found,
    )
    _check_names(graph, [name for name, _ in inputs])
    return graph


def _check_names(graph: GraphFile, inputs: list[str]) -> None:
    """Raise `ValueError` if a name could mean two values; a constant may be the default of an input."""
    constants = [tensor.name for tensor in graph.constants]
    if "" in constants or "" in inputs:
        raise ValueError("an input or a constant has no name")
    results = [name for node in graph.nodes for name in node.outputs if name]
    _require_once("the input", inputs)
    _require_once("the output", graph.outputs)
    _require_once("the value", [*constants, *results])
    _require_once("the value", [*inputs, *results])


def _node(content: Message, depth: int, limit: FieldLimit) -> Node:
    found = collect(content, NODE, limit)
    attributes = [_attribute(one, depth, limit) for one in messages(found, 5)]
    _require_once("the attribute", (name for name, _ in attributes))
    inputs, outputs = (tuple(bytes(one).decode() for one in messages(found, number)) for number in (1, 2))
    return Node(text(found, 4), _domain(found, 7), inputs, outputs, dict(attributes))


def _attribute(content: Message, depth: int, limit: FieldLimit) -> tuple[str, Attribute]:
    found = collect(content, ATTRIBUTE, limit)
    name = text(found, 1)
    held = VALUE_OF_TYPE.get(whole(found, 20, _INT32, "the type of an attribute"))
    if 21 in found or not found.keys() & set(VALUE_OF_TYPE.values()) <= {held}:
        raise ValueError(f"the attribute {name[:80]!r} has a value that does not fit its type")
    single = whole(found, 3, _INT64, "an attribute")
    read = Attribute(
        (single,) if 3 in found else tuple(numbers(found, 8, MAX_VALUES, "integers in an attribute", limit)),
        sum(len(one) // 4 for one in messages(found, 7)),
        bytes(message(found, 4)).decode(errors="replace"),
        tuple(Tensor(one, limit) for one in [*messages(found, 5), *messages(found, 10)]),
        tuple(_graph(one, depth + 1, limit) for one in [*messages(found, 6), *messages(found, 11)]),
        22 in found or 23 in found,
    )
    return name, read


class _Values:
    """Reads the names and shapes that a file states of values, each type that several values have once."""

    def __init__(self, limit: FieldLimit) -> None:
        self._limit = limit
        self._known: dict[bytes, Axes | None] = {}

    def read(self, content: Message) -> tuple[str, Axes | None]:
        """Return the name and the shape of a value; None if the file states no shape."""
        found = collect(content, VALUE_INFO, self._limit)
        kind = bytes(message(found, 2))
        if kind not in self._known:
            self._known[kind] = self._axes(kind)
        return text(found, 1), self._known[kind]

    def _axes(self, content: bytes) -> Axes | None:
        kind = collect(content, TYPE, self._limit)
        if len(kind) > 1:
            raise ValueError("a value has two types")
        tensor = collect(message(kind, 1), TENSOR_TYPE, self._limit)
        if 2 not in tensor:
            return None
        axes = messages(collect(message(tensor, 2), SHAPE, self._limit), 1)
        return tuple(_axis(collect(axis, DIMENSION, self._limit)) for axis in axes)


def _axis(found: Fields) -> int | None:
    """Return the size of an axis; None if the file gives no size."""
    if len(found) > 1:
        raise ValueError("an axis has a size and a name")
    return whole(found, 1, range(MAX_SIZE + 1), "the size of an axis") if 1 in found else None
