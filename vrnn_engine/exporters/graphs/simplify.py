"""Replace nodes of a traced graph by fewer nodes that compute the same."""

import onnx
from onnx import numpy_helper

LINEAR = 20.0
"""From here on, softplus(x) = log(1 + exp(x)) differs from x by less than rounding."""


def simplify(model: onnx.ModelProto) -> None:
    """Remove the case distinction from each softplus, and the axis of length 1 from each weighted sum of rows.

    Parameters
    ----------
    model : onnx.ModelProto
        A traced graph; changed in place.
    """
    _simplify_softplus(model.graph)
    _simplify_sums(model.graph)
    remove_unused_weights(model.graph)


def _simplify_softplus(graph: onnx.GraphProto) -> None:
    """Replace x > threshold ? x : Softplus(x) by Softplus(x).

    PyTorch makes the case distinction because its formula overflows for a large x; the operator of ONNX does not.
    """
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


def _simplify_sums(graph: onnx.GraphProto) -> None:
    """Replace the product with a row [1, N], and the removal of its axis, by the product with a vector [N]."""
    values = {tensor.name: tensor for tensor in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}
    for node in list(graph.node):
        product = made.get(node.input[0]) if node.op_type == "Squeeze" else None
        if product is None or product.op_type != "MatMul" or len(node.input) < 2:
            continue
        if not {product.input[0], node.input[1]} <= values.keys():
            continue
        row, axes = (numpy_helper.to_array(values[name]) for name in (product.input[0], node.input[1]))
        readers = sum(product.output[0] in other.input for other in graph.node)
        readers += sum(product.output[0] == output.name for output in graph.output)
        if row.ndim == 2 and len(row) == 1 and axes.tolist() == [-2] and readers == 1:
            name = f"{product.input[0]}.vector"
            if name not in values:
                values[name] = numpy_helper.from_array(row[0], name)
                graph.initializer.append(values[name])
            product.input[0], product.output[0] = name, node.output[0]
            graph.node.remove(node)


def remove_unused_weights(graph: onnx.GraphProto) -> None:
    """Remove the initialisers of a graph that no node reads."""
    used = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
