"""Products in half precision, for CUDA, and the test that their values fit its range.

On the CPU, onnxruntime casts such weights to float32 when it loads them, does not round the inputs, and is as fast as
in fp32.  So a comparison on the CPU shows only the rounding of the weights.  `check_range` shows whether an input or a
product exceeds the range of half precision on the GPU.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.graphs.weights_file import copy_graph
from vrnn_engine.runtime.graph.provider import open_session
from vrnn_engine.runtime.graph.session import onnxruntime_options

PRODUCTS = ("Gemm", "MatMul")
"""Operators whose weights are reduced."""


def half_tensor(weight: TensorProto) -> TensorProto:
    """Return a weight in half precision, not transposed, so that a voice with `--half-weights` stores it only once."""
    return numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}.q16")


def half_product(node: onnx.NodeProto, weight: str, product: str) -> list[onnx.NodeProto]:
    """Return the nodes that replace a product, without its bias: a product in half precision between two casts.

    Parameters
    ----------
    node : onnx.NodeProto
        The Gemm or MatMul to replace.
    weight : str
        Name of its weight in half precision.
    product : str
        Name of the output.
    """
    half_input, half_output = f"{node.output[0]}.input16", f"{node.output[0]}.product16"
    multiply = helper.make_node(node.op_type, [half_input, weight], [half_output], name=f"{node.name}.q16")
    multiply.attribute.extend(node.attribute)
    return [
        helper.make_node("Cast", [node.input[0]], [half_input], to=TensorProto.FLOAT16),
        multiply,
        helper.make_node("Cast", [half_output], [product], to=TensorProto.FLOAT),
    ]


def check_range(model: onnx.ModelProto, given: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that inputs and outputs of the products in half precision fit its range.

    Parameters
    ----------
    model : onnx.ModelProto
        The fp16 graph, with its weights.
    given : mapping of str to array of float32
        Inputs of the graph by their full names, [B, ...].

    Raises
    ------
    ExportError
        A value is not finite in half precision.
    """
    half = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in half]
    probed = list(dict.fromkeys(name for node in products for name in (node.input[0], node.output[0])))
    if not probed:
        return
    probe = copy_graph(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT16, None) for name in probed)
    session = open_session(probe.SerializeToString(), onnxruntime_options(), "cpu")
    taken = {one.name for one in session.get_inputs()}
    found = session.run(None, {name: values for name, values in given.items() if name in taken})
    for name, values in zip(probed, found, strict=True):
        if not np.isfinite(values).all():
            raise ExportError(
                f"fp16: {name} exceeds the range of half precision, {np.finfo(np.float16).max:.0f}; "
                "no voice was written; export without the precision fp16"
            )
