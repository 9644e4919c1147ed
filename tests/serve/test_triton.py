"""The model repository for NVIDIA Triton, against its published protobuf and a stand-in for the server."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from support import toy_voice
from support.command import Run, environment
from support.triton_server import Model, check
from tritonclient.grpc import model_config_pb2 as proto

from vrnn_engine import Engine, Voice
from vrnn_engine.errors import ExportError, VoiceError
from vrnn_engine.runtime.noise import NoiseSource
from vrnn_engine.runtime.voice.manifest import decode_manifest
from vrnn_engine.serve.triton import MANIFEST, write_repository

FRAMES = 40


@pytest.fixture(scope="module", params=["blizzard", "handwriting", "toy_audio", "toy_pen"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Voice, Path]:
    """A voice, and its folder in a model repository."""
    where = request.getfixturevalue(request.param) if request.param.startswith("toy") else request.param
    voice = Voice.open(where)
    return voice, write_repository(voice, tmp_path_factory.mktemp("triton") / "models")


def inputs_at(voice: Voice, source: NoiseSource, frame: int) -> dict[str, np.ndarray]:
    """Return the inputs [1, ...] of a frame: noise, the defaults of the controls, and no text."""
    shapes = voice.graph("step").inputs
    given = {f"noise.{name}": values for name, values in source.at(frame).items()}
    given |= {f"control.{one.name}": np.full(one.shape, one.default, np.float32) for one in voice.manifest.controls}
    given |= {name: np.zeros(shape, np.float32) for name, shape in shapes.items() if name.startswith("text.")}
    return {name: values[np.newaxis] for name, values in given.items()}


def noise_of(voice: Voice, seed: int) -> NoiseSource:
    shapes = voice.graph("step").inputs
    return NoiseSource(seed, {n.removeprefix("noise."): s[0] for n, s in shapes.items() if n.startswith("noise.")})


def test_configuration_passes_the_checks_of_triton(written: tuple[Voice, Path]) -> None:
    Model(written[1])


def test_every_input_and_output_of_the_graph_has_its_place(written: tuple[Voice, Path]) -> None:
    voice, folder = written
    config, graph = Model(folder).config, voice.graph("step")
    pairs = {state.input_name: state.output_name for state in config.sequence_batching.state}
    assert pairs == {name: name.replace("state.", "next.") for name in graph.inputs if name.startswith("state.")}
    assert [one.name for one in config.input] == [name for name in graph.inputs if name not in pairs]
    assert [one.name for one in config.output] == [name for name in graph.outputs if name not in pairs.values()]
    assert config.sequence_batching.WhichOneof("strategy_choice") == "oldest"
    assert not config.sequence_batching.control_input  # the graph has no input for them
    assert [one.kind for one in config.instance_group] == [proto.ModelInstanceGroup.KIND_AUTO]


def test_a_client_finds_the_manifest_in_the_configuration(written: tuple[Voice, Path]) -> None:
    voice, folder = written
    text = Model(folder).config.parameters[MANIFEST].string_value
    assert decode_manifest(text.encode(), "config.pbtxt") == voice.manifest


def test_the_folder_has_the_weights_of_this_graph_only(written: tuple[Voice, Path]) -> None:
    voice, folder = written
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    data = {"toy-audio": set(), "toy-pen": {"1/step.onnx.data"}}.get(voice.name, {"1/weights.bin"})
    assert files == {"config.pbtxt", "1/model.onnx"} | data


def test_a_file_whose_name_is_only_a_word_of_the_graph_is_not_copied(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice")
    (folder / "frame").write_bytes(b"other data")
    digest = hashlib.sha256(b"other data").hexdigest()
    toy_voice.change(folder, lambda manifest: manifest["files"].update(frame=digest))
    written = write_repository(Voice.open(folder), tmp_path / "models")
    assert os.listdir(written / "1") == ["model.onnx"]


@pytest.mark.parametrize("where", ["blizzard", "toy_audio", "toy_pen"])
def test_sequences_that_share_steps_are_the_streams_of_the_engine(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Three sequences start at different steps, one of them a second time with the same ID."""
    voice = Voice.open(request.getfixturevalue(where) if where.startswith("toy") else where)
    model = Model(write_repository(voice, tmp_path))
    spans = [(1, 7, 0, FRAMES), (2, 8, 5, 20), (3, 2**64 - 1, 11, FRAMES), (2, 9, 25, FRAMES)]  # ID, seed, begin, end
    sources = [noise_of(voice, seed) for _, seed, _, _ in spans]
    made: list[list[np.ndarray]] = [[] for _ in spans]
    for step in range(FRAMES):
        running = [n for n, (_, _, begin, end) in enumerate(spans) if begin <= step < end]
        requests = {spans[n][0]: inputs_at(voice, sources[n], step - spans[n][2]) for n in running}
        starts = {spans[n][0] for n in running if spans[n][2] == step}
        ends = {spans[n][0] for n in running if spans[n][3] == step + 1}
        answers = model.step(requests, starts, ends)
        for n in running:
            made[n].append(answers[spans[n][0]]["frame"][0])
    engine = Engine.load(voice, "cpu")
    for (_, seed, begin, end), frames in zip(spans, made, strict=True):
        assert np.array_equal(np.ravel(frames), engine.stream(seed).read(end - begin).ravel())


def test_a_sequence_with_a_text_agrees_with_pytorch(tmp_path: Path) -> None:
    voice = Voice.open("handwriting")
    model, vectors = Model(write_repository(voice, tmp_path)), voice.parity()
    defaults = inputs_at(voice, noise_of(voice, 0), 0)
    for frame, expected in enumerate(vectors["frame"]):
        given = {name: values[frame : frame + 1] for name, values in vectors.items() if name in defaults}
        assert len(given) == 5  # the text and four kinds of noise
        found = model.step({1: defaults | given}, {1} if frame == 0 else set(), set())[1]
        assert np.allclose(found["frame"][0], expected, atol=1e-4)
        assert found["text.position"].shape == (1, 1)
        assert np.allclose(found["text.position"].ravel(), vectors["text.position"][frame], atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.input.pop(),
        lambda config: config.sequence_batching.state.pop(),
        lambda config: config.input[0].dims.append(2),
        lambda config: config.output[0].dims.__setitem__(0, 7),
        lambda config: config.sequence_batching.state[0].initial_state[0].dims.__setitem__(0, 7),
        lambda config: setattr(config.sequence_batching.state[0], "output_name", "frame"),
        lambda config: setattr(config, "max_batch_size", 0),
    ],
)
def test_the_stand_in_refuses_a_wrong_configuration(change, toy_audio: Path, tmp_path: Path) -> None:
    folder = write_repository(Voice.open(toy_audio), tmp_path)
    model = Model(folder)
    change(model.config)
    with pytest.raises(AssertionError):
        check(folder, model.config, model.session)


def test_a_name_that_is_not_ascii_stays_readable(tmp_path: Path) -> None:
    folder = write_repository(Voice.open(toy_voice.build(tmp_path / "a", name="a b é")), tmp_path / "models")
    config = text_format.Parse((folder / "config.pbtxt").read_text("utf-8"), proto.ModelConfig())
    assert config.name == "a b é"


def test_another_voice_joins_the_repository_and_the_same_is_refused(
    toy_audio: Path, toy_pen: Path, tmp_path: Path
) -> None:
    write_repository(Voice.open(toy_audio), tmp_path)
    write_repository(Voice.open(toy_pen), tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["toy-audio", "toy-pen"]
    with pytest.raises(ExportError, match="toy-pen: this model exists already; remove it"):
        write_repository(Voice.open(toy_pen), tmp_path)


def test_a_failure_leaves_nothing(toy_audio: Path, tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="no step graph in 'int8'"):
        write_repository(Voice.open(toy_audio), tmp_path, "int8")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot write"):
        write_repository(Voice.open(toy_audio), tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_export_of_a_voice_needs_no_torch(tmp_path: Path) -> None:
    for name in ("torch", "onnx"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    variables = environment()
    variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), variables["PYTHONPATH"]])
    command = [sys.executable, "-m", "vrnn_engine", "export", "blizzard", "--triton", "models"]
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("model written to models/blizzard; next: tritonserver --model-repository=")
    Model(tmp_path / "models" / "blizzard")


@pytest.mark.parametrize(
    "words",
    [("--name", "other"), ("--out", "other"), ("--half-weights",), ("--precision", "fp16", "--precision", "int8")],
)
def test_options_that_change_a_voice_are_refused(run: Run, words: tuple[str, ...]) -> None:
    done = run("export", "blizzard", "--triton", "models", *words)
    assert done.returncode == 2
    assert "is a voice, which stays as it is" in done.stderr or "has one precision" in done.stderr
