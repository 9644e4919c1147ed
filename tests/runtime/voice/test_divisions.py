"""Divisions of whole numbers that would end the process are refused; all others pass."""

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vrnn_engine.runtime.voice.graph_file.division import risky_division
from vrnn_engine.runtime.voice.graph_file.model import read_model

node = helper.make_node
LEAST = np.iinfo(np.int64).min
RUN = """
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
onnxruntime.InferenceSession(sys.stdin.buffer.read(), options, providers=["CPUExecutionProvider"]).run(None, {})
"""


def graph(*nodes: onnx.NodeProto, **constants: Any) -> bytes:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 3])] if "x" not in constants else []
    outputs = [onnx.ValueInfoProto(name=nodes[-1].output[0])]
    whole = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def to(kind: int, name: str, result: str) -> onnx.NodeProto:
    return node("Cast", [name], [result], to=kind)


def least(result: str, kind: int = TensorProto.INT64) -> onnx.NodeProto:
    value = np.array([np.iinfo(helper.tensor_dtype_to_np_dtype(kind)).min], helper.tensor_dtype_to_np_dtype(kind))
    return node("Constant", [], [result], value=numpy_helper.from_array(value))


INT32, INT64, FLOAT = TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT
ENDS = {
    "by a constant": graph(node("Div", ["n", "by"], ["y"]), x=0, n=[LEAST], by=[-1]),
    "the rest": graph(node("Mod", ["n", "by"], ["y"]), x=0, n=[LEAST], by=[-1]),
    "of a node": graph(least("n"), node("Div", ["n", "by"], ["y"]), x=0, by=[-1]),
    "by a node": graph(least("by"), node("Neg", ["one"], ["by2"]), node("Div", ["by", "by2"], ["y"]), x=0, one=[1]),
    "32 bits": graph(
        least("n", INT32), to(INT32, "m", "by"), node("Div", ["n", "by"], ["y"]), x=0, m=np.array([-1], np.float32)
    ),
    "a choice": graph(
        node("Where", ["c", "n", "n"], ["w"]), node("Div", ["w", "by"], ["y"]), x=0, c=[True], n=[LEAST], by=[-1]
    ),
}
REFUSED = ENDS | {
    "by an input": graph(to(INT64, "x", "by"), node("Div", ["n", "by"], ["y"]), n=[LEAST]),
    "of an input": graph(to(INT64, "x", "n"), node("Div", ["n", "by"], ["y"]), by=[2, -1, 3]),
    "an index": graph(node("ArgMax", ["x"], ["n"], axis=1), node("Mod", ["n", "n"], ["y"])),
}
PASS = {
    "floats": graph(node("Div", ["x", "by"], ["y"]), by=np.array([-1], np.float32)),
    "of two inputs": graph(node("Exp", ["x"], ["e"]), node("Div", ["x", "e"], ["y"])),
    "after a cast": graph(to(INT64, "x", "n"), to(FLOAT, "n", "f"), node("Div", ["f", "x"], ["y"])),
    "by two": graph(node("Shape", ["x"], ["n"]), node("Div", ["n", "two"], ["y"]), two=[2]),
    "by a node": graph(
        node("Shape", ["x"], ["n"]), node("Constant", [], ["two"], value_int=2), node("Div", ["n", "two"], ["y"])
    ),
    "a filled array": graph(node("ConstantOfShape", ["n"], ["f"]), node("Div", ["f", "x"], ["y"]), n=[3]),
}


@pytest.mark.parametrize("name", ENDS)
def test_onnxruntime_ends_the_process(name: str) -> None:
    ended = subprocess.run([sys.executable, "-c", RUN], input=ENDS[name], capture_output=True)
    assert ended.returncode == -signal.SIGFPE, ended.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_divisions_that_can_end_the_process_are_found(name: str) -> None:
    found = risky_division(read_model(REFUSED[name]).graph)
    assert found is not None
    assert found.outputs == ("y",)


@pytest.mark.parametrize("name", PASS)
def test_other_divisions_pass(name: str) -> None:
    assert risky_division(read_model(PASS[name]).graph) is None
