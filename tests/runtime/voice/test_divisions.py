"""Divisions of whole numbers that would end the process are refused; all others pass."""

import signal
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.small_graphs import small_graph

from vrnn_engine.runtime.voice.graph_file.division import risky_division
from vrnn_engine.runtime.voice.graph_file.model import Node, read_model
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED

node = helper.make_node
LEAST = np.iinfo(np.int64).min
RUN = """
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
onnxruntime.InferenceSession(sys.stdin.buffer.read(), options, providers=["CPUExecutionProvider"]).run(None, {})
"""


def to(kind: int, name: str, result: str) -> onnx.NodeProto:
    return node("Cast", [name], [result], to=kind)


def least(result: str, kind: int = TensorProto.INT64) -> onnx.NodeProto:
    value = np.array([np.iinfo(helper.tensor_dtype_to_np_dtype(kind)).min], helper.tensor_dtype_to_np_dtype(kind))
    return node("Constant", [], [result], value=numpy_helper.from_array(value))


INT32, INT64, FLOAT = TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT
ENDS = {
    "by a constant": small_graph(node("Div", ["n", "by"], ["y"]), n=[LEAST], by=[-1]),
    "the rest": small_graph(node("Mod", ["n", "by"], ["y"]), n=[LEAST], by=[-1]),
    "of a node": small_graph(least("n"), node("Div", ["n", "by"], ["y"]), by=[-1]),
    "by a node": small_graph(least("by"), node("Neg", ["one"], ["by2"]), node("Div", ["by", "by2"], ["y"]), one=[1]),
    "32 bits": small_graph(
        least("n", INT32), to(INT32, "m", "by"), node("Div", ["n", "by"], ["y"]), m=np.array([-1], np.float32)
    ),
    "a choice": small_graph(
        node("Where", ["c", "n", "n"], ["w"]), node("Div", ["w", "by"], ["y"]), c=[True], n=[LEAST], by=[-1]
    ),
}
REFUSED = ENDS | {
    "by an input": small_graph(to(INT64, "x", "by"), node("Div", ["n", "by"], ["y"]), n=[LEAST], row=3),
    "of an input": small_graph(to(INT64, "x", "n"), node("Div", ["n", "by"], ["y"]), by=[2, -1, 3], row=3),
    "an index": small_graph(node("ArgMax", ["x"], ["n"], axis=1), node("Mod", ["n", "n"], ["y"]), row=3),
}
PASS = {
    "floats": small_graph(node("Div", ["x", "by"], ["y"]), by=np.array([-1], np.float32), row=3),
    "of two inputs": small_graph(node("Exp", ["x"], ["e"]), node("Div", ["x", "e"], ["y"]), row=3),
    "after a cast": small_graph(to(INT64, "x", "n"), to(FLOAT, "n", "f"), node("Div", ["f", "x"], ["y"]), row=3),
    "by two": small_graph(node("Shape", ["x"], ["n"]), node("Div", ["n", "two"], ["y"]), two=[2], row=3),
    "by a node": small_graph(
        node("Shape", ["x"], ["n"]),
        node("Constant", [], ["two"], value_int=2),
        node("Div", ["n", "two"], ["y"]),
        row=3,
    ),
    "a filled array": small_graph(node("ConstantOfShape", ["n"], ["f"]), node("Div", ["f", "x"], ["y"]), n=[3], row=3),
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


FLOATS = {"tensor(float)", "tensor(float16)", "tensor(double)", "tensor(bfloat16)"}
STATED = {"Cast", "Constant", "ConstantOfShape", "EyeLike"}
"""Operators whose attributes state the type of their results."""


@pytest.mark.parametrize("name", sorted(LISTED[""].keys() - STATED))
def test_a_result_is_taken_for_floating_point_only_if_onnx_says_so(name: str) -> None:
    schema = onnx.defs.get_schema(name)
    inputs, outputs = ([f"{kind}{at}" for at in range(n)] for kind, n in (("i", 8), ("o", len(schema.outputs))))
    one = Node(name, "", tuple(inputs), tuple(outputs), {})
    types = {constraint.type_param_str: set(constraint.allowed_type_strs) for constraint in schema.type_constraints}
    for floating in (set[str](), *({name} for name in inputs)):
        for result in LISTED[""][name].kind(one, floating):
            kind = schema.outputs[outputs.index(result)].type_str
            same = {f"i{at}" for at, given in enumerate(schema.inputs) if given.type_str == kind}
            assert floating & same or types.get(kind, {kind}) <= FLOATS
