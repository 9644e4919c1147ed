"""Graphs that two parsers read differently are refused, so that the checks see the graph that onnxruntime runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import toy_voice
from support.small_graphs import computed, small_model
from support.toy_graphs import external

from vrnn_engine import Engine, VoiceError
from vrnn_engine.runtime.voice.graph_file.model import read_model
from vrnn_engine.runtime.voice.graph_file.protobuf import TooManyFieldsError
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, infer
from vrnn_engine.runtime.voice.graph_file.values import ROWS
from vrnn_engine.runtime.voice.manifest import read_manifest

Model = onnx.ModelProto
VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
FRAME = np.arange(12, dtype=np.float32).reshape(3, 4)

node = helper.make_node


def field(number: int, wire: int, content: bytes) -> bytes:
    """Return a field of a message, with a length if its wire type has one."""
    return bytes([number << 3 | wire]) + (bytes([len(content)]) if wire == DELIMITED else b"") + content


def model(*nodes: onnx.NodeProto, **constants: Any) -> Model:
    """Return a model from `x` [B, 4]."""
    return small_model(*nodes, row=4, version=17, **constants)


def replaced(whole: Model, place: bytes, content: bytes) -> bytes:
    """Return the bytes of a model in which a field that a test put there gives way to others of the same length."""
    written = whole.SerializeToString()
    assert written.count(place) == 1
    assert len(place) == len(content)
    return written.replace(place, content)


# What onnxruntime makes of such a graph


def hidden_operator() -> bytes:
    one = node("RandomNormalLike", ["x"], ["y"])
    one.MergeFromString(field(4, FIXED64, b"Identity"))
    return model(one).SerializeToString()


def axis_with_size_and_name() -> bytes:
    whole = model(node("Shape", ["x"], ["y"]))
    axis = whole.graph.input[0].type.tensor_type.shape.dim[0]
    axis.Clear()
    axis.denotation = "xyz"
    return replaced(whole, field(3, DELIMITED, b"xyz"), field(1, VARINT, b"\x01") + field(2, DELIMITED, b"B"))


def attribute_twice() -> bytes:
    one = node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(3, np.float32)))
    one.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(2, np.float32))))
    return model(one, node("Identity", ["c"], ["y"])).SerializeToString()


def constant_and_result() -> bytes:
    later = node("Constant", [], ["s"], value=numpy_helper.from_array(np.float32(100)))
    nodes = node("Add", ["x", "s"], ["sum"]), later, node("Identity", ["sum"], ["y"])
    return model(*nodes, s=np.float32(1)).SerializeToString()


def constant_twice() -> bytes:
    whole = model(node("Add", ["x", "s"], ["y"]), s=np.float32(1))
    whole.graph.initializer.append(numpy_helper.from_array(np.float32(5), "s"))
    return whole.SerializeToString()


def length(**data: Any) -> bytes:
    """Return a model whose result has the length that a constant states."""
    whole = model(node("ConstantOfShape", ["n"], ["y"]))
    whole.graph.initializer.append(TensorProto(name="n", data_type=TensorProto.INT64, dims=[1], **data))
    return whole.SerializeToString()


def other_elements() -> bytes:
    return length(int64_data=[9], float_data=[1])


def elements_in_no_file() -> bytes:
    return length(int64_data=[9], external_data=[onnx.StringStringEntryProto(key="location", value="weights.bin")])


def versions_twice() -> bytes:
    whole = model(node("ReduceMax", ["x"], ["y"]))
    whole.opset_import.append(helper.make_opsetid("ai.onnx", 13))
    return whole.SerializeToString()


def version_of_more_than_32_bits() -> bytes:
    whole = model(node("ReduceMax", ["x"], ["y"]))
    whole.opset_import[0].version = 2**32 + 13
    return whole.SerializeToString()


def truth_of_more_than_32_bits() -> bytes:
    one = TensorProto(name="b", data_type=TensorProto.BOOL, dims=[1], doc_string="text")
    whole = model(node("Cast", ["b"], ["y"], to=TensorProto.INT64))
    whole.graph.initializer.append(one)
    return replaced(whole, field(12, DELIMITED, b"text"), field(5, VARINT, b"\x80\x80\x80\x80\x10"))


def reference_to_an_attribute() -> bytes:
    one = node("Concat", ["x", "x"], ["y"], axis=1)
    one.attribute[0].ref_attr_name = "other"
    return model(one).SerializeToString()


ACCEPTED: dict[Callable[[], bytes], tuple[str, Callable[[np.ndarray], object]]] = {
    hidden_operator: ("the field 4 has the wire type 1", lambda y: not np.array_equal(y, FRAME)),
    axis_with_size_and_name: ("an axis has a size and a name", lambda y: y[0] == 3),
    attribute_twice: ("the attribute 'value' is given twice", lambda y: len(y) == 3),
    constant_and_result: ("the value 's' is given twice", lambda y: y[0, 0] == 100),
    constant_twice: ("the value 's' is given twice", lambda y: y[0, 0] == 5),
    other_elements: ("in a field that does not fit its type", lambda y: len(y) == 9),
    elements_in_no_file: ("has to name its place", lambda y: len(y) == 9),
    versions_twice: ("the domain '' is given twice", np.size),
    version_of_more_than_32_bits: ("the version of the operators is 4294967309", np.size),
    truth_of_more_than_32_bits: ("an element of more than 32 bits", lambda y: y[0] == 0),
    reference_to_an_attribute: ("a value that does not fit its type", np.size),
}


@pytest.mark.parametrize("make", ACCEPTED)
def test_what_onnxruntime_reads_in_its_own_way_is_refused(make: Callable[[], bytes]) -> None:
    message, holds = ACCEPTED[make]
    content = make()
    assert holds(computed(content, x=FRAME))
    with pytest.raises(ValueError, match=message):
        check_constants(content)


def check_constants(content: bytes) -> None:
    for tensor in read_model(content).graph.tensors():
        tensor.check()


def test_a_declared_shape_that_onnxruntime_would_compute_with_is_refused() -> None:
    whole = model(node("Neg", ["x"], ["n"]), node("Shape", ["n"], ["s"]), node("ConstantOfShape", ["s"], ["y"]))
    list(infer(read_model(whole.SerializeToString())))
    whole.graph.value_info.append(helper.make_tensor_value_info("n", TensorProto.FLOAT, [700, 4]))
    assert computed(whole.SerializeToString(), x=FRAME).shape == (700, 4)
    with pytest.raises(SizeError, match=r"n is declared with the shape \[700, 4\], and has \[B, 4\]"):
        list(infer(read_model(whole.SerializeToString())))


# What no writer writes, whatever a parser makes of it


def with_node(content: bytes) -> Model:
    one = node("Neg", ["x"], ["y"])
    one.MergeFromString(content)
    return model(one)


def with_attribute(**values: Any) -> Model:
    one = node("Concat", ["x", "x"], ["y"])
    one.attribute.append(onnx.AttributeProto(name="axis", **values))
    return model(one)


def with_size(content: bytes) -> Model:
    whole = model(node("Neg", ["x"], ["y"]))
    whole.graph.input[0].type.tensor_type.shape.dim[1].Clear()
    whole.graph.input[0].type.tensor_type.shape.dim[1].MergeFromString(content)
    return whole


def with_type(content: bytes) -> Model:
    whole = model(node("Neg", ["x"], ["y"]))
    whole.graph.input[0].type.MergeFromString(content)
    return whole


def named(value: str, kind: str = "initializer") -> Model:
    whole = model(node("Neg", ["x"], ["y"]))
    if kind == "initializer":
        whole.graph.initializer.append(numpy_helper.from_array(np.zeros(1), value))
    else:
        getattr(whole.graph, kind).append(helper.make_tensor_value_info(value, TensorProto.FLOAT, [1]))
    return whole


def placed(**entries: str) -> Model:
    whole = model(node("Neg", ["x"], ["y"]))
    tensor = external("w", "weights.bin")
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    whole.graph.initializer.append(tensor)
    return whole


INT, FLOATS = onnx.AttributeProto.INT, onnx.AttributeProto.FLOATS
REFUSED: dict[str, tuple[Model, str]] = {
    "a domain as 32 bits": (with_node(field(7, FIXED32, b"Gelu")), "the field 7 has the wire type 5"),
    "a domain as a number": (with_node(field(7, VARINT, b"\x01")), "the field 7 has the wire type 0"),
    "an input as a number": (with_node(field(1, VARINT, b"\x01")), "the field 1 has the wire type 0"),
    "a group": (with_node(bytes([4 << 3 | 3, 4 << 3 | 4])), "unknown wire type 3"),
    "a size as bytes": (with_size(field(1, DELIMITED, b"\x01")), "the field 1 has the wire type 2"),
    "a negative size": (with_size(field(1, VARINT, b"\xff" * 9 + b"\x01")), "the size of an axis is -1"),
    "a size that stands for the rows": (
        with_size(field(1, VARINT, b"\xff" * 8 + b"\x1f")),
        "the size of an axis is 2305843009213693951",
    ),
    "two types": (with_type(field(4, FIXED32, b"type")), "the field 4 has the wire type 5"),
    "an attribute without a type": (with_attribute(i=1), "does not fit its type"),
    "an integer and integers": (with_attribute(type=INT, i=1, ints=[0]), "does not fit its type"),
    "an integer in a list of floats": (with_attribute(type=FLOATS, i=1), "does not fit its type"),
    "a constant without a name": (named(""), "has no name"),
    "an input without a name": (named("", "input"), "has no name"),
    "a result that is an input": (named("y", "input"), "the value 'y' is given twice"),
    "an input twice": (named("x", "input"), "the input 'x' is given twice"),
    "an output twice": (named("y", "output"), "the output 'y' is given twice"),
    "an offset with an underscore": (placed(offset="1_0"), "'1_0', which is not a number"),
    "a length with a space": (placed(length=" 16"), "' 16', which is not a number"),
    "an offset twice": (placed(offset="0", location="weights.bin"), "has an entry twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_that_could_be_read_in_two_ways_is_refused(name: str) -> None:
    whole, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        read_model(whole.SerializeToString())


@pytest.mark.parametrize(("number", "name"), [(4, b"Neg"), (7, b"own")])
def test_a_field_of_one_value_that_is_there_twice_is_refused(number: int, name: bytes) -> None:
    whole = with_node(field(6, DELIMITED, b"documentation"))
    twice = field(number, DELIMITED, name) * 3
    with pytest.raises(ValueError, match=f"the field {number} is in a message twice"):
        read_model(replaced(whole, field(6, DELIMITED, b"documentation"), twice))


def test_a_graph_that_is_in_two_parts_is_refused() -> None:
    whole = model(node("Neg", ["x"], ["y"])).SerializeToString()
    with pytest.raises(ValueError, match="the field 7 is in a message twice"):
        read_model(whole + field(7, DELIMITED, b""))


def test_a_result_without_a_name_is_not_a_missing_input() -> None:
    """The first result of the GRU has no name; the Slice has no steps."""
    whole = model(
        node("Unsqueeze", ["x", "first"], ["wide"]),
        node("GRU", ["wide", "W", "R"], ["", "last"], hidden_size=2),
        node("Slice", ["last", "first", "one", "two", ""], ["y"]),
        first=[0],
        one=[1],
        two=[2],
        W=np.ones((1, 6, 4), np.float32),
        R=np.ones((1, 6, 2), np.float32),
    ).SerializeToString()
    assert computed(whole, x=FRAME).shape == (1, 3, 1)
    assert [results[0].shape for results, _ in infer(read_model(whole))][-1] == (1, ROWS, 1)


# Packed numbers


@pytest.mark.parametrize("dims", [[1], []])
def test_packed_numbers_are_read_only_up_to_a_limit(dims: list[int]) -> None:
    whole = model(node("Neg", ["x"], ["y"]))
    zeros = [0] * 2_000_000
    whole.graph.initializer.append(TensorProto(name="n", data_type=TensorProto.INT64, dims=dims, int64_data=zeros))
    with pytest.raises(ValueError, match="more than 4096 elements in 'n'"):
        check_constants(whole.SerializeToString())


def test_packed_sizes_and_integers_of_an_attribute_are_limited() -> None:
    tensor = TensorProto(name="n", data_type=TensorProto.INT64)
    tensor.MergeFromString(field(1, DELIMITED, bytes(100)))
    whole = model(node("Neg", ["x"], ["y"]))
    whole.graph.initializer.append(tensor)
    with pytest.raises(ValueError, match="more than 64 axes of the constant 'n'"):
        read_model(whole.SerializeToString())
    whole = with_attribute(type=onnx.AttributeProto.INTS, ints=[0] * 5000)
    with pytest.raises(ValueError, match="more than 4096 integers in an attribute"):
        read_model(whole.SerializeToString())


def test_packed_numbers_count_as_fields() -> None:
    whole = with_attribute(type=onnx.AttributeProto.INTS)
    whole.graph.node[0].attribute[0].MergeFromString(field(8, DELIMITED, bytes(100)))
    read_model(whole.SerializeToString(), 200)
    with pytest.raises(TooManyFieldsError, match="more than 100 fields"):
        read_model(whole.SerializeToString(), 100)


# The elements of a constant in another file


def test_a_constant_without_a_length_needs_its_bytes_in_its_file(tmp_path: Path) -> None:
    def vast(graph: onnx.GraphProto) -> None:
        tensor = external("unused", "weights.bin")
        tensor.dims[:] = [2**40]
        graph.initializer.append(tensor)

    folder = toy_voice.build(tmp_path / "voice", edit_step=vast)
    (folder / "weights.bin").write_bytes(bytes(16))
    toy_voice.reseal(folder)
    assert "weights.bin" in read_manifest(folder).files
    with pytest.raises(VoiceError, match=r"the tensor 'unused' ends after its file weights\.bin"):
        Engine.load(folder, trust=("operators", "size"))
