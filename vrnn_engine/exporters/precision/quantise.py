"""Replace products with large weight matrices by products in 16, 8 or 4 bits, which read fewer bytes.

If a step gathers only some rows of a matrix, as for a mixture with many components, the matrix stays in fp32: these
rows have fewer bytes than the whole matrix in 4 bits.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vrnn_engine.exporters.graphs.simplify import remove_unused_weights
from vrnn_engine.exporters.graphs.weights_file import copy_graph
from vrnn_engine.exporters.precision.half import PRODUCTS, half_product, half_tensor
from vrnn_engine.exporters.precision.nbits import DOMAIN, nbits_product, pack_tensors

ReducedPrecision = Literal["fp16", "int8", "int4"]
BITS: dict[ReducedPrecision, int] = {"fp16": 16, "int8": 8, "int4": 4}
"""Number of bits of a weight in each reduced precision."""

MIN_WEIGHTS = 4096
"""Matrices with fewer weights stay in fp32: the time to read them is negligible."""


def quantise(model: onnx.ModelProto, bits: int, exact: Iterable[NDArray[np.float32]] = ()) -> onnx.ModelProto:
    """Return a copy of a graph with its large weights in fewer bits.

    Parameters
    ----------
    model : onnx.ModelProto
        A graph in fp32, with its weights.
    bits : int
        16, 8 or 4.
    exact : iterable of array
        Matrices that stay in fp32 because they are not weights but filters and transforms: if they were rounded, they
        would no longer be inverses of each other.
    """
    kept = {part.tobytes() for matrix in exact for part in (matrix, matrix.T)}
    quantised = copy_graph(model)
    graph = quantised.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    done: dict[str, list[str]] = {}
    for node in graph.node:
        matrix = _large_weight(node, weights)
        if matrix is None or matrix.tobytes() in kept:
            nodes.append(node)
            continue
        name = node.input[1]
        if name not in done:
            rounded = [half_tensor(weights[name])] if bits == 16 else pack_tensors(name, matrix, bits)
            graph.initializer.extend(rounded)
            done[name] = [tensor.name for tensor in rounded]
        nodes += _replace(node, done[name], matrix.shape, bits)
    del graph.node[:]
    graph.node.extend(nodes)
    remove_unused_weights(graph)
    if any(node.domain == DOMAIN for node in nodes) and all(one.domain != DOMAIN for one in quantised.opset_import):
        quantised.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return quantised


def _large_weight(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> NDArray[np.float32] | None:
    """Return the large constant matrix [N, K] on the right of a product, or None if the node is no such product."""
    if node.op_type not in PRODUCTS or len(node.input) < 2 or node.input[1] not in weights:
        return None
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if any(
        attributes.get(name, default) != default for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))
    ):
        return None
    matrix = numpy_helper.to_array(weights[node.input[1]])
    if matrix.ndim != 2 or matrix.dtype != np.float32 or matrix.size < MIN_WEIGHTS:
        return None
    return matrix if attributes.get("transB", 0) else matrix.T


def _replace(node: onnx.NodeProto, weights: list[str], shape: tuple[int, ...], bits: int) -> list[onnx.NodeProto]:
    """Return the nodes that replace a product, and the sum with its bias if it has one."""
    has_bias = node.op_type == "Gemm" and len(node.input) > 2
    product = f"{node.output[0]}.product" if has_bias else node.output[0]
    if bits == 16:
        nodes = half_product(node, weights[0], product)
    else:
        nodes = [nbits_product(node, weights, product, shape, bits)]
    if has_bias:
        nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}.bias"))
    return nodes
