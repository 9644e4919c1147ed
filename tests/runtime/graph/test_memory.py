"""A lack of memory is an error of one line that changes nothing, raised in advance where that is possible."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support import toy_voice
from support.command import ROOT, Run, environment, the_error

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph import memory

only_linux = pytest.mark.skipif(memory.available() is None, reason="this system does not say how much memory it has")

SIZES = r"needs about [\d.]+ [GM]iB of memory, and [\d.]+ [GM]iB are available; use fewer rows, or read fewer frames$"


def test_other_systems_are_asked_by_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: a system without /proc."""

    def fail(path: str) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(memory, "open", fail, raising=False)
    assert 2**20 < memory.available() < 2**50  # type: ignore[operator]
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert memory.available() is None
    memory.require(10**18, "a batch")  # nothing is known, so nothing is refused


@only_linux
def test_small_needs_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 0)
    memory.require(memory.SMALL, "a batch")
    with pytest.raises(vrnn.StreamError, match=r"^a batch needs about 64 MiB of memory, and 0 MiB are available"):
        memory.require(memory.SMALL + 1, "a batch")


@only_linux
def test_more_rows_than_fit_are_refused_when_the_engine_is_loaded(toy_audio: Path, run: Run) -> None:
    with pytest.raises(vrnn.StreamError, match=rf"^voice 'toy-audio' with rows=1000000000000 {SIZES}"):
        vrnn.Engine.load(toy_audio, device="cpu", rows=10**12)
    error = the_error(run("bench", "--voice", toy_audio, "--device", "cpu", "--rows", 10**12))
    assert "with rows=1000000000000 needs about" in error


@only_linux
def test_more_frames_than_fit_are_refused(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    streams = [engine.stream(seed) for seed in range(3)]
    with pytest.raises(vrnn.StreamError, match=rf"with rows=2, frames=1000000000 of 3 streams {SIZES}"):
        engine.read(10**9)
    assert [stream.frame for stream in streams] == [0, 0, 0]
    assert len(engine.read(2)[0]) == 400


def test_a_batch_that_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One stream fits; a batch, which holds each state twice, does not."""
    width = 2**23
    monkeypatch.setattr(memory, "available", lambda: 4 * width * 5 // 3)

    def widen(graph: onnx.GraphProto) -> None:
        for values, name in ((graph.input, "state.vast"), (graph.output, "next.vast")):
            values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width]))
        graph.node.append(helper.make_node("Identity", ["state.vast"], ["next.vast"]))

    folder = toy_voice.build(tmp_path / "voice", observe=False, edit_step=widen)

    def declare(manifest: dict) -> None:
        manifest["graphs"][0]["inputs"]["state.vast"] = manifest["graphs"][0]["outputs"]["next.vast"] = [width]

    toy_voice.change(folder, declare)
    with pytest.raises(vrnn.StreamError, match=rf"with rows=1 {SIZES}"):
        vrnn.Engine.load(folder, device="cpu", trust="size")


def test_memory_is_checked_again_before_batches_and_before_many_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = vrnn.Engine.load("handwriting", device="cpu", rows=2000)
    streams = [engine.stream(seed) for seed in range(2000)]
    monkeypatch.setattr(memory, "available", lambda: 60 * 2**20)
    for frames, some, what in ((1, streams, "rows=2000"), (9_000_000, streams[:1], "rows=1, frames=9000000")):
        with pytest.raises(vrnn.StreamError, match=f"with {what}.* and 60 MiB are available"):
            engine.read(frames, some)
    assert not any(stream.frame for stream in streams)
    engine.read(1, streams[:9])  # too few to be checked


def test_onnxruntimes_memory_counts_for_many_rows(toy_audio: Path) -> None:
    """Its estimate is the size of the results of the graph's nodes."""
    step = vrnn.Engine.load(toy_audio, device="cpu").stepper.graphs.step
    buffers = step.row_bytes(1)
    state, noise, controls, frame = 6 + 2, 4 + 200, 2 + 3 * 4, 200
    assert buffers == 4 * (2 * state + noise + controls + frame)
    assert step.row_bytes(memory.MANY - 1) == buffers
    results = step.row_bytes(memory.MANY) - buffers
    # The mean, its product, its tangent, the scaled noise and the frame have 200 numbers each; some may be fused.
    assert 4 * 200 < results < 4 * 200 * 12


@pytest.mark.parametrize(
    "words",
    ["BFCArena: Failed to allocate memory for requested buffer", "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED"],
)
def test_simulated_lack_of_gpu_memory_is_named_as_such(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    def fail(error: Exception) -> None:
        raise error

    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    streams = [engine.stream(seed) for seed in (1, 2)]
    engine.stepper.graphs.step.location = ("cuda", 0)
    monkeypatch.setattr(engine.stepper.graphs, "call", lambda *given: fail(RuntimeError(words)))
    said = "voice 'toy-audio' with rows=2, frames=3 of 2 streams needs more GPU memory than is left; use fewer rows"
    with pytest.raises(vrnn.StreamError, match=f"^{said}"):
        engine.read(3, streams)
    monkeypatch.setattr(engine.stepper.graphs, "call", lambda *given: fail(MemoryError()))
    with pytest.raises(vrnn.StreamError, match="needs about"):  # an error of numpy is about the machine's memory
        engine.read(3, streams)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit the memory of a process")
@pytest.mark.parametrize(
    ("rows", "frames"), [pytest.param(200, 2, id="by onnxruntime"), pytest.param(3, 100_000, id="by numpy")]
)
def test_memory_that_cannot_be_allocated_leaves_the_streams_as_they_were(rows: int, frames: int) -> None:
    """In a process that has 24 MiB left.  A smaller read afterwards gives the same bits as without the error."""
    script = f"""
        import resource
        import numpy
        import vrnn_engine

        engine = vrnn_engine.Engine.load("blizzard", device="cpu", rows=200)
        streams = [engine.stream(seed) for seed in range(200)]
        engine.read(1, streams[:1])
        with open("/proc/self/status") as file:
            size = next(1024 * int(line.split()[1]) for line in file if line.startswith("VmSize"))
        resource.setrlimit(resource.RLIMIT_AS, (size + 24 * 2**20, resource.RLIM_INFINITY))
        try:
            engine.read({frames}, streams[:{rows}])
        except vrnn_engine.StreamError as error:
            print(error)
        print([stream.frame for stream in streams] == [1] + 199 * [0])
        print(numpy.concatenate(engine.read(2, streams[:2])).tobytes().hex())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT, env=environment()
    )
    assert done.returncode == 0, done.stderr
    said, unmoved, heard = done.stdout.splitlines()
    assert said.startswith(f"voice 'blizzard' with rows={rows}, frames={frames} of {rows} streams needs about")
    assert said.endswith("use fewer rows, or read fewer frames")
    assert unmoved == "True"
    engine = vrnn.Engine.load("blizzard", device="cpu")
    first, second = engine.stream(0), engine.stream(1)
    expected = np.concatenate([first.read(3)[200:], second.read(2)])
    np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(heard), np.float32), expected)
