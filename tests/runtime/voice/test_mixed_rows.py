"""A graph whose rows depend on each other is refused, also where only a control turns this on."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import toy_voice
from support.small_graphs import small_graph

from vrnn_engine import Engine, VoiceError
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.graph.rows import check_rows
from vrnn_engine.runtime.voice.graph_file.model import read_model
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, infer
from vrnn_engine.runtime.voice.graph_file.values import ROWS
from vrnn_engine.runtime.voice.voice import Voice

node = helper.make_node
N = 4
"""Values of a row."""


def last_shape(*nodes: onnx.NodeProto, **constants: Any) -> tuple[int, ...] | None:
    """Return the shape of the last result of a graph from `x` [B, 4], as it was found without running it."""
    return list(infer(read_model(small_graph(*nodes, row=N, **constants))))[-1][0][0].shape


ONES = np.ones(N, np.float32)
SQUARE = np.ones((N, N), np.float32)
FIRST = np.array([0])
TURNED = node("Transpose", ["x"], ["t"], perm=[1, 0])
WIDE = node("Unsqueeze", ["x", "first"], ["w"])
SIGNAL = [TURNED, node("Unsqueeze", ["t", "first"], ["w"])]
COUNT = node("Shape", ["x"], ["count"], end=1)
ZERO, ONE = np.array(0), np.array(1)

MIXED: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "Gather": ([node("Gather", ["x", "first"], ["y"])], {"first": FIRST}),
    "Gather of a turned batch": ([TURNED, node("Gather", ["t", "first"], ["y"], axis=-1)], {"first": FIRST}),
    "GatherND": ([node("GatherND", ["x", "at"], ["y"])], {"at": np.array([[0]])}),
    "GatherND by places of a step": (
        [
            node("Cast", ["x"], ["all"], to=TensorProto.INT64),
            node("Slice", ["all", "first", "one", "one"], ["at"]),
            node("GatherND", ["x", "at"], ["y"]),
        ],
        {"first": FIRST, "one": [1]},
    ),
    "GatherElements": (
        [node("Cast", ["x"], ["at"], to=TensorProto.INT64), node("GatherElements", ["x", "at"], ["y"], axis=0)],
        {},
    ),
    "GatherElements of the first row": ([node("GatherElements", ["x", "at"], ["y"], axis=1)], {"at": [[0, 1]]}),
    "ScatterElements": (
        [node("Cast", ["x"], ["at"], to=TensorProto.INT64), node("ScatterElements", ["x", "at", "x"], ["y"], axis=0)],
        {},
    ),
    "ScatterND": ([node("ScatterND", ["x", "at", "z"], ["y"])], {"at": [[0]], "z": np.ones((1, N), np.float32)}),
    "ReduceMean": ([node("ReduceMean", ["x", "first"], ["y"], keepdims=1)], {"first": FIRST}),
    "ReduceMax of all axes": ([node("ReduceMax", ["x"], ["y"])], {}),
    "ArgMax": ([node("ArgMax", ["x"], ["y"], axis=0)], {}),
    "Softmax": ([node("Softmax", ["x"], ["y"], axis=0)], {}),
    "LogSoftmax of a turned batch": ([TURNED, node("LogSoftmax", ["t"], ["y"])], {}),
    "Hardmax": ([node("Hardmax", ["x"], ["y"], axis=-2)], {}),
    "LpNormalization": ([node("LpNormalization", ["x"], ["y"], axis=0)], {}),
    "LayerNormalization": ([TURNED, node("LayerNormalization", ["t", "s"], ["y"])], {"s": np.float32(1)}),
    "LayerNormalization of all axes": (
        [node("LayerNormalization", ["x", "s"], ["y"], axis=0)],
        {"s": np.float32(1)},
    ),
    "MeanVarianceNormalization": ([node("MeanVarianceNormalization", ["x"], ["y"], axes=[0])], {}),
    "InstanceNormalization": (
        [
            WIDE,
            COUNT,
            node("Expand", ["one", "count"], ["s"]),
            node("InstanceNormalization", ["w", "s", "s"], ["y"]),
        ],
        {"first": FIRST, "one": ONES[:1]},
    ),
    "CumSum": ([node("CumSum", ["x", "zero"], ["y"])], {"zero": ZERO}),
    "TopK": ([node("TopK", ["x", "one"], ["y", "at"], axis=0)], {"one": [1]}),
    "Slice backwards": (
        [node("Slice", ["x", "from", "to", "first", "by"], ["y"])],
        {"from": [-1], "to": [-(2**63)], "first": FIRST, "by": [-1]},
    ),
    "Pad that moves": ([node("Pad", ["x", "pads"], ["y"], mode="wrap")], {"pads": [1, 0, -1, 0]}),
    "MatMul": ([TURNED, node("MatMul", ["t", "x"], ["y"])], {}),
    "Gemm": ([node("Gemm", ["x", "x"], ["y"], transA=1)], {}),
    "Gemm with a bias of each row": (
        [node("Gather", ["x", "zero"], ["c"], axis=1), node("Gemm", ["x", "m", "c"], ["y"])],
        {"zero": ZERO, "m": SQUARE},
    ),
    "Conv": (
        [*SIGNAL, node("Conv", ["w", "k"], ["y"], pads=[1, 1])],
        {"first": FIRST, "k": np.ones((1, N, 3), np.float32)},
    ),
    "ConvTranspose": (
        [*SIGNAL, node("ConvTranspose", ["w", "k"], ["y"], pads=[1, 1])],
        {"first": FIRST, "k": np.ones((N, 1, 3), np.float32)},
    ),
    "AveragePool": ([*SIGNAL, node("AveragePool", ["w"], ["y"], kernel_shape=[3], pads=[1, 1])], {"first": FIRST}),
    "GRU": (
        [node("Unsqueeze", ["x", "second"], ["w"]), node("GRU", ["w", "W", "R"], ["y"], hidden_size=2)],
        {"second": [1], "W": np.ones((1, 6, N), np.float32), "R": np.ones((1, 6, 2), np.float32)},
    ),
    "DFT": (
        [node("Unsqueeze", ["x", "last"], ["w"]), node("DFT", ["w", "", "zero"], ["y"])],
        {"last": [2], "zero": ZERO},
    ),
    "GatherElements of a table with a place for each row": (
        [
            node("Cast", ["x"], ["all"], to=TensorProto.INT64),
            node("Slice", ["all", "first", "one", "one"], ["at"]),
            node("GatherElements", ["m", "at"], ["y"], axis=1),
        ],
        {"first": FIRST, "one": [1], "m": np.arange(8, dtype=np.float32).reshape(8, 1)},
    ),
    "OneHot of as many as rows": (
        [COUNT, node("OneHot", ["zero", "count", "s"], ["y"])],
        {"zero": FIRST, "s": np.float32([0, 1])},
    ),
    "TopK of as many as rows": (
        [COUNT, node("TopK", ["m", "count"], ["y", "at"], axis=0)],
        {"m": np.arange(50, dtype=np.float32)},
    ),
    "DFT of as many as rows": (
        [COUNT, node("DFT", ["m", "count", "one"], ["y"])],
        {"m": np.arange(6, dtype=np.float32).reshape(1, 3, 2), "one": ONE},
    ),
    "Reshape": ([node("Reshape", ["x", "sizes"], ["y"])], {"sizes": [2, -1]}),
    "Reshape of a turned batch": ([TURNED, node("Reshape", ["t", "sizes"], ["y"])], {"sizes": [-1, N]}),
    "Flatten": ([TURNED, node("Flatten", ["t"], ["y"], axis=0)], {}),
    "Concat and Split": ([node("Concat", ["x", "x"], ["y"], axis=0)], {}),
    "Concat with no rows": ([node("Concat", ["none", "x", "x"], ["y"], axis=0)], {"none": np.ones((0, N), np.float32)}),
    "Split": (
        [node("Reshape", ["x", "all"], ["long"]), node("Split", ["long"], ["y", "z"], axis=0, num_outputs=2)],
        {"all": [-1]},
    ),
    "Tile": ([node("Tile", ["x", "times"], ["y"])], {"times": [2, 1]}),
    "Trilu": ([node("Trilu", ["x"], ["y"])], {}),
    "a scale of each row for each column": (
        [
            node("Gather", ["x", "zero"], ["s"], axis=1),
            node("Cast", ["x"], ["whole"], to=TensorProto.INT8),
            node("DequantizeLinear", ["whole", "s"], ["y"], axis=1),
        ],
        {"zero": ZERO},
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_node_that_mixes_the_rows_of_a_batch_is_refused(name: str) -> None:
    nodes, constants = MIXED[name]
    with pytest.raises(
        SizeError, match=r"mixes the rows of a batch|takes some rows of a batch|do not fit|does not fit \["
    ):
        last_shape(*nodes, **constants)


APART: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], tuple[int, ...]]] = {
    "Gather from a table": (
        [
            node("Gather", ["x", "zero"], ["c"], axis=1),
            node("Cast", ["c"], ["at"], to=TensorProto.INT64),
            node("Gather", ["m", "at"], ["y"]),
        ],
        {"zero": ZERO, "m": SQUARE},
        (ROWS, N),
    ),
    "GatherElements": (
        [node("Cast", ["x"], ["at"], to=TensorProto.INT64), node("GatherElements", ["x", "at"], ["y"], axis=1)],
        {},
        (ROWS, N),
    ),
    "GatherND of each row": (
        [
            node("Cast", ["x"], ["at"], to=TensorProto.INT64),
            node("Slice", ["at", "first", "one", "one"], ["some"]),
            node("GatherND", ["x", "some"], ["y"], batch_dims=1),
        ],
        {"first": FIRST, "one": [1]},
        (ROWS,),
    ),
    "ReduceMean": ([node("ReduceMean", ["x", "one"], ["y"], keepdims=0)], {"one": [1]}, (ROWS,)),
    "Softmax": ([node("Softmax", ["x"], ["y"])], {}, (ROWS, N)),
    "LayerNormalization": ([node("LayerNormalization", ["x", "s"], ["y"])], {"s": ONES}, (ROWS, N)),
    "TopK": ([node("TopK", ["x", "one"], ["y", "at"])], {"one": [1]}, (ROWS, 1)),
    "CumSum": ([node("CumSum", ["x", "one"], ["y"])], {"one": ONE}, (ROWS, N)),
    "Gemm": ([node("Gemm", ["x", "m", "c"], ["y"])], {"m": SQUARE, "c": ONES}, (ROWS, N)),
    "products of each row": (
        [
            node("Unsqueeze", ["x", "one"], ["a"]),
            node("Unsqueeze", ["x", "two"], ["b"]),
            node("MatMul", ["a", "b"], ["y"]),
        ],
        {"one": [1], "two": [2]},
        (ROWS, 1, 1),
    ),
    "GRU": (
        [WIDE, node("GRU", ["w", "W", "R"], ["", "y"], hidden_size=2), node("Squeeze", ["y", "first"], ["z"])],
        {"first": FIRST, "W": np.ones((1, 6, N), np.float32), "R": np.ones((1, 6, 2), np.float32)},
        (ROWS, 2),
    ),
    "Reshape": ([node("Reshape", ["x", "sizes"], ["y"])], {"sizes": [-1, 2, 2]}, (ROWS, 2, 2)),
    "Conv": (
        [node("Unsqueeze", ["x", "one"], ["w"]), node("Conv", ["w", "k"], ["y"])],
        {"one": [1], "k": np.ones((1, 1, 2), np.float32)},
        (ROWS, 1, 3),
    ),
    "Pad": ([node("Pad", ["x", "pads"], ["y"])], {"pads": [0, 1, 0, 1]}, (ROWS, N + 2)),
    "a table for all rows": (
        [COUNT, node("Concat", ["count", "size"], ["sizes"], axis=0), node("Expand", ["m", "sizes"], ["y"])],
        {"size": [N], "m": ONES},
        (ROWS, N),
    ),
    "zeros for all rows": (
        [
            COUNT,
            node("Concat", ["count", "size"], ["sizes"], axis=0),
            node("ConstantOfShape", ["sizes"], ["zeros"]),
            node("Add", ["x", "zeros"], ["y"]),
        ],
        {"size": [N]},
        (ROWS, N),
    ),
    "a table repeated for all rows": (
        [COUNT, node("Concat", ["count", "one"], ["times"], axis=0), node("Tile", ["m", "times"], ["y"])],
        {"one": [1], "m": ONES[None]},
        (ROWS, N),
    ),
    "half of a row, by arithmetic with its size": (
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "one"], ["size"]),
            node("Add", ["size", "one"], ["more"]),
            node("Div", ["more", "two"], ["half"]),
            node("Slice", ["x", "first", "half", "one"], ["y"]),
        ],
        {"first": FIRST, "one": [1], "two": [2]},
        (ROWS, 2),
    ),
    "expand, as PyTorch exports it: -1 keeps a size": (
        [
            COUNT,
            node("Concat", ["count", "minus"], ["wanted"], axis=0),
            node("ConstantOfShape", ["two"], ["ones"], value=numpy_helper.from_array(np.array([1]))),
            node("Mul", ["ones", "minus"], ["all"]),
            node("Equal", ["wanted", "all"], ["kept"]),
            node("Where", ["kept", "ones", "wanted"], ["sizes"]),
            node("Expand", ["m", "sizes"], ["y"]),
        ],
        {"minus": [-1], "two": [2], "m": ONES},
        (ROWS, N),
    ),
    "division by the size of a row": (
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "one"], ["size"]),
            node("Cast", ["size"], ["divisor"], to=TensorProto.FLOAT),
            node("Div", ["x", "divisor"], ["y"]),
        ],
        {"one": ONE},
        (ROWS, N),
    ),
    "a quantised vector with one scale, whose axis is not read": (
        [
            node("DequantizeLinear", ["q", "s"], ["bias"]),
            node("Add", ["x", "bias"], ["y"]),
        ],
        {"q": np.ones(N, np.int8), "s": np.float32(0.5)},
        (ROWS, N),
    ),
    "quantised rows": (
        [
            node("Gather", ["x", "zero"], ["s"], axis=1),
            node("Cast", ["x"], ["whole"], to=TensorProto.INT8),
            node("DequantizeLinear", ["whole", "s"], ["y"], axis=0),
        ],
        {"zero": ZERO},
        (ROWS, N),
    ),
}


@pytest.mark.parametrize("name", APART)
def test_a_node_that_keeps_the_rows_apart_passes(name: str) -> None:
    nodes, constants, shape = APART[name]
    assert last_shape(*nodes, **constants) == shape


EIGHT = np.arange(8, dtype=np.float32)
FOR_EIGHT_ROWS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "LayerNormalization": (
        [node("LayerNormalization", ["x", "s"], ["y"])],
        {"s": np.arange(8 * N, dtype=np.float32).reshape(8, N)},
    ),
    "BatchNormalization": ([TURNED, node("BatchNormalization", ["t", "s", "s", "s", "s"], ["y"])], {"s": EIGHT + 1}),
    "GRU": (
        [WIDE, node("GRU", ["w", "W", "R", "", "lengths"], ["", "y"], hidden_size=2)],
        {
            "first": FIRST,
            "W": np.ones((1, 6, N), np.float32),
            "R": np.ones((1, 6, 2), np.float32),
            "lengths": np.ones(8, np.int32),
        },
    ),
    "QuantizeLinear": ([node("QuantizeLinear", ["x", "s"], ["y"], axis=0)], {"s": EIGHT + 1}),
    "MatMulInteger": (
        [node("Cast", ["x"], ["whole"], to=TensorProto.UINT8), node("MatMulInteger", ["whole", "m", "s"], ["y"])],
        {"m": np.ones((N, N), np.uint8), "s": np.arange(8, dtype=np.uint8)},
    ),
    "Clip": ([node("Clip", ["x", "s"], ["y"])], {"s": EIGHT[:, None]}),
}


@pytest.mark.parametrize("name", FOR_EIGHT_ROWS)
def test_a_constant_for_each_row_of_a_batch_of_eight_is_refused(name: str) -> None:
    nodes, constants = FOR_EIGHT_ROWS[name]
    with pytest.raises(SizeError, match=r"mixes the rows of a batch|does not fit|is not one number|not one scale"):
        last_shape(*nodes, **constants)


FLOAT_COUNT = [COUNT, node("Cast", ["count"], ["number"], to=TensorProto.FLOAT)]
COUNTED: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "Add": ([*FLOAT_COUNT, node("Add", ["x", "number"], ["y"])], {}),
    "Size": (
        [node("Size", ["x"], ["n"]), node("Cast", ["n"], ["number"], to=1), node("Mul", ["number", "x"], ["y"])],
        {},
    ),
    "a sine of it": ([*FLOAT_COUNT, node("Sin", ["number"], ["s"]), node("Add", ["x", "s"], ["y"])], {}),
    "a threshold": (
        [COUNT, node("Greater", ["count", "two"], ["many"]), node("Where", ["many", "x", "zero"], ["y"])],
        {"two": [2], "zero": np.float32(0)},
    ),
    "the least of values": (
        [*FLOAT_COUNT, node("Squeeze", ["number", "first"], ["n"]), node("Clip", ["x", "n"], ["y"])],
        {"first": FIRST},
    ),
    "an output": ([*FLOAT_COUNT, node("Expand", ["number", "count"], ["y"])], {}),
    "a choice": (
        [
            COUNT,
            node("Greater", ["count", "two"], ["many"]),
            node("Cast", ["many"], ["at"], to=TensorProto.INT64),
            node("Gather", ["x", "at"], ["y"], axis=1),
        ],
        {"two": [2]},
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_graph_that_computes_with_the_number_of_rows_is_refused(name: str) -> None:
    nodes, constants = COUNTED[name]
    with pytest.raises(SizeError, match="the number of rows in a batch"):
        last_shape(*nodes, **constants)


# A control that turns it on


def peeking(graph: onnx.GraphProto) -> None:
    """Add `latent.shift`, which is 0 by default, times the state of the first row, to the frame."""
    last = next(one for one in graph.node if one.output[0] == "frame")
    last.output[0] = "alone"
    for one in graph.node:
        one.input[:] = ["alone" if name == "frame" else name for name in one.input]
    graph.initializer.append(numpy_helper.from_array(np.array([0]), "first.row"))
    graph.node.append(node("Gather", ["state.h", "first.row"], ["seen"], axis=0))
    graph.node.append(node("ReduceMax", ["seen"], ["most"], axes=[1], keepdims=1))
    graph.node.append(node("ReduceMax", ["control.latent.shift"], ["peek"], axes=[1], keepdims=1))
    graph.node.append(node("Mul", ["most", "peek"], ["leak"]))
    graph.node.append(node("Add", ["alone", "leak"], ["frame"]))


def test_rows_that_a_control_mixes_are_refused_when_the_voice_is_loaded(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice", edit_step=peeking)
    for use in (Engine.load, install_voice):
        with pytest.raises(VoiceError, match=r"Gather -> seen mixes the rows of a batch.*set trust to 'size'"):
            use(folder)


def test_rows_that_a_control_mixes_are_found_by_steps(tmp_path: Path) -> None:
    voice = Voice.open(toy_voice.build(tmp_path / "voice", edit_step=peeking), "size")
    Engine.load(voice, device="cpu").stream(seed=1).read(1)
    with pytest.raises(VoiceError, match="the rows of a batch are not independent: frame changes"):
        check_rows(voice)


def test_a_size_that_may_be_the_number_of_rows_is_unknown() -> None:
    chosen = [
        COUNT,
        node("Equal", ["count", "three"], ["same"]),
        node("Where", ["same", "large", "small"], ["size"]),
        node("ConstantOfShape", ["size"], ["y"]),
    ]
    with pytest.raises(SizeError, match="depends on values that only a step computes"):
        last_shape(*chosen, three=[3], large=[1 << 20], small=[1])
