"""Graphs that would take the memory, the time or other files of a machine: each is refused in one line, unrun."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import toy_voice
from support.command import Run, the_error
from support.toy_graphs import external

from vrnn_engine import Engine, VoiceError
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice.graph_file import check
from vrnn_engine.runtime.voice.voice import Voice

Edit = Callable[[onnx.GraphProto], None]

node = helper.make_node


def constant(graph: onnx.GraphProto, name: str, value: Any, kind: type = np.int64) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, kind), name))
    return name


def adding(*nodes: onnx.NodeProto, **constants: Any) -> Edit:
    """Return an edit that puts nodes before the others, and adds constants of int64."""

    def edit(graph: onnx.GraphProto) -> None:
        for name, value in constants.items():
            constant(graph, name, value)
        for at, one in enumerate(nodes):
            graph.node.insert(at, one)

    return edit


def subgraph(value: str) -> onnx.GraphProto:
    out = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    return helper.make_graph([node("Identity", [value], ["inner"])], "inside", [], [out])


def endless(graph: onnx.GraphProto) -> None:
    body = helper.make_graph(
        [node("Identity", ["go"], ["going"]), node("Identity", ["sum"], ["sum.next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum.next", TensorProto.FLOAT, None),
        ],
    )
    constant(graph, "true", True, np.bool_)
    graph.node.insert(0, node("Loop", ["", "true", "state.h"], ["looped"], body=body))


def doubling(graph: onnx.GraphProto) -> None:
    """34 times as long as before, twice each: 2**34 values from a few bytes."""
    for at in reversed(range(34)):
        before = f"doubled{at - 1}" if at else "Wm"
        graph.node.insert(0, node("Concat", [before, before], [f"doubled{at}"], axis=0))


def long(graph: onnx.GraphProto) -> None:
    for at in range(10_001):
        graph.node.append(node("Neg", ["state.h"], [f"n{at}"]))


def sparse(graph: onnx.GraphProto) -> None:
    values, indices = (
        numpy_helper.from_array(np.ones(1, np.float32), "s"),
        numpy_helper.from_array(np.zeros(1, np.int64)),
    )
    graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [10**6]))


def words(graph: onnx.GraphProto) -> None:
    graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [b"word"]))


def empty(graph: onnx.GraphProto) -> None:
    graph.initializer.append(TensorProto(name="vast", data_type=TensorProto.FLOAT, dims=[2**33], raw_data=b""))


def by_values(operator: str) -> Edit:
    """Return an edit that takes a size from an input of a step."""

    def edit(graph: onnx.GraphProto) -> None:
        graph.input.append(helper.make_tensor_value_info("given", TensorProto.FLOAT, [2]))
        graph.node.insert(0, node("Cast", ["given"], ["sizes"], to=TensorProto.INT64))
        given = ["sizes"] if operator == "ConstantOfShape" else ["Wm", "sizes"]
        graph.node.insert(1, node(operator, given, ["bomb"]))

    return edit


SHAPE = node("Shape", ["state.h"], ["shape"])
ROWS = node("Gather", ["shape", "first"], ["rows"])

OPERATORS: dict[str, tuple[Edit, str]] = {
    "Loop": (endless, "the operator 'Loop' is not one that a voice may use"),
    "Scan": (adding(node("Scan", ["state.h"], ["y"], num_scan_inputs=1, body=subgraph("x"))), "operator 'Scan'"),
    "If": (adding(node("If", ["c"], ["y"], then_branch=subgraph("Wm"), else_branch=subgraph("Ws"))), "operator 'If'"),
    "a graph in a node": (adding(node("Neg", ["Wm"], ["y"], inside=subgraph("Wm"))), "has a graph"),
    "random": (adding(node("RandomNormalLike", ["noise.output"], ["own"])), "operator 'RandomNormalLike'"),
    "drawn": (adding(node("Multinomial", ["noise.output"], ["own"], sample_size=1)), "operator 'Multinomial'"),
    "dropout": (adding(node("Dropout", ["noise.output"], ["own"])), "operator 'Dropout'"),
    "a domain": (adding(node("Neg", ["Wm"], ["y"], domain="\x1b[2Jevil")), "of the domain '\\x1b[2Jevil'"),
    "an operator of a known domain": (adding(node("Attention", ["Wm"], ["y"], domain="com.microsoft")), "'Attention'"),
    "sparse": (sparse, "sparse constants"),
}


def with_input(*shape: int | None) -> Edit:
    """Return an edit that adds an input that no node reads."""
    return lambda graph: graph.input.append(helper.make_tensor_value_info("noise.a", TensorProto.FLOAT, shape))


SIZES: dict[str, tuple[Edit, str]] = {
    "wide input": (with_input(None, 2**30), "for each row"),
    "fixed input": (with_input(2**27), "for all"),
    "two axes of rows": (with_input(None, None), "grows faster than the number of rows"),
    "ConstantOfShape": (adding(node("ConstantOfShape", ["vast"], ["bomb"]), vast=[2**20, 2**11]), "values of"),
    "Expand": (adding(node("Expand", ["state.h", "vast"], ["bomb"]), vast=[10**9, 1, 6]), "for each row"),
    "Tile": (adding(node("Tile", ["state.h", "vast"], ["bomb"]), vast=[1, 10**9]), "for each row"),
    "Range": (adding(node("Range", ["from", "to", "by"], ["bomb"]), **{"from": 0, "to": 2**40, "by": 1}), "values of"),
    "OneHot": (adding(node("OneHot", ["i", "n", "v"], ["bomb"]), i=[1], n=2**33, v=[0, 1]), "values of"),
    "Pad": (adding(node("Pad", ["state.h", "pads"], ["bomb"]), pads=[0, 0, 0, 10**9]), "for each row"),
    "doubling": (doubling, "values of"),
    "work": (
        adding(
            node("Unsqueeze", ["state.h", "one_axis"], ["h"]),
            node("Expand", ["h", "wide"], ["left"]),
            node("Transpose", ["left"], ["right"], perm=[0, 2, 1]),
            node("MatMul", ["left", "right"], ["square"]),
            node("MatMul", ["square", "square"], ["y"]),
            one_axis=[1],
            wide=[1, 2000, 6],
        ),
        "multiplications",
    ),
    "scattering": (
        adding(
            node("Tile", ["state.h", "wide"], ["many"]),
            node("Cast", ["many"], ["places"], to=TensorProto.INT64),
            *(
                node("ScatterElements", [f"s{at}" if at else "state.h", "places", "many"], [f"s{at + 1}"], axis=1)
                for at in range(800)
            ),
            wide=[1, 2**20],
        ),
        "multiplications",
    ),
    "a sum of many": (
        adding(node("Expand", ["state.h", "wide"], ["many"]), node("Sum", ["many"] * 2000, ["y"]), wide=[2**20, 1, 1]),
        "multiplications",
    ),
    "axes": (adding(node("Unsqueeze", ["state.h", "places"], ["y"]), places=range(1, 80)), "has 81 axes, more than 64"),
    "nodes": (long, "10,0"),
    "sizes of values": (by_values("ConstantOfShape"), "depends on values that only a step computes"),
    "tiles of values": (by_values("Tile"), "depends on values that only a step computes"),
    "rows squared": (
        adding(
            SHAPE,
            ROWS,
            node("Concat", ["rows", "rows"], ["sizes"], axis=0),
            node("ConstantOfShape", ["sizes"], ["y"]),
            first=[0],
        ),
        "mixes the rows of a batch",
    ),
    "rows to a power": (
        adding(
            SHAPE, ROWS, node("Mul", ["rows", "rows"], ["sizes"]), node("ConstantOfShape", ["sizes"], ["y"]), first=[0]
        ),
        "depends on values that only a step computes",
    ),
    "one number of rows": (
        adding(
            SHAPE,
            ROWS,
            node("Gather", ["table", "rows"], ["sizes"]),
            node("ConstantOfShape", ["sizes"], ["y"]),
            first=[0],
            table=[1] * 17 + [10**9],
        ),
        "does not fit its inputs",
    ),
    "more rows than some": (
        adding(node("Slice", ["state.h", "from", "to", "axis"], ["y"]), **{"from": [16], "to": [2**62], "axis": [0]}),
        "takes some rows of a batch",
    ),
    "a value of a later node": (adding(node("Neg", ["frame"], ["y"])), "which no node before it computes"),
}


def few(graph: onnx.GraphProto) -> None:
    graph.initializer.append(TensorProto(name="few", data_type=TensorProto.FLOAT, dims=[4], float_data=[1, 2]))


def large(graph: onnx.GraphProto) -> None:
    graph.initializer.append(TensorProto(name="half", data_type=TensorProto.FLOAT16, dims=[1], int32_data=[70_000]))


def vast(graph: onnx.GraphProto) -> None:
    graph.initializer.append(TensorProto(name="vast", data_type=TensorProto.FLOAT, dims=[2**61 - 1, 0]))


def many_axes(graph: onnx.GraphProto) -> None:
    graph.initializer.append(TensorProto(name="deep", data_type=TensorProto.FLOAT, dims=[1] * 100_000))


def no_size(graph: onnx.GraphProto) -> None:
    """An axis whose size is a field of no bytes."""
    axis = graph.input[0].type.tensor_type.shape.dim[0]
    axis.Clear()
    axis.MergeFromString(b"\x0a\x00")


DAMAGED: dict[str, tuple[Edit, str]] = {
    "strings": (words, "a type that no voice may have"),
    "no bytes": (empty, "too few bytes"),
    "few elements": (few, "has 2 elements, and its shape needs 4"),
    "a large half": (large, "not a readable ONNX graph"),
    "a size that stands for the rows": (vast, "has a size of 2305843009213693951"),
    "many axes": (many_axes, "more than 64 axes"),
    "negative input": (with_input(None, -(2**30)), "the size of an axis is -1073741824"),
    "longest input": (with_input(2**61 - 1), "the size of an axis is 2305843009213693951"),
    "no size": (no_size, "does not fit"),
}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Edit], Path]:
    return lambda edit: toy_voice.build(tmp_path / "hostile", edit_step=edit)


def refused(folder: Path, message: str, use: Sequence[Callable[[Path], object]] = (Engine.load, install_voice)) -> str:
    for one in use:
        with pytest.raises(VoiceError) as caught:
            one(folder)
        assert message in str(caught.value)
        assert not {"\n", "\x1b"} & set(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_that_is_not_listed_is_refused(make: Callable[[Edit], Path], name: str) -> None:
    edit, message = OPERATORS[name]
    assert "set trust to 'operators'" in refused(make(edit), message)


@pytest.mark.parametrize("name", SIZES)
def test_a_size_beyond_the_limits_is_refused(make: Callable[[Edit], Path], name: str) -> None:
    edit, message = SIZES[name]
    assert "set trust to 'size'" in refused(make(edit), message)


@pytest.mark.parametrize("name", DAMAGED)
def test_constants_without_their_bytes_are_refused_even_if_all_limits_are_lifted(
    make: Callable[[Edit], Path], name: str
) -> None:
    edit, message = DAMAGED[name]
    refused(make(edit), message, [lambda path: Engine.load(path, trust=("operators", "size"))])


def without_number(operator: str, name: str, *inputs: str) -> onnx.NodeProto:
    """Return a node whose integer attribute has no integer, as writers of proto3 store a 0."""
    made = node(operator, inputs, ["y"], **{name: 0})
    made.attribute[0].ClearField("i")
    return made


JOINED = adding(without_number("Concat", "axis", "Wm", "Wm"))
SUMMED = adding(
    without_number("ReduceSum", "keepdims", "table", "first"),
    node("Transpose", ["y"], ["z"], perm=[0]),  # needs one axis
    table=[[1, 2], [3, 4]],
    first=[0],
)


@pytest.mark.parametrize("edit", [JOINED, SUMMED])
def test_an_integer_attribute_without_an_integer_is_zero(make: Callable[[Edit], Path], edit: Edit) -> None:
    Engine.load(make(edit), device="cpu").stream(seed=1).read(1)


def test_a_mode_without_an_integer_is_refused_in_one_line(make: Callable[[Edit], Path]) -> None:
    refused(make(adding(without_number("BatchNormalization", "training_mode", *["Wm"] * 5))), "step.onnx")


def test_more_fields_than_the_limit_are_refused(make: Callable[[Edit], Path]) -> None:
    folder = make(lambda graph: None)
    model = onnx.load(folder / "step.onnx")
    content = model.graph.SerializeToString() + b"\x0a\x00" * 1_000_000
    model.ClearField("graph")
    (folder / "step.onnx").write_bytes(model.SerializeToString() + graph_field(content))
    toy_voice.reseal(folder)
    assert "set trust to 'size'" in refused(folder, "it has more than 300,000 fields", [Voice.open])


def test_the_limit_on_fields_can_be_lifted(make: Callable[[Edit], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MAX_FIELDS", 10)
    folder = make(lambda graph: None)
    refused(folder, "it has more than 10 fields")
    Engine.load(folder, device="cpu", trust="size").stream(seed=1).read(1)


def graph_field(content: bytes) -> bytes:
    """Return the field of a model that holds a graph."""
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes([(length & 127) | 128]), length >> 7
    return b"\x3a" + size + bytes([length]) + content


def test_functions_are_refused(make: Callable[[Edit], Path]) -> None:
    folder = make(lambda graph: None)
    model = onnx.load(folder / "step.onnx")
    model.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], [node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 17)])
    )
    onnx.save(model, folder / "step.onnx")
    toy_voice.reseal(folder)
    refused(folder, "has functions")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("voice.json", "no checksum for 'voice.json'"),
        ("unlisted.bin", "no checksum for 'unlisted.bin'"),
        ("../outside.bin", "no checksum for '../outside.bin'"),
        ("/etc/passwd", "no checksum for '/etc/passwd'"),
        ("./step.onnx.data", "no checksum for './step.onnx.data'"),
        ("CARD.md", "which is a document"),
        ("*/_ORT_MEM_ADDR_/*", "which is not a file"),
    ],
)
def test_weights_without_a_checksum_are_refused(tmp_path: Path, location: str, message: str) -> None:
    def elsewhere(graph: onnx.GraphProto) -> None:
        graph.initializer.append(external("x", location, 0, 16))

    folder = toy_voice.build(tmp_path / "voice", edit_step=elsewhere)
    (tmp_path / "outside.bin").write_bytes(bytes(16))
    (folder / "unlisted.bin").write_bytes(bytes(16))
    limits = ("operators", "size")
    refused(folder, message, [Engine.load, install_voice, lambda path: Engine.load(path, trust=limits)])


def test_weights_after_the_end_of_their_file_and_overlapping_ones_are_refused(tmp_path: Path) -> None:
    for count, offset, message in ((1, 2**40, "ends after its file"), (3, 0, "overlap")):
        folder = toy_voice.build(tmp_path / message)
        model = onnx.load(folder / "step.onnx")
        for at in range(count):
            model.graph.initializer.append(external(f"x{at}", "more.bin", offset, 16))
        (folder / "step.onnx").write_bytes(model.SerializeToString())
        (folder / "more.bin").write_bytes(bytes(16))
        toy_voice.reseal(folder)
        refused(folder, message)


def test_a_graph_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice")
    shutil.move(folder / "step.onnx", folder / "step.ort")
    toy_voice.change(folder, lambda manifest: manifest["graphs"][0].update(file="step.ort"))
    toy_voice.reseal(folder)
    refused(folder, "must end in .onnx")


def test_weights_in_a_folder_of_their_graph_are_found(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice", external=True)
    (folder / "graphs").mkdir()
    for name in ("step.onnx", "step.onnx.data"):
        shutil.move(folder / name, folder / "graphs" / name)
    toy_voice.change(folder, lambda manifest: manifest["graphs"][0].update(file="graphs/step.onnx"))
    toy_voice.reseal(folder)
    Engine.load(folder, device="cpu").stream(seed=1).read(1)


# Limits that are lifted


def twice(graph: onnx.GraphProto) -> None:
    """An operator that is not listed, without effect."""
    graph.node.insert(0, node("Dropout", ["noise.output"], ["own"]))


def test_a_trusted_voice_loads_and_a_limit_that_was_not_lifted_applies(
    make: Callable[[Edit], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(twice)
    engine = Engine.load(folder, device="cpu", trust="operators")
    assert engine.voice.trust == ("operators",)
    assert engine.__reduce__()[1][-1] == ("operators",)
    refused(folder, "'Dropout'", [lambda path: Engine.load(path, trust="size")])
    with pytest.raises(VoiceError, match="there is no limit 'operator'; did you mean 'operators'"):
        Engine.load(folder, trust="operator")
    monkeypatch.setenv("VRNN_ENGINE_TRUST", "size, operators")
    assert install_voice(folder).trust == ("operators", "size")


def test_no_trust_may_be_given_as_none(toy_audio: Path) -> None:
    assert Engine.load(toy_audio, device="cpu", trust=None).voice.trust == ()


def test_sizes_can_be_lifted(make: Callable[[Edit], Path]) -> None:
    folder = make(adding(node("Tile", ["Wm", "wide"], ["large"]), wide=[2**8, 2**12]))
    refused(folder, "values of")
    Engine.load(folder, device="cpu", trust="size").stream(seed=1).read(1)


def test_a_zipped_voice_is_checked_before_and_after_it_was_unpacked(
    make: Callable[[Edit], Path], tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "hostile"), "zip", make(twice))
    refused(Path(archive), "hostile.zip/step.onnx: the operator 'Dropout'")
    Engine.load(archive, device="cpu", trust="operators")
    refused(Path(archive), "'Dropout'")


@pytest.mark.parametrize("verb", [["voices", "show"], ["voices", "verify"], ["voices", "install"]])
def test_the_command_line_says_in_one_line_what_is_refused(
    make: Callable[[Edit], Path], run: Run, verb: list[str]
) -> None:
    folder = make(twice)
    error = the_error(run(*verb, folder))
    assert "the operator 'Dropout' is not one that a voice may use" in error
    assert error.endswith("set trust to 'operators' (vrnn-engine --trust LIMITS VERB)")
    assert run("--trust", "operators", *verb, folder).returncode == 0
    assert "there is no limit 'all'" in the_error(run("--trust", "all", *verb, folder))


# What only a step shows


def random(graph: onnx.GraphProto) -> None:
    graph.node.insert(0, node("RandomNormalLike", ["noise.output"], ["own"]))
    for one in graph.node:
        if one.output[0] == "output.drawn":
            one.input[1] = "own"


def mixing(graph: onnx.GraphProto) -> None:
    last = next(one for one in graph.node if one.output[0] == "frame")
    last.output[0] = "alone"
    constant(graph, "rows.axis", [0])
    graph.node.append(node("ReduceMax", ["alone"], ["most"], axes=[0], keepdims=1))
    graph.node.append(node("Add", ["alone", "most"], ["frame"]))
    for one in graph.node:
        one.input[:] = ["alone" if name == "frame" else name for name in one.input]


@pytest.mark.parametrize("edit", [random, mixing])
def test_a_step_that_is_no_function_of_its_row_is_found_by_verify_and_install(
    tmp_path: Path, homes: Path, edit: Edit
) -> None:
    folder = toy_voice.build(tmp_path / "voice", edit_step=edit)
    agree_with_parity(folder)
    message = "differs between two steps with equal inputs" if edit is random else "are not independent"
    limits = ("operators", "size")
    refused(folder, message, [lambda path: verify(Voice.open(path, limits))])
    refused(folder, message, [lambda path: install_voice(path, trust=limits)])
    assert not (homes / "installed").exists()


def agree_with_parity(folder: Path) -> None:
    """Replace the parity vectors by one frame that any step passes: the check that matters comes after them."""
    with np.load(folder / "parity.npz") as arrays:
        vectors = {name: arrays[name][:1] for name in arrays.files if not name.startswith("observe.")}
    engine = Engine.load(folder, device="cpu", trust=("operators", "size"))
    step = engine.stepper.graphs.step
    noise = {name: vectors[f"noise.{name}"] for name in step.noise}
    table = {one.name: np.full((1, *one.shape), one.default, np.float32) for one in engine.voice.manifest.controls}
    vectors["frame"] = step.run(step.zero_state(), noise, table)[1]["frame"]
    np.savez(folder / "parity.npz", **vectors)
    toy_voice.change(folder, lambda manifest: manifest["parity"].update(frames=1, tolerance=0.01))
    toy_voice.reseal(folder)


def test_every_operator_of_the_list_has_a_rule_that_names_it() -> None:
    assert not {"Loop", "Scan", "If", "RandomNormal", "Multinomial", "Bernoulli", "Dropout"} & check.LISTED[""].keys()
    known = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    assert check.LISTED[""].keys() - known <= {"RMSNormalization", "Swish"}
