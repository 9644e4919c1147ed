"""Replace nodes of a traced graph by fewer nodes that compute the same."""

import onnx
from onnx import numpy_helper

LINEAR = 20.0
"""From here on, softplus(x) = log(1 + exp(x)) differs from x by less than rounding."""


def simplify(model: onnx.ModelProto) -> None:
    """Remove the case distinction from each softplus: x > threshold ? x : Softplus(x) becomes Softplus(x).

    PyTorch makes it because its formula overflows for a large x; the operator of ONNX does not.

    Parameters
    ----------
    model : onnx.ModelProto
        A traced graph; changed in place.
    """
    graph = model.graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}
    removed: list[str] = []
    for node in graph.node:
        if node.op_type != "Where" or not {node.input[0], node.input[2]} <= made.keys():
            continue
        above, softplus = made[node.input[0]], made[node.input[2]]
        x = node.input[1]
        if (above.op_type, softplus.op_type) != ("Greater", "Softplus") or not above.input[0] == softplus.input[0] == x:
            continue
        threshold = values.get(above.input[1])
        if threshold is not None and float(numpy_helper.to_array(threshold)) >= LINEAR:
            removed += [above.output[0], softplus.output[0]]
            softplus.output[0] = node.output[0]
            node.op_type = "removed"
    kept = [node for node in graph.node if node.op_type != "removed" and node.output[0] not in removed]
    del graph.node[:]
    graph.node.extend(kept)
    remove_unused_weights(graph)


def remove_unused_weights(graph: onnx.GraphProto) -> None:
    """Remove the initialisers of a graph that no node reads."""
    used = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
