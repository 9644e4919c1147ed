"""Every node of the bundled graphs, in each precision, has a kernel of onnxruntime's CUDA provider."""

import functools
import itertools

import onnx
import pytest
from onnx import TensorProto

from vrnn_engine import Voice
from vrnn_engine.exporters.precision.quantise import BITS, quantise

VOICES = ("blizzard", "handwriting")
FLOAT, DOUBLE, HALF = "float", "double", "float16"
ANY = {FLOAT, DOUBLE, HALF, "int64", "int32", "bool"}
"""Types of operators that only move values."""
REAL = {FLOAT, DOUBLE, HALF}
BOOL = {"bool"}
MOVES = ("Concat", "Expand", "Gather", "GatherElements", "Identity", "Reshape", "Slice", "Split")
SHAPES = ("Cast", "Shape", "Squeeze", "Transpose", "Unsqueeze")
FUNCTIONS = ("Abs", "Ceil", "Clip", "Cos", "Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Sigmoid", "Sin", "Sqrt")
ACTIVATIONS = ("LogSoftmax", "Relu", "Softmax", "Softplus", "Tanh")
ARITHMETIC = ("Add", "Div", "Gemm", "MatMul", "Max", "Min", "Mul", "Pow", "Sub")
REDUCTIONS = ("ReduceLogSumExp", "ReduceMean", "ReduceSum", "ReduceSumSquare")
KERNELS = {
    **dict.fromkeys((*MOVES, *SHAPES), ANY),
    **dict.fromkeys((*FUNCTIONS, *ACTIVATIONS, *REDUCTIONS), REAL),
    **dict.fromkeys(ARITHMETIC, REAL),
    **dict.fromkeys(("Add", "Sub", "Mul", "Max", "Min"), REAL | {"int64", "int32"}),
    **dict.fromkeys(("Equal", "Greater", "Less", "Where"), REAL | {"int64", "int32", "bool"}),
    **dict.fromkeys(("And", "Not", "Or"), BOOL),
    **dict.fromkeys(("ArgMax", "ReduceMax"), REAL | {"int64"}),
    "Pad": REAL | BOOL,
    "MatMulNBits": {FLOAT, HALF, "uint8"},
}
"""For each operator that the graphs may have, the types of its inputs and outputs in docs/OperatorKernels.md of
onnxruntime 1.31.  Scalars that only give a shape, an axis or an index are int64 and stay on the CPU."""
NODES = {"blizzard": 190, "handwriting": 205}
"""Most nodes of a step that depend on its inputs, in fp32."""


@functools.cache
def steps(name: str) -> dict[str, onnx.ModelProto]:
    """Return the graphs of a voice in fp32, and what an export writes in the other precisions."""
    voice = Voice.open(name)
    graphs = {graph.file: onnx.load(voice.path / graph.file) for graph in voice.manifest.graphs}
    reduced = {
        f"{file} {p}": quantise(model, bits)
        for (file, model), (p, bits) in itertools.product(graphs.items(), BITS.items())
    }
    return graphs | reduced


def live_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes that depend on an input of the graph; onnxruntime computes the others once."""
    known = {one.name for one in model.graph.input} - {one.name for one in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if known & set(node.input):
            known.update(node.output)
            found.append(node)
    return found


def without_kernel(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """Return operators and types for which CUDA has no kernel."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    kinds = {value.name: value.type.tensor_type.elem_type for value in values}
    kinds |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    missing = set()
    for node in live_nodes(model):
        for name in filter(None, [*node.input, *node.output]):
            kind = TensorProto.DataType.Name(kinds[name]).lower() if name in kinds else FLOAT
            is_shape = kind == "int64" and name in {tensor.name for tensor in graph.initializer}
            if not is_shape and kind not in KERNELS.get(node.op_type, ()):
                missing.add((node.op_type, kind))
    return missing


@pytest.mark.parametrize("name", VOICES)
def test_cuda_has_a_kernel_for_every_node(name):
    found = {file: without_kernel(model) for file, model in steps(name).items()}
    assert len(found) == len(Voice.open(name).manifest.graphs) * (1 + len(BITS))
    assert {file: missing for file, missing in found.items() if missing} == {}


def test_a_node_without_a_kernel_is_found():
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 20]>
        step (float[b, 8, 2] x, double[b, 2] y) => (float[b, 8, 2] z, double[b, 2] w) { z = DFT(x)  w = Atan(y) }"""
    )
    assert without_kernel(model) == {("DFT", "float"), ("Atan", "double")}


@pytest.mark.parametrize("name", VOICES)
def test_a_step_has_few_nodes(name):
    assert len(live_nodes(steps(name)["step.onnx"])) <= NODES[name]
