"""Which results of a node are floating point; all others are whole numbers or truth values."""

from collections.abc import Callable, Container, Sequence

from vrnn_engine.runtime.voice.graph_file.literals import literal
from vrnn_engine.runtime.voice.graph_file.model import Node
from vrnn_engine.runtime.voice.graph_file.tensors import FLOATING

Kind = Callable[[Node, Container[str]], Sequence[str]]
"""Returns the results of a node that are floating point, from the names of the values before it that are."""


def always(node: Node, floating: Container[str]) -> Sequence[str]:
    """All results."""
    return node.outputs


def never(node: Node, floating: Container[str]) -> Sequence[str]:
    """No results."""
    return ()


def as_input(at: int) -> Kind:
    """Return the kind of operators whose results have the type of one input."""

    def kind(node: Node, floating: Container[str]) -> Sequence[str]:
        return node.outputs if at < len(node.inputs) and node.inputs[at] in floating else ()

    return kind


as_first = as_input(0)


def values_and_places(node: Node, floating: Container[str]) -> Sequence[str]:
    """TopK, MaxPool: the second result is the places of the first."""
    return as_first(node, floating)[:1]


def by_type(name: str) -> Kind:
    """Return the kind of operators whose results have the type in an attribute, else that of the first input."""

    def kind(node: Node, floating: Container[str]) -> Sequence[str]:
        if name not in node.attributes:
            return as_first(node, floating)
        return node.outputs if node.number(name, 0) in FLOATING else ()

    return kind


def constant(node: Node, floating: Container[str]) -> Sequence[str]:
    """Constant."""
    return node.outputs if literal(node).floating else ()


def filled(node: Node, floating: Container[str]) -> Sequence[str]:
    """ConstantOfShape: without a value, its elements are zeros in fp32."""
    given = node.attributes.get("value")
    return node.outputs if given is None or any(one.floating for one in given.tensors) else ()
