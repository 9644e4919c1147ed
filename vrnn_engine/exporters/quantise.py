"""Weights in 8 or 4 bits: a graph whose large products read a quarter or an eighth of the bytes.

Each run of BLOCK weights of an output has a scale of its own (round to nearest, symmetric).  onnxruntime's
MatMulNBits multiplies them with inputs that it rounds to 8 bits, a row at a time: rows stay independent.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vrnn_engine.exporters.graph import copy_of

Few = Literal["int8", "int4"]
BITS: dict[Few, int] = {"int8": 8, "int4": 4}

BLOCK = 32
"""Weights that share a scale."""
LEAST = 4096
"""Smaller matrices stay as they are: they cost nothing."""
DOMAIN = "com.microsoft"
ACCURACY = 4
"""MatMulNBits: inputs in 8 bits, which is what makes it fast."""


def quantise(model: onnx.ModelProto, bits: int, exact: Iterable[NDArray[np.float32]] = ()) -> onnx.ModelProto:
    """Return a copy of a graph with its large constant matrices in so many bits, but for those that are `exact`.

    These are no weights: filters and transforms of signals, which would no longer be the inverses of each other.
    """
    kept = {part.tobytes() for matrix in exact for part in (matrix, matrix.T)}
    quantised = copy_of(model)
    graph = quantised.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    done: dict[str, list[str]] = {}
    for node in graph.node:
        matrix = _matrix(node, weights)
        if matrix is None or matrix.tobytes() in kept:
            nodes.append(node)
            continue
        name = node.input[1]
        if name not in done:
            done[name] = [f"{name}.q{bits}", f"{name}.scales{bits}"]
            values, scales = pack(matrix, bits)
            graph.initializer.append(numpy_helper.from_array(values, done[name][0]))
            graph.initializer.append(numpy_helper.from_array(scales, done[name][1]))
        product = node.output[0] if node.op_type == "MatMul" or len(node.input) < 3 else f"{node.output[0]}.product"
        nodes.append(
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *done[name]],
                [product],
                name=f"{node.name}.q{bits}",
                domain=DOMAIN,
                K=matrix.shape[1],
                N=matrix.shape[0],
                bits=bits,
                block_size=BLOCK,
                accuracy_level=ACCURACY,
            )
        )
        if product != node.output[0]:
            nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}.bias"))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    if done and all(entry.domain != DOMAIN for entry in quantised.opset_import):
        quantised.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return quantised


def pack(matrix: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return weights [N, K] as MatMulNBits reads them: [N, K / BLOCK, BLOCK * bits / 8] and scales [N, K / BLOCK]."""
    rows, columns = matrix.shape
    blocks = -(-columns // BLOCK)
    padded = np.zeros((rows, blocks * BLOCK), np.float32)
    padded[:, :columns] = matrix
    padded = padded.reshape(rows, blocks, BLOCK)
    most = 2 ** (bits - 1) - 1
    scales = np.abs(padded).max(-1) / most
    whole = np.rint(padded / np.where(scales > 0, scales, 1)[..., None]).astype(np.int16) + most + 1
    values = whole.astype(np.uint8)
    if bits == 4:  # two a byte, the first one low
        values = values[..., ::2] | values[..., 1::2] << 4
    return values, scales.astype(np.float32)


def _matrix(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> NDArray[np.float32] | None:
    """Return the large constant matrix [N, K] that a product has on its right, or None."""
    if node.op_type not in ("Gemm", "MatMul") or len(node.input) < 2 or node.input[1] not in weights:
        return None
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if any(
        attributes.get(name, default) != default for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))
    ):
        return None
    matrix = numpy_helper.to_array(weights[node.input[1]])
    if matrix.ndim != 2 or matrix.dtype != np.float32 or matrix.size < LEAST:
        return None
    return matrix if attributes.get("transB", 0) else matrix.T
