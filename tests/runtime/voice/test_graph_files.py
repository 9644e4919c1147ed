"""An ONNX file is read as the package onnx reads it, and its sizes are those that onnxruntime computes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from support import toy_voice
from support.command import ROOT
from support.toy_graphs import external

from vrnn_engine import VoiceError
from vrnn_engine.runtime.voice.graph_file.check import check_graphs
from vrnn_engine.runtime.voice.graph_file.model import read_model
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, infer, measure
from vrnn_engine.runtime.voice.graph_file.tensors import Place
from vrnn_engine.runtime.voice.graph_file.values import ROWS, Known
from vrnn_engine.runtime.voice.manifest import read_manifest

BUNDLED = sorted(ROOT.glob("vrnn_engine/voices/*/*.onnx"))


def names(path: Path) -> str:
    return path.parent.name + path.stem


def model(*tensors: TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> bytes:
    return helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)).SerializeToString()


@pytest.fixture(scope="module")
def files(toy_audio: Path, toy_pen: Path) -> list[Path]:
    return [*BUNDLED, *(voice / f"{role}.onnx" for voice in (toy_audio, toy_pen) for role in ("step", "observe"))]


def test_a_file_is_read_as_onnx_reads_it(files: list[Path]) -> None:
    for path in files:
        found, wanted = read_model(path.read_bytes()), onnx.load(path, load_external_data=False)
        graph = wanted.graph
        assert found.versions == {one.domain: one.version for one in wanted.opset_import}
        assert [(n.operator, n.domain, n.inputs, n.outputs) for n in found.graph.nodes] == [
            (n.op_type, n.domain, tuple(n.input), tuple(n.output)) for n in graph.node
        ]
        assert [(t.name, t.shape) for t in found.graph.constants] == [
            (t.name, tuple(t.dims)) for t in graph.initializer
        ]
        for tensor, source in zip(found.graph.constants, graph.initializer, strict=True):
            place = {entry.key: entry.value for entry in source.external_data}
            if place:
                assert tensor.place == Place(place["location"], int(place.get("offset", 0)), int(place["length"]))
            elif tensor.values is not None:
                np.testing.assert_array_equal(tensor.values, numpy_helper.to_array(source))
        for node, source in zip(found.graph.nodes, graph.node, strict=True):
            whole = {a.name: tuple(a.ints) for a in source.attribute if a.type == onnx.AttributeProto.INTS}
            assert {name: node.numbers(name) for name in whole} == whole


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE", "FLOAT16", "INT64", "INT32", "INT8", "UINT8", "BOOL", "UINT64"])
@pytest.mark.parametrize("raw", [True, False])
def test_constants_of_all_types_are_read(kind: str, raw: bool) -> None:
    number = getattr(TensorProto, kind)
    values = np.array([[0, 1, 0], [1, 1, 0]], helper.tensor_dtype_to_np_dtype(number))
    data = values.tobytes() if raw else values.ravel()
    (found,) = read_model(model(helper.make_tensor("x", number, values.shape, data, raw))).graph.constants
    np.testing.assert_array_equal(found.values, values)


def test_tensors_in_nodes_and_in_the_graphs_of_nodes_count() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=external("v", "deep", 0, 16))
    branch = helper.make_graph([constant], "branch", [], [], [external("w", "branch", 0, 16)])
    node = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
    places = {one.place for one in read_model(model(nodes=(node,))).graph.tensors()}
    assert places == {Place("deep", 0, 16), Place("branch", 0, 16)}


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, b"\x3a\x05\x00", b"\x3a", b"\x3f", b"\x02\x00"], ids=["long", "size", "cut", "kind", "zero"]
)
def test_what_is_no_graph_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"longer than its message|wire type|the number"):
        read_model(data)


def shapes(content: bytes) -> dict[str, tuple[int, ...]]:
    read = read_model(content)
    results: list[list[Known]] = [results for results, _ in infer(read)]
    pairs = zip(read.graph.nodes, results, strict=True)
    return {name: one.shape or () for node, known in pairs for name, one in zip(node.outputs, known, strict=False)}


def test_sizes_are_those_that_onnxruntime_computes(files: list[Path]) -> None:
    """Each result becomes an output of the graph, which onnxruntime then computes for three rows."""
    for path in files:
        found = shapes(path.read_bytes())
        whole = onnx.load(path)
        given = {one.name for one in whole.graph.output}
        whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in found if name not in given)
        session = ort.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
        feed = {one.name: np.zeros((3, *one.shape[1:]), np.float32) for one in session.get_inputs()}
        computed = session.run(list(found), feed)
        expected = {name: tuple(3 if n == ROWS else n for n in shape) for name, shape in found.items()}
        assert {name: value.shape for name, value in zip(found, computed, strict=True)} == expected


def test_the_counts_are_polynomials_of_the_rows() -> None:
    found = measure(read_model((ROOT / "vrnn_engine/voices/blizzard/step.onnx").read_bytes()))
    per_row, fixed = divmod(found.elements, ROWS)
    assert 10_000 < per_row < 1_000_000
    assert fixed < 1000
    assert 10**6 < found.work // ROWS < 10**8


@given(st.data())
def test_a_damaged_file_is_an_error_in_one_line(data: st.DataObject) -> None:
    content = bytearray((ROOT / "vrnn_engine/voices/handwriting/step.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        measure(read_model(bytes(content)))
    except (ValueError, SizeError):
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        measure(read_model(content))
    except (ValueError, SizeError):
        return


@given(st.data())
def test_a_damaged_graph_of_a_voice_is_refused_or_passes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("voices") / "voice"
    toy_voice.build(folder, external=True)
    content = bytearray((folder / "step.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "step.onnx").write_bytes(bytes(content))
    try:
        check_graphs(folder, read_manifest(folder))
    except VoiceError as error:
        assert "\n" not in str(error)
