"""Nodes that onnxruntime reads otherwise than ONNX defines them, or that end its process, are refused."""

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.small_graphs import computed, small_graph

from vrnn_engine.runtime.voice.graph_file.model import read_model
from vrnn_engine.runtime.voice.graph_file.rules.attributes import FLAGS
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, measure

node = helper.make_node
FRAME = np.arange(12, dtype=np.float32).reshape(3, 4)
NONE = np.zeros(0, np.int64)


def graph(*nodes: onnx.NodeProto, version: int = 20, **constants: Any) -> bytes:
    return small_graph(*nodes, row=4, version=version, **constants)


WIDE = node("Reshape", ["x", "sizes"], ["w"])
EMPTY = node("Slice", ["x", "zero", "zero", "one"], ["e"])
OTHERWISE: dict[str, tuple[bytes, str, Any]] = {
    "a flag of 2: the batch is reduced": (
        graph(node("ReduceSum", ["x"], ["y"], noop_with_empty_axes=2)),
        "its noop_with_empty_axes is neither 0 nor 1",
        lambda y: y.size == 1,
    ),
    "a flag of 2: the axis is gone": (
        graph(node("ReduceMax", ["x"], ["y"], axes=[1], keepdims=2), version=17),
        "its keepdims is neither 0 nor 1",
        lambda y: y.shape == (3,),
    ),
    "a flag of 2: old memory": (
        graph(node("Cast", ["x"], ["b"], to=TensorProto.BOOL), node("Cast", ["b"], ["y"], to=1, saturate=2)),
        "its saturate is neither 0 nor 1",
        lambda y: y.shape == (3, 4),
    ),
    "an axis of 33 bits: the batch": (
        graph(WIDE, node("Softmax", ["w"], ["y"], axis=2**32), sizes=[-1, 4, 1]),
        "its axis is more than 32 bits long",
        lambda y: np.allclose(y.sum(axis=0), 1),
    ),
    "an axis that does not exist": (
        graph(node("Softmax", ["x"], ["y"], axis=7)),
        "there is no axis 7 of 2",
        None,
    ),
    "no axes: all of size 1": (
        graph(WIDE, node("Squeeze", ["w", "none"], ["y"]), sizes=[-1, 1, 4], none=NONE),
        "it names no axes",
        lambda y: y.shape == (3, 4),
    ),
    "the place of a row": (
        graph(node("EyeLike", ["x"], ["y"])),
        "mixes the rows of a batch",
        lambda y: not np.array_equal(y[0], y[1]),
    ),
    "the places of all rows": (
        graph(
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "zero"], ["n"]),
            node("Range", ["zero", "n", "one"], ["y"]),
            zero=0,
            one=1,
        ),
        "arithmetic with the number of rows",
        lambda y: y.tolist() == [0, 1, 2],
    ),
    "an Expand to nothing, which onnxruntime leaves out": (
        graph(
            node("Slice", ["x", "zero", "one", "one"], ["c"]),
            node("Expand", ["c", "zero"], ["e"]),
            node("Sin", ["e"], ["y"]),
            zero=[0],
            one=[1],
        ),
        "it expands to an empty value",
        lambda y: y.shape == (3, 1),
    ),
    "a sum over nothing": (
        graph(EMPTY, node("MatMul", ["e", "n"], ["y"]), zero=[0], one=[1], n=np.zeros(0, np.float32)),
        "it sums over an empty axis",
        lambda y: y.shape == (3,),
    ),
    "a maximum of nothing": (
        graph(EMPTY, node("ReduceMax", ["e", "last"], ["y"], noop_with_empty_axes=1), zero=[0], one=[1], last=[-1]),
        "it reads an empty value",
        lambda y: y.size == 0,
    ),
    "a string": (
        graph(node("Cast", ["x"], ["y"], to=TensorProto.STRING)),
        "a type that no voice may have",
        lambda y: y.dtype == object,
    ),
}
"""Name -> a graph, why it is refused, and whether onnxruntime gives something else; None if it refuses the graph."""


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_onnxruntime_reads_otherwise_is_refused(name: str) -> None:
    content, message, holds = OTHERWISE[name]
    if holds is not None:
        assert holds(computed(content, x=FRAME))
    with pytest.raises(SizeError, match=message):
        measure(read_model(content))


ENDS: dict[str, tuple[bytes, str]] = {
    "more results than parts": (
        graph(node("Split", ["x"], ["y", "z", "w"], axis=1, num_outputs=1)),
        "3 parts for 3 results",
    ),
    "one of no classes": (
        small_graph(node("OneHot", ["i", "depth", "v"], ["y"]), i=[1], depth=NONE, v=np.array([0, 1], np.float32)),
        "values to unpack",
    ),
}
RUN = """
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession(sys.stdin.buffer.read(), options, providers=["CPUExecutionProvider"])
import numpy
session.run(None, {one.name: numpy.ones((3, 4), numpy.float32) for one in session.get_inputs()})
"""


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_the_process_is_refused(name: str) -> None:
    content, message = ENDS[name]
    ended = subprocess.run([sys.executable, "-c", RUN], input=content, capture_output=True)
    assert ended.returncode == -signal.SIGABRT, ended.stderr
    with pytest.raises(SizeError, match=message):
        measure(read_model(content))


OTHER_INTEGERS = """axis batch_dims block_size dtype end group hidden_size k num_groups num_outputs output_dtype p
    precision start stash_type to value_int"""


def test_each_integer_attribute_is_a_flag_or_known_to_be_none() -> None:
    found: set[str] = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain and schema.name in LISTED[""]:
            found |= {name for name, one in schema.attributes.items() if one.type == onnx.defs.OpSchema.AttrType.INT}
    assert found == FLAGS | set(OTHER_INTEGERS.split())
