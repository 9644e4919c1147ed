"""Weights in 16, 8 or 4 bits: a graph whose large products read a half, a quarter or an eighth of the bytes.

In 16 bits a product is one of half precision, its inputs rounded to it as well: for CUDA.  On the CPU onnxruntime casts
these weights up when it loads them, leaves the inputs as they are, and takes as long as in fp32; there, where the gate
is, all that moves is the weights.  So the gate looks by itself whether inputs and products have room in 16 bits.

In 8 and 4 bits each run of BLOCK weights of an output has a scale of its own (round to nearest, symmetric).
onnxruntime's MatMulNBits multiplies them with inputs that it rounds to 8 bits, a row at a time: rows stay independent.

A matrix that only a few rows are gathered of, as of a mixture of many components, stays in fp32: these are fewer bytes
than all of it in 4 bits.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vrnn_engine.exporters.graph import copy_of

Few = Literal["fp16", "int8", "int4"]
BITS: dict[Few, int] = {"fp16": 16, "int8": 8, "int4": 4}

BLOCK = 32
"""Weights that share a scale."""
LEAST = 4096
"""Smaller matrices stay as they are: they cost nothing."""
PRODUCTS = ("Gemm", "MatMul")
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
            rounded = _halved(weights[name]) if bits == 16 else _packed(name, matrix, bits)
            graph.initializer.extend(rounded)
            done[name] = [tensor.name for tensor in rounded]
        product = node.output[0] if node.op_type == "MatMul" or len(node.input) < 3 else f"{node.output[0]}.product"
        if bits == 16:
            nodes += _half_product(node, done[name][0], product)
        else:
            nodes.append(_few_bit_product(node, done[name], product, matrix.shape, bits))
        if product != node.output[0]:
            nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}.bias"))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    if any(node.domain == DOMAIN for node in nodes) and all(one.domain != DOMAIN for one in quantised.opset_import):
        quantised.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return quantised


def _halved(weight: TensorProto) -> list[TensorProto]:
    # As it lies: a voice that stores its weights so anyway stores them once.
    return [numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}.q16")]


def _packed(name: str, matrix: NDArray[np.float32], bits: int) -> list[TensorProto]:
    values, scales = pack(matrix, bits)
    return [
        numpy_helper.from_array(values, f"{name}.q{bits}"),
        numpy_helper.from_array(scales, f"{name}.scales{bits}"),
    ]


def _half_product(node: onnx.NodeProto, weight: str, product: str) -> list[onnx.NodeProto]:
    """Return the product without its bias, in half precision between casts."""
    half_input, half_product = f"{node.output[0]}.input16", f"{node.output[0]}.product16"
    multiply = helper.make_node(node.op_type, [half_input, weight], [half_product], name=f"{node.name}.q16")
    multiply.attribute.extend(node.attribute)
    return [
        helper.make_node("Cast", [node.input[0]], [half_input], to=TensorProto.FLOAT16),
        multiply,
        helper.make_node("Cast", [half_product], [product], to=TensorProto.FLOAT),
    ]


def _few_bit_product(
    node: onnx.NodeProto, weight: list[str], product: str, shape: tuple[int, ...], bits: int
) -> onnx.NodeProto:
    return helper.make_node(
        "MatMulNBits",
        [node.input[0], *weight],
        [product],
        name=f"{node.name}.q{bits}",
        domain=DOMAIN,
        K=shape[1],
        N=shape[0],
        bits=bits,
        block_size=BLOCK,
        accuracy_level=ACCURACY,
    )


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
    if node.op_type not in PRODUCTS or len(node.input) < 2 or node.input[1] not in weights:
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
