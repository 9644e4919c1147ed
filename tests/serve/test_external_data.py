"""The files in which a graph keeps its tensors are found as the package onnx finds them."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data
from support.command import ROOT

from vrnn_engine.serve.web.external_data import external_files


def external(name: str, location: str, offset: int | None = None, length: int | None = None) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    set_external_data(tensor, location, offset, length)
    tensor.ClearField("raw_data")
    return tensor


def model(*tensors: TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> bytes:
    return helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)).SerializeToString()


@pytest.mark.parametrize(
    "graph", sorted(ROOT.glob("vrnn_engine/voices/*/*.onnx")), ids=lambda path: path.parent.name + path.stem
)
def test_the_weights_of_a_bundled_voice_end_where_onnx_says(graph: Path) -> None:
    tensors = onnx.load(graph, load_external_data=False).graph.initializer
    places = [{entry.key: entry.value for entry in tensor.external_data} for tensor in tensors]
    end = max(int(place["offset"]) + int(place["length"]) for place in places if place)
    assert external_files(graph.read_bytes()) == {"weights.bin": end}


def test_the_last_end_of_each_file_counts() -> None:
    data = model(
        external("a", "x", 96, 16), external("b", "x", 0, 16), external("c", "y", length=16), external("d", "z")
    )
    assert external_files(data) == {"x": 112, "y": 16, "z": None}
    assert external_files(model(external("a", "x"), external("b", "x", 0, 16))) == {"x": None}


def test_tensors_in_nodes_and_in_the_graphs_of_nodes_count() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=external("v", "deep", 0, 16))
    branch = helper.make_graph([constant], "branch", [], [], [external("w", "branch", 0, 16)])
    node = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
    assert external_files(model(nodes=(node,))) == {"deep": 16, "branch": 16}


def test_a_graph_without_such_tensors_has_no_files() -> None:
    assert external_files(model(numpy_helper.from_array(np.zeros(4, np.float32), "a"))) == {}


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, b"\x3a\x05\x00", b"\x3a", b"\x3f"], ids=["number", "size", "cut", "kind"]
)
def test_what_is_no_graph_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"longer than its message|wire type"):
        external_files(data)
