"""Small ONNX graphs, written node by node."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper


def small_model(*nodes: onnx.NodeProto, row: int = 0, version: int = 20, **constants: Any) -> onnx.ModelProto:
    """Return a model whose output is the first result of its last node.

    Parameters
    ----------
    *nodes : onnx.NodeProto
        Its nodes.
    row : int
        Size of a row of its only input `x` [B, row]; 0 for no input.
    version : int
        Version of the operators.
    **constants : array_like
        Its constants.
    """
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", row])] if row else []
    outputs = [onnx.ValueInfoProto(name=nodes[-1].output[0])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=9)


def small_graph(*nodes: onnx.NodeProto, row: int = 0, version: int = 20, **constants: Any) -> bytes:
    """Return the file of `small_model`."""
    return small_model(*nodes, row=row, version=version, **constants).SerializeToString()


def computed(content: bytes, **inputs: np.ndarray) -> np.ndarray:
    """Return what onnxruntime computes with a file."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run(None, inputs)[0]
