"""Nodes of a traced graph are replaced by fewer nodes that compute the same."""

import numpy as np
import onnx
import pytest
from onnx import parser

from vrnn_engine.exporters.graphs.simplify import simplify
from vrnn_engine.runtime.graph.ort import create_session
from vrnn_engine.runtime.graph.session import onnxruntime_options

SUM = """<ir_version: 8, opset_import: ["" : 20]>
    g (float[b, 2, 3] x) => (float[b, 3] y) <float[1, 2] row = {1.0, 2.0}, int64[1] axis = {-2}> {
        product = MatMul(row, x)  y = Squeeze(product, axis)
    }"""
SOFTPLUS = """<ir_version: 8, opset_import: ["" : 20]>
    g (float[b, 2, 3] x) => (float[b, 2, 3] y) <float limit = {20.0}> {
        above = Greater(x, limit)  soft = Softplus(x)  y = Where(above, x, soft)
    }"""
READ_TWICE = """<ir_version: 8, opset_import: ["" : 20]>
    g (float[b, 2, 3] x) => (float[b, 3] y, float[b, 1, 3] z) <float[1, 2] row = {1.0, 2.0}, int64[1] axis = {-2}> {
        product = MatMul(row, x)  y = Squeeze(product, axis)  z = Neg(product)
    }"""


def outputs(model, x):
    """Return the outputs of a graph for x."""
    return create_session(model.SerializeToString(), onnxruntime_options(), ["CPUExecutionProvider"]).run(
        None, {"x": x}
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [(SUM, ["MatMul"]), (SOFTPLUS, ["Softplus"]), (READ_TWICE, ["MatMul", "Squeeze", "Neg"])],
)
def test_fewer_nodes_compute_the_same(text, left):
    model = parser.parse_model(text)
    x = np.random.default_rng(0).normal(0, 20, (4, 2, 3)).astype(np.float32)
    expected = outputs(model, x)
    simplify(model)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == left
    for found, value in zip(outputs(model, x), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-6)
