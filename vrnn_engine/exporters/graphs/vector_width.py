"""Make elementwise operations give the same bits at every position of a batch.

onnxruntime computes some functions for four values at a time, and the remaining values at the end of a batch with
another routine, whose last bit may differ.  If the length of a row is not a multiple of four, the number of rows
decides which routine computes a value.  Measurements with onnxruntime 1.31 on x86-64 show this for the functions in
`VECTORISED`, but not for `Tanh`, `Sigmoid`, `Exp`, `Erf`, `Softmax`, products and sums.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

VECTORISED = {"Acos", "Asin", "Atan", "Celu", "Cos", "Elu", "Log", "Mish", "Selu", "Sin", "Softplus"}
"""Operators whose last bit depends on the position in the batch."""
WIDTH = 4
"""Number of values that these operators compute at a time."""
LAST, FIRST = "vector_width.last_axis", "vector_width.first_index"


def repeat_for_vectors(model: onnx.ModelProto) -> None:
    """Change a graph so that the bits of a row do not depend on the number of rows.

    Each vectorised operator whose last axis is not a multiple of four values reads every value four times side by side,
    so that each value fills a vector alone; one of the four results is kept.

    Parameters
    ----------
    model : onnx.ModelProto
        A graph with the shapes of its intermediate values; changed in place.
    """
    graph = model.graph
    values = [*graph.input, *graph.value_info, *graph.output]
    aligned = {value.name for value in values if _is_aligned(value)}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        narrow = node.op_type in VECTORISED and not aligned & {node.input[0], node.output[0]}
        nodes.extend(_repeated(node) if narrow else [node])
    if len(nodes) == len(graph.node):
        return
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), LAST))
    graph.initializer.append(numpy_helper.from_array(np.array(0, np.int64), FIRST))


def _is_aligned(value: onnx.ValueInfoProto) -> bool:
    """Return whether the last axis of a value is known to be a multiple of the vector width, and not the batch."""
    axes = value.type.tensor_type.shape.dim
    last = axes[-1] if len(axes) > 1 else None
    return last is not None and last.HasField("dim_value") and last.dim_value % WIDTH == 0


def _repeated(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return nodes that compute what a node does, from four copies of each value."""
    given, result = node.input[0], node.output[0]
    column, copies, four = (f"{result}.{name}" for name in ("column", "copies", "four"))
    changed = onnx.NodeProto()
    changed.CopyFrom(node)
    changed.input[0], changed.output[0] = copies, four
    return [
        helper.make_node("Unsqueeze", [given, LAST], [column]),
        helper.make_node("Concat", [column] * WIDTH, [copies], axis=-1),
        changed,
        helper.make_node("Gather", [four, FIRST], [result], axis=-1),
    ]
