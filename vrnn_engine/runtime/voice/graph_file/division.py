"""Finds divisions of whole numbers that end the process: the least number divided by -1 has no result (SIGFPE)."""

import numpy as np

from vrnn_engine.runtime.voice.graph_file.model import GraphFile, Node
from vrnn_engine.runtime.voice.graph_file.tensors import Tensor

_FLOATS = {1, 10, 11, 16}
"""Types of floating point in ONNX: float32, float16, float64, bfloat16."""
_NAMES = """And ArgMax ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor DynamicQuantizeLinear Equal
    Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual MatMulInteger Not Or QuantizeLinear Shape Size Xor"""
_WHOLE = frozenset(_NAMES.split())
"""Operators whose results are never floating point."""
_TYPED_BY = {"Where": 1, "OneHot": 2}
"""Operator -> the input whose type its results have; for all others it is the first."""


def risky_division(graph: GraphFile) -> Node | None:
    """Return a node that divides whole numbers by -1, or by a number that is not a constant; None if there is none.

    The inputs of a graph are floating point: a session refuses others.

    Parameters
    ----------
    graph : GraphFile
        The graph.
    """
    constants = {one.name: one.values for one in graph.constants}
    floats = graph.inputs.keys() - constants.keys()
    floats |= {one.name for one in graph.constants if one.kind in _FLOATS}
    for node in graph.nodes:
        if node.operator in ("Div", "Mod") and node.inputs[:1] and node.inputs[0] not in floats:
            divisor = constants.get(node.inputs[-1])
            if divisor is None or (divisor == -1).any():
                return node
        tensor = _tensor(node)
        if node.operator == "Constant":
            whole = node.numbers("value_int") or node.numbers("value_ints") or ()
            constants |= dict.fromkeys(node.outputs, np.array(whole) if tensor is None else tensor.values)
        if _makes_floats(node, floats, tensor):
            floats |= set(node.outputs[: 1 if node.operator == "TopK" else None])
    return None


def _makes_floats(node: Node, floats: set[str], tensor: Tensor | None) -> bool:
    """Return whether the results of a node are floating point; its last ones may be whole numbers (TopK)."""
    match node.operator:
        case "Cast":
            return node.number("to", 0) in _FLOATS
        case "Constant":
            names = node.attributes.keys()
            return tensor.kind in _FLOATS if tensor is not None else bool(names & {"value_float", "value_floats"})
        case "ConstantOfShape":
            return tensor is None or tensor.kind in _FLOATS
        case "EyeLike" if "dtype" in node.attributes:
            return node.number("dtype", 0) in _FLOATS
        case "DequantizeLinear":
            return True
        case operator if operator in _WHOLE:
            return False
    at = _TYPED_BY.get(node.operator, 0)
    return at < len(node.inputs) and node.inputs[at] in floats


def _tensor(node: Node) -> Tensor | None:
    """Return the constant in a node."""
    given = node.attributes.get("value")
    return given.tensors[0] if given is not None and given.tensors else None
