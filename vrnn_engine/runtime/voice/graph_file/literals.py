"""What the nodes Constant of a graph hold."""

from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.voice.graph_file.model import Node


@dataclass(frozen=True)
class Literal:
    """The value of a node Constant: its shape, whether it is floating point, and its elements if they are known."""

    shape: tuple[int, ...]
    floating: bool
    elements: np.ndarray | None


def literal(node: Node) -> Literal:
    """Return the value of a node Constant.

    Parameters
    ----------
    node : Node
        The node.

    Raises
    ------
    ValueError
        It has no single value, or one that is not a number.
    """
    if len(node.attributes) != 1:
        raise ValueError("a Constant has no single value")
    ((name, given),) = node.attributes.items()
    match name:
        case "value" if len(given.tensors) == 1:
            tensor = given.tensors[0]
            return Literal(tensor.shape, tensor.floating, tensor.values)
        case "value_int":
            return Literal((), False, np.array(node.number(name, 0), np.int64))
        case "value_ints":
            return Literal((len(given.numbers),), False, np.array(given.numbers, np.int64))
        case "value_float":
            return Literal((), True, None)
        case "value_floats":
            return Literal((given.floats,), True, None)
    raise ValueError(f"the {name[:80]} of a Constant is not a number")
