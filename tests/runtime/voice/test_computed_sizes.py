"""Sizes that a graph computes from constants are those that onnxruntime computes, or are not known."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.small_graphs import computed, small_graph

from vrnn_engine.runtime.voice.graph_file.model import read_model
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, infer, measure

node = helper.make_node
VAST = 2**61 - 1
"""Stands for the number of rows while the sizes are computed."""


SIZES: dict[str, bytes] = {
    "int32": small_graph(node("Cast", ["n"], ["y"], to=TensorProto.INT32), n=[2**32 + 5]),
    "truth": small_graph(
        node("Cast", ["n"], ["t"], to=TensorProto.BOOL), node("Cast", ["t"], ["y"], to=TensorProto.INT64), n=[7]
    ),
    "a large quotient": small_graph(node("Div", ["n", "by"], ["y"]), n=[2**53 + 1, -7], by=[1, 2]),
    "statistics": small_graph(
        node("LayerNormalization", ["x", "s"], ["n", "mean"]),
        node("Shape", ["mean"], ["y"]),
        x=np.ones((2, 8), np.float32),
        s=np.ones(8, np.float32),
    ),
    "an empty stack": small_graph(
        node("MatMul", ["a", "b"], ["m"]),
        node("Shape", ["m"], ["y"]),
        a=np.ones((0, 2, 2), np.float32),
        b=np.ones((1, 2, 2), np.float32),
    ),
}


SIGNAL = np.arange(28, dtype=np.float32).reshape(1, 2, 14)
WINDOWS: dict[str, tuple[str, dict[str, Any]]] = {
    "a decoder's layer": ("ConvTranspose", {"strides": [4], "pads": [2, 2]}),
    "its groups": ("ConvTranspose", {"group": 2, "strides": [3], "output_padding": [2], "dilations": [2]}),
    "a mean": ("AveragePool", {"kernel_shape": [3], "strides": [2], "pads": [1, 2], "count_include_pad": 1}),
    "a maximum": ("MaxPool", {"kernel_shape": [3], "dilations": [2], "pads": [0, 2]}),
    "a mean of all": ("GlobalAveragePool", {}),
}
for _name, (_operator, _attributes) in WINDOWS.items():
    _weights = ["k"] if _operator == "ConvTranspose" else []
    SIZES[_name] = small_graph(
        node(_operator, ["x", *_weights], ["m"], **_attributes),
        node("Shape", ["m"], ["y"]),
        x=SIGNAL,
        k=np.ones((2, 3, 8), np.float32),
    )


@pytest.mark.parametrize("name", SIZES)
def test_a_size_is_the_one_that_onnxruntime_computes(name: str) -> None:
    results = list(infer(read_model(SIZES[name])))
    np.testing.assert_array_equal(results[-1][0][0].elements, computed(SIZES[name]))


UNKNOWN: dict[str, bytes] = {
    "a float": small_graph(
        node("Cast", ["n"], ["f"], to=TensorProto.FLOAT), node("Cast", ["f"], ["y"], to=TensorProto.INT64), n=[5]
    ),
    # onnxruntime leaves out the casts to 16 bits around a sum, so that 2049 is not rounded to 2048.
    "a sum of halves": small_graph(
        node("Add", ["a", "b"], ["s"]),
        node("Sub", ["s", "a"], ["d"]),
        node("Cast", ["d"], ["y"], to=TensorProto.INT64),
        a=np.array([2048], np.float16),
        b=np.array([1], np.float16),
    ),
    "a sum of fractions": small_graph(node("Range", ["a", "b", "c"], ["y"]), a=0.0, b=2.0, c=0.1),
    "a number that no integer holds": small_graph(node("Cast", ["n"], ["y"], to=TensorProto.INT64), n=[1e30]),
    "a half": small_graph(node("Cast", ["n"], ["y"], to=TensorProto.FLOAT16), n=[0.1]),
    # onnxruntime takes denormal numbers for zero, where the engine has told it so.
    "a denormal": small_graph(
        node("Cast", ["n"], ["t"], to=TensorProto.BOOL),
        node("Cast", ["t"], ["y"], to=TensorProto.INT64),
        n=np.array([1e-40], np.float32),
    ),
    "a denormal product": small_graph(
        node("Mul", ["a", "b"], ["n"]), node("Mul", ["n", "b"], ["y"]), a=np.array([2.0**-1000]), b=np.array([2.0**-30])
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_size_that_onnxruntime_may_round_otherwise_is_not_known(name: str) -> None:
    results = list(infer(read_model(UNKNOWN[name])))
    assert results[-1][0][0].elements is None


REFUSED: dict[str, bytes] = {
    "a size that stands for the rows": small_graph(node("ConstantOfShape", ["n"], ["y"]), n=[VAST]),
    "a stretched size that stands for the rows": small_graph(node("Expand", ["x", "n"], ["y"]), x=[1], n=[VAST]),
    "pads that stand for the rows": small_graph(node("Pad", ["x", "n"], ["y"]), x=[1.0], n=[2**60 - 1, 2**60 - 1]),
    "pads of one axis twice": small_graph(
        node("Pad", ["x", "n", "", "axes"], ["y"]), x=[1.0], n=[1, 1, 1, 1], axes=[0, 0]
    ),
    "an axis twice": small_graph(node("Unsqueeze", ["x", "axes"], ["y"]), x=[1.0], axes=[0, 0]),
    "two results of one": small_graph(node("Neg", ["x"], ["y", "z"]), x=[1.0]),
    "a convolution along four axes": small_graph(
        node("Conv", ["x", "k"], ["y"]),
        x=np.ones((1, 1, 3, 3, 3, 3), np.float32),
        k=np.ones((1, 1, 2, 2, 2, 2), np.float32),
    ),
    "negative pads": small_graph(
        node("Conv", ["x", "k"], ["y"], pads=[-2, 0]),
        x=np.ones((1, 1, 8), np.float32),
        k=np.ones((1, 1, 2), np.float32),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_size_that_is_not_possible_is_refused(name: str) -> None:
    with pytest.raises(SizeError, match="does not fit its inputs"):
        list(infer(read_model(REFUSED[name])))


FIRST = (node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["b"]))
"""The number of rows, as [B]."""
CONFUSED: dict[str, bytes] = {
    "two sizes whose sum is the stand-in of the rows": small_graph(
        node("Expand", ["x1", "n"], ["e"]),
        node("Expand", ["x1", "m"], ["f"]),
        row=8,
        x1=np.ones(1, np.float32),
        n=[10**10],
        m=[VAST - 10**10],
    ),
    "a product of sizes": small_graph(
        node("Expand", ["x1", "n"], ["e"]), row=8, x1=np.ones((1, 1), np.float32), n=[2**31, 2**30]
    ),
    "a cast of a constant beside the rows": small_graph(
        *FIRST,
        node("Concat", ["b", "n"], ["c"], axis=0),
        node("Cast", ["c"], ["i"], to=TensorProto.INT32),
        node("Gather", ["i", "one"], ["g"]),
        node("Cast", ["g"], ["w"], to=TensorProto.INT64),
        node("Expand", ["x1", "w"], ["e"]),
        row=8,
        zero=[0],
        one=[1],
        n=[10**9 - 2**32],
        x1=np.ones(1, np.float32),
    ),
    "a constant that looks like the rows": small_graph(
        *FIRST,
        node("Concat", ["b", "n"], ["c"], axis=0),
        node("Gather", ["c", "one"], ["g"]),
        node("Expand", ["x1", "g"], ["e"]),
        row=8,
        zero=[0],
        one=[1],
        n=[VAST],
        x1=np.ones(1, np.float32),
    ),
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two sizes whose sum is the stand-in of the rows", f"a size of {VAST - 10**10} is not possible"),
        ("a product of sizes", "more than 1,099,511,627,776 elements"),
        ("a cast of a constant beside the rows", "arithmetic with the number of rows"),
        ("a constant that looks like the rows", "arithmetic with the number of rows"),
    ],
)
def test_no_size_is_mistaken_for_the_number_of_rows(name: str, words: str) -> None:
    with pytest.raises(SizeError, match=words):
        measure(read_model(CONFUSED[name]))


@pytest.mark.parametrize(
    ("slow", "constants"),
    [
        (node("Mod", ["x", "by"], ["y"], fmod=1), {"by": np.ones(8, np.float32)}),
        (node("DFT", ["w"], ["y"], axis=1), {"sizes": [-1, 8, 1]}),
    ],
    ids=["Mod", "DFT"],
)
def test_operators_that_are_slow_for_some_values_count_as_much_work(
    slow: onnx.NodeProto, constants: dict[str, object]
) -> None:
    first = [node("Reshape", ["x", "sizes"], ["w"])] if "sizes" in constants else []
    found = measure(read_model(small_graph(*first, slow, row=8, version=19, **constants)))
    assert found.work >= 1024 * 8 * VAST


def test_a_shape_with_several_rows_in_an_axis_is_allowed_if_no_size_uses_it() -> None:
    content = small_graph(
        node("Reshape", ["x", "flat"], ["r"]),
        node("Shape", ["r"], ["s"]),
        node("Cast", ["s"], ["unused"], to=TensorProto.FLOAT),
        node("Identity", ["x"], ["y"]),
        row=8,
        flat=[-1],
    )
    assert measure(read_model(content)).elements < 100 * VAST


EMPTY = np.ones((1, 2, 0), np.float32)
ENDS: dict[str, bytes] = {
    "InstanceNormalization": small_graph(
        node("InstanceNormalization", ["e", "s", "s"], ["y"]), e=EMPTY, s=np.ones(2, np.float32)
    ),
    "GRU": small_graph(
        node("GRU", ["e", "w", "r"], ["y"], hidden_size=2),
        e=np.ones((0, 1, 2), np.float32),
        w=np.ones((1, 6, 2), np.float32),
        r=np.ones((1, 6, 2), np.float32),
    ),
    "Conv": small_graph(
        node("Conv", ["e", "w"], ["y"], group=0), e=np.ones((1, 0, 4), np.float32), w=np.ones((1, 0, 2), np.float32)
    ),
    "GatherND": small_graph(
        node("GatherND", ["e", "w"], ["y"], batch_dims=-1), e=np.ones(0, np.float32), w=np.ones(0, np.int64)
    ),
    "QuantizeLinear": small_graph(
        node("QuantizeLinear", ["e", "e"], ["y"], block_size=2), version=21, e=np.ones(0, np.float32)
    ),
    "groups": small_graph(
        node("Conv", ["e", "w"], ["y"], group=3), e=np.ones((1, 4, 4), np.float32), w=np.ones((2, 2, 2), np.float32)
    ),
}
"""Nodes whose empty values end the process of onnxruntime, or whose channels do not fit."""


@pytest.mark.parametrize("name", ENDS)
def test_a_node_that_would_end_the_process_is_refused(name: str) -> None:
    words = {"groups": "do not fit, with 3 groups", "GatherND": "its batch_dims -1"}
    with pytest.raises(SizeError, match=words.get(name, "it reads an empty value")):
        measure(read_model(ENDS[name]))


@pytest.mark.parametrize(("version", "scales"), [(18, 5000), (20, 4), (21, 2), (21, 5000)])
def test_a_group_normalisation_with_a_scale_of_another_size_is_refused(version: int, scales: int) -> None:
    content = small_graph(
        node("Unsqueeze", ["x", "one"], ["w"]),
        node("Expand", ["w", "four"], ["e"]),
        node("GroupNormalization", ["e", "s", "s"], ["y"], num_groups=2),
        row=6,
        version=version,
        one=[1],
        four=[1, 4, 1],
        s=np.ones(scales, np.float32),
    )
    with pytest.raises(SizeError, match="it has not one scale and one bias for each channel or group"):
        measure(read_model(content))


BESIDE: dict[str, tuple[onnx.NodeProto, str]] = {
    "places": (node("MaxPool", ["w"], ["y", "at"], kernel_shape=[2]), "it gives places"),
    "parts of windows": (node("MaxPool", ["w"], ["y"], kernel_shape=[3], strides=[2], ceil_mode=1), "not whole"),
    "windows beside the input": (node("AveragePool", ["w"], ["y"], kernel_shape=[2], pads=[2, 0]), "beside the input"),
    "a window that is too long": (node("AveragePool", ["w"], ["y"], kernel_shape=[4097]), "does not fit into"),
    "a given size": (node("ConvTranspose", ["w", "k"], ["y"], output_shape=[9999]), "computed from the sizes"),
    "more than a stride": (node("ConvTranspose", ["w", "k"], ["y"], output_padding=[1]), "not less than its strides"),
    "a buffer of a gigabyte": (node("ConvTranspose", ["w", "large"], ["y"]), "too large together"),
    "pads that leave nothing": (node("ConvTranspose", ["w", "k"], ["y"], pads=[4096, 4096]), "leave nothing"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_window_that_onnxruntime_may_place_otherwise_is_refused(name: str) -> None:
    moved, words = BESIDE[name]
    content = small_graph(
        node("Unsqueeze", ["x", "one"], ["w"]),
        moved,
        row=4096,
        one=[1],
        k=np.ones((1, 2, 3), np.float32),
        large=np.ones((1, 1, 4096), np.float32),
    )
    with pytest.raises(SizeError, match=words):
        measure(read_model(content))
