"""Step models of a user: the contract is checked, and rows of a batch are independent bit for bit."""

import functools
import json

import numpy as np
import onnx
import pytest
import torch
from support.command import run_command as run
from support.graphs import MADE_UP
from support.warned import warnings_logged
from torch import nn

from vrnn_engine import Engine, Voice
from vrnn_engine.errors import ExportError, VoiceError
from vrnn_engine.exporters.graphs.vector_width import VECTORISED, repeat_for_vectors
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.runtime.graph import rows
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice.graph_file.check import find_faults
from vrnn_engine.runtime.voice.graph_file.model import read_model
from vrnn_engine.runtime.voice.manifest import Normalisation

FRAME, WIDTH = 5, 6
"""Neither is a multiple of four, the number of values of a vector."""


class OwnModel:
    """A recurrent cell whose output passes through functions that onnxruntime vectorises."""

    modality, rate, frame_size, unit, basis, family = "audio", 8000, FRAME, "full scale", "samples", "own"
    normalisation = Normalisation(mean=(0.0,), std=(1.0,))
    controls = ()

    def __init__(self, cell):
        torch.manual_seed(0)
        self.cell = {"gru": nn.GRUCell, "lstm": nn.LSTMCell, "rnn": nn.RNNCell}[cell](FRAME, WIDTH)
        self.head = nn.Linear(WIDTH, FRAME)
        self.long = cell == "lstm"

    def states(self):
        return {"state.h": (WIDTH,)} | ({"state.c": (WIDTH,)} if self.long else {})

    def step_inputs(self):
        return self.states() | {"noise.output": (FRAME,)}

    def observe_inputs(self):
        return self.states() | {"frame": (FRAME,)}

    def follow(self, x, inputs):
        if not self.long:
            return {"next.h": self.cell(x, inputs["state.h"])}
        return dict(zip(("next.h", "next.c"), self.cell(x, (inputs["state.h"], inputs["state.c"])), strict=True))

    def generate(self, inputs):
        o = self.head(inputs["state.h"])
        phase = o[:, :1] * 3
        frame = torch.cos(o) + torch.sin(phase) + torch.log(1 + o * o) + inputs["noise.output"]
        return self.follow(frame, inputs) | {"frame": frame}

    def observe(self, inputs):
        error = torch.log(1 + (inputs["frame"] - torch.cos(self.head(inputs["state.h"]))) ** 2)
        return self.follow(inputs["frame"], inputs) | {"log_likelihood": -torch.log(1 + error.sum(-1))}


class Mixing(OwnModel):
    """Subtracts a mean over the batch, from the frame or from the log-likelihood."""

    def __init__(self, output):
        super().__init__("gru")
        self.output = output

    def generate(self, inputs):
        return self.mixed(super().generate(inputs))

    def observe(self, inputs):
        return self.mixed(super().observe(inputs))

    def mixed(self, outputs):
        if self.output not in outputs:
            return outputs
        o = outputs[self.output]
        return outputs | {self.output: o - 1e-3 * (o - o.mean(0))}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return a function that writes the voice of a cell, once, and returns it with the warnings."""

    @functools.cache
    def write(cell):
        with warnings_logged() as lines:
            return write_voice(OwnModel(cell), "own", tmp_path_factory.mktemp(cell) / "own", MADE_UP).voice, lines

    return write


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_rows_of_a_users_model_have_the_same_bits_in_every_batch(own, cell):
    voice, warnings = own(cell)
    assert verify(Voice.open(voice.path)).rows == rows.RowReport(2, 0.0, "")
    assert warnings == []
    alone = Engine.load(voice, "cpu").stream(7).read(20)
    for count in (2, 4, 17):
        engine = Engine.load(voice, "cpu", rows=count)
        streams = [engine.stream(seed) for seed in range(7, 7 + count)]
        assert engine.read(20, streams)[0].tobytes() == alone.tobytes()


@pytest.mark.parametrize("output", ["frame", "next.h", "log_likelihood"])
@pytest.mark.parametrize("trust", ["", "size"])
def test_model_whose_rows_depend_on_one_another_is_refused(tmp_path, output, trust, monkeypatch):
    monkeypatch.setenv("VRNN_ENGINE_TRUST", trust)
    message = f"the rows of a batch are not independent: {output} changes by" if trust else "mixes the rows of a batch"
    with pytest.raises(ExportError, match=message) as caught:
        write_voice(Mixing(output), "mixing", tmp_path / "mixing", MADE_UP)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_new_voice_has_a_card_and_no_checksum_of_it(own):
    voice = own("gru")[0]
    assert (voice.path / "CARD.md").read_text().startswith("# own")
    assert set(voice.manifest.files) == {path.name for path in voice.path.iterdir()} - {"CARD.md", "voice.json"}


def test_verify_refuses_an_installed_voice_whose_rows_depend_on_one_another(tmp_path, monkeypatch):
    monkeypatch.setenv("VRNN_ENGINE_TRUST", "size")
    with monkeypatch.context() as careless:
        careless.setattr(rows, "ROUNDING", 1.0)
        voice = write_voice(Mixing("frame"), "mixing", tmp_path / "mixing", MADE_UP).voice
    with pytest.raises(VoiceError, match="the rows of a batch are not independent: frame"):
        verify(Voice.open(voice.path))
    done = run("voices", "verify", str(voice.path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {voice.path}")


def test_rounding_that_depends_on_the_batch_is_reported(tmp_path, monkeypatch, logged):
    monkeypatch.setattr("vrnn_engine.exporters.graphs.tracing.repeat_for_vectors", lambda model: None)
    voice = write_voice(OwnModel("gru"), "own", tmp_path / "own", MADE_UP).voice
    found, said = verified(voice, tmp_path)
    assert 0 < found["difference"] < 1e-6
    assert found["output"]
    assert "independent of each other but for rounding" in said
    (line,) = logged
    assert "a stream will not have the same bits in every batch" in line


def test_rows_that_are_independent_to_the_bit_are_reported(own, tmp_path):
    found, said = verified(own("gru")[0], tmp_path)
    assert (found["difference"], found["output"]) == (0, "")
    assert "independent of each other to the bit" in said


def verified(voice, folder):
    """Return what `voices verify` says of the rows: in JSON, and all its lines."""
    found, said = (run("voices", "verify", str(voice.path), *words, cwd=folder).stdout for words in (["--json"], []))
    return json.loads(found)["rows"], said


@pytest.mark.parametrize("operator", sorted(VECTORISED))
@pytest.mark.parametrize("shape", [[1], [3], [8], []], ids=str)
def test_bits_of_a_function_do_not_depend_on_the_position_in_a_batch(operator, shape):
    axes = ["batch", *shape]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, ["x"], ["y"])],
        "one",
        [value("x", onnx.TensorProto.FLOAT, axes)],
        [value("y", onnx.TensorProto.FLOAT, axes)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    before = len(model.graph.node)
    repeat_for_vectors(model)
    assert (len(model.graph.node) == before) == (shape == [8])
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).uniform(0.01, 1, (67, *shape)).astype(np.float32)
    together = session.run(None, {"x": x})[0]
    for part in (slice(0, 1), slice(0, 2), slice(0, 4), slice(60, 67), slice(66, 67)):
        assert session.run(None, {"x": x[part]})[0].tobytes() == together[part].tobytes(), part


@pytest.mark.parametrize("function", ["generate", "observe"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: out.pop("next.h"), "does not return next.h, the next value of state.h; it returns"),
        (lambda out: out.update({"next.g": out["next.h"]}), "returns next.g, but has no input state.g"),
        (lambda out: out.update({"next.h": out["next.h"][:, :2]}), r"next.h has shape \[2, 2\] for 2 rows, and must"),
        (lambda out: out.update(latent=out["next.h"].mean(0)), r"latent has shape \[6\] for 2 rows; its first axis"),
    ],
)
def test_output_that_breaks_the_contract_is_named(tmp_path, function, change, message):
    model = OwnModel("gru")
    honest = getattr(model, function)

    def broken(inputs):
        outputs = honest(inputs)
        change(outputs)
        return outputs

    setattr(model, function, broken)
    with pytest.raises(ExportError, match=f"^{function}: {message}") as caught:
        write_voice(model, "own", tmp_path / "own", MADE_UP)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("function", "output"), [("generate", "frame"), ("observe", "log_likelihood")])
def test_missing_output_and_undeclared_input_are_named(tmp_path, function, output):
    model = OwnModel("gru")
    setattr(model, function, lambda inputs: {"next.h": inputs["state.h"]})
    with pytest.raises(ExportError, match=f"{function}: does not return {output}, which it must; it returns next.h"):
        write_voice(model, "own", tmp_path / "own", MADE_UP)
    setattr(model, function, lambda inputs: {"next.h": inputs["state.hidden"]})
    with pytest.raises(
        ExportError, match=rf"{function}: reads state.hidden, which is not among its inputs \(state.h, "
    ):
        write_voice(model, "own", tmp_path / "own", MADE_UP)


class Silent(OwnModel):
    """Has no noise: each of its streams is the same."""

    def step_inputs(self):
        return self.states()

    def generate(self, inputs):
        frame = torch.tanh(self.head(inputs["state.h"]))
        return self.follow(frame, inputs) | {"frame": frame}


def test_a_model_without_noise_is_exported(tmp_path):
    voice = write_voice(Silent("gru"), "silent", tmp_path / "silent", MADE_UP).voice
    assert np.array_equal(Engine.load(voice, "cpu").stream(1).read(4), Engine.load(voice, "cpu").stream(2).read(4))


class Chunks(nn.Module):
    """Parts, a table of positions and an expanded parameter, whose sizes PyTorch computes in the graph."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.ones(1, 16))
        self.start = nn.Parameter(torch.ones(4))

    def forward(self, x):
        first, second = x.chunk(2, -1)
        return first * second + self.positions[:, : first.size(1)] + self.start.expand(x.shape[0], -1)[:, :2]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.norm = nn.Linear(1, 24), nn.LayerNorm(8)

    def forward(self, x):
        rows, length = x.shape
        parts = (part.view(rows, length, 2, 4).transpose(1, 2) for part in self.enter(x.unsqueeze(-1)).chunk(3, -1))
        found = nn.functional.scaled_dot_product_attention(*parts)
        return self.norm(found.transpose(1, 2).reshape(rows, length, 8)).flatten(1)


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(4, 8, batch_first=True)

    def forward(self, x):
        return self.cell(x.unsqueeze(1))[0][:, 0]


@pytest.mark.filterwarnings("ignore")  # of PyTorch about its own functions
@pytest.mark.parametrize(("module", "dynamo"), [(Chunks, False), (Attention, False), (Gru, True)])
def test_what_pytorch_exports_passes_the_checks(tmp_path, module, dynamo):
    torch.manual_seed(0)
    shapes = {"dynamic_shapes": ({0: torch.export.Dim("B")},)} if dynamo else {"dynamic_axes": {"x": {0: "B"}}}
    torch.onnx.export(
        module().eval(), (torch.randn(3, 4),), tmp_path / "m.onnx", input_names=["x"], dynamo=dynamo, **shapes
    )
    faults, _ = find_faults(read_model((tmp_path / "m.onnx").read_bytes()))
    assert not any(faults.values())
