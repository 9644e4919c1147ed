"""`vrnn-engine bench`: it measures what it says it measures."""

import json
import sys
from pathlib import Path

import msgspec
import onnx
import pytest
from support import toy_voice
from support.command import Run, the_error

from vrnn_engine import Engine, StreamError, Voice, VRNNEngineError
from vrnn_engine.diagnostics import bench

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import plot


@pytest.fixture(scope="module")
def report(toy_audio: Path) -> bench.Report:
    return bench.bench(toy_audio, "cpu", (1, 3), seconds=0.1)


def test_times_are_of_frames_and_their_floor_is_the_machines(report: bench.Report) -> None:
    assert [(pace.device, pace.rows) for pace in report.paces] == [("cpu", 1), ("cpu", 3)]
    for pace in report.paces:
        assert pace.provider == "CPUExecutionProvider"
        assert pace.deadline == 12.5
        assert 0 < pace.p50 <= pace.p95 <= pace.p99 <= pace.max
        assert pace.frames * pace.mean == pytest.approx(100, rel=0.5)
        assert pace.floor >= 1000 * pace.weights / report.machine.bandwidth["fp32"]
    assert 1e8 < report.machine.bandwidth["fp32"] < 1e13
    assert 1e8 < report.machine.rate < 1e14


def test_weights_are_those_that_a_step_reads() -> None:
    """Of a voice that stores them in half precision and computes in single."""
    voice = Voice.open("handwriting")
    graph = onnx.load(voice.path / voice.graph("step").file).graph
    numbers = sum(onnx.numpy_helper.to_array(tensor).size for tensor in graph.initializer)
    assert bench.weight_bytes(voice, voice.graph("step")) == pytest.approx(4 * numbers, rel=0.05)


def test_start_and_memory_are_of_processes_of_their_own(report: bench.Report) -> None:
    assert report.imports < report.first_sample < 60
    assert report.memory is None or 0 < report.memory < 2**30
    assert report.memory_per_stream is None or 0 <= report.memory_per_stream < 2**24


def test_many_streams_are_held_against_one(report: bench.Report) -> None:
    alone, three = report.paces
    assert alone.gain == 1
    assert three.gain == pytest.approx(3 * alone.mean / three.mean)


def test_on_a_gpu_it_knows_no_floor(toy_audio: Path, report: bench.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: an engine of the CPU that says it is one of CUDA."""

    def load(*given: object) -> Engine:
        engine = real(*given)
        engine.provider = "CUDAExecutionProvider"
        return engine

    real = Engine.load
    monkeypatch.setattr(Engine, "load", load)
    pace = bench._pace(Voice.open(toy_audio), "cpu", "fp32", 1, 0.01, {"fp32": 1000}, report.machine)
    assert pace.floor is None


def test_what_of_cuda_was_measured_is_kept_and_the_rest_explained(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated: a CUDA that is the CPU, and has no room for more than one stream."""

    def pace(voice: Voice, device: str, precision: str, rows: int, *given: object) -> bench.Pace:
        if device == "cuda" and rows > 1:
            raise StreamError("no room")
        return msgspec.structs.replace(real(voice, "cpu", precision, rows, *given), device=device)

    real = bench._pace
    monkeypatch.setattr(bench, "_pace", pace)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    found = bench.bench(toy_audio, "auto", (1, 2), seconds=0.01)
    assert [(pace.device, pace.rows) for pace in found.paces] == [("cpu", 1), ("cpu", 2), ("cuda", 1)]
    assert found.left_out == "no room"


def test_each_is_measured_once_and_the_processes_are_told_how(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(bench, "child", lambda code, *words: told.append(words) or "1")
    monkeypatch.setattr(bench, "_until_first_byte", lambda *words: told.append(words) or 1.0)
    found = bench.bench(toy_audio, "cpu", (2, 2), seconds=0.01, threads=2, precisions=["fp32", "fp32"])
    assert [(pace.precision, pace.rows) for pace in found.paces] == [("fp32", 2)]
    assert {words[:4] for words in told if words} == {(str(toy_audio), "cpu", "fp32", "2")}


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_what_would_never_end_is_refused(toy_audio: Path, seconds: float) -> None:
    with pytest.raises(VRNNEngineError, match="give the finite number of seconds"):
        bench.bench(toy_audio, "cpu", seconds=seconds)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process has")
def test_a_stream_costs_what_the_process_grows_by(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = "from vrnn_engine.runtime.engine import Engine\n"
    hoarding = f"{engine}Engine.stream = lambda self, old=Engine.stream: (old(self), b'x' * 2**20)\n"
    monkeypatch.setattr(bench, "_STREAMS", bench._STREAMS.replace(engine, hoarding))
    found = [bench._memory_per_stream(str(toy_audio), "cpu", "fp32", "1") for _ in range(3)]
    assert 2**20 < min(found) <= max(found) < 1.1 * 2**20
    assert max(found) - min(found) < 2**14


def test_a_slow_step_misses_its_deadline(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Engine.read
    monkeypatch.setattr(Engine, "read", lambda self, frames: bench.time.sleep(0.02) or read(self, frames))
    voice = Voice.open(toy_audio)
    machine = bench.Machine(
        processor="", cores=1, system="", python="", numpy="", onnxruntime="", bandwidth={"fp32": 1e9}, rate=1e9
    )
    pace = bench._pace(voice, "cpu", "fp32", 1, 0.1, {"fp32": 1000}, machine)
    assert pace.misses == pace.frames
    assert not pace.keeps_up
    assert bench._recommend([pace]) == {}
    assert pace.floor == pytest.approx(1000 * 1000 / 1e9)


def test_what_it_says_can_be_drawn(report: bench.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, picture = tmp_path / "bench.json", tmp_path / "rows.svg"
    measured.write_bytes(msgspec.json.encode(report))
    monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(picture)])
    plot.main()
    drawn = picture.read_text()
    assert "floor" in drawn
    for words in ("cpu, fp32", "a frame lasts 12.5 ms", "p50 to p99", "Streams in a batch", "toy-audio on"):
        assert words in drawn
    on_gpu = [msgspec.structs.replace(pace, floor=None) for pace in report.paces]
    measured.write_bytes(msgspec.json.encode(msgspec.structs.replace(report, paces=on_gpu)))
    plot.main()
    assert "floor" not in picture.read_text()
    for wrong in (tmp_path / "rows.xyz", tmp_path / "none" / "rows.svg"):
        monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(wrong)])
        with pytest.raises(SystemExit, match=f"^error: {wrong}: "):
            plot.main()
    monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(picture)])
    measured.write_text("{}")
    with pytest.raises(SystemExit, match=r"bench.json: neither of vrnn-engine bench nor of benchmarks/steps.py"):
        plot.main()


def test_prints_a_table_and_json(run: Run, toy_pen: Path) -> None:
    words = ["bench", "--voice", toy_pen, "--device", "cpu", "--rows", "2", "--seconds", "0.05"]
    words += ["--threads", "2", "--precision", "fp32"]
    table = run(*words)
    assert table.returncode == 0, table.stderr
    assert "p50 / floor" in table.stdout
    assert "toy-pen, threads 2" in table.stdout
    said = json.loads(run(*words, "--json").stdout)
    assert said["recommended"] == {"device": "cpu", "precision": "fp32", "rows": "2"}
    assert said["paces"][0]["deadline"] == 10
    assert said["paces"][0]["gain"] is None
    assert said["threads"] == 2


def test_what_cannot_run_is_one_line(run: Run, toy_audio: Path, tmp_path: Path) -> None:
    assert "unknown device 'tpu'" in the_error(run("bench", "--voice", toy_audio, "--device", "tpu"))
    assert "unknown voice" in the_error(run("bench", "--voice", "none"))
    assert "int3" in the_error(run("bench", "--voice", toy_audio, "--precision", "int3"))
    broken = toy_voice.build(tmp_path / "broken", edit_step=lambda graph: graph.node.pop())
    assert "step.onnx: onnxruntime cannot load this graph" in the_error(run("bench", "--voice", broken))
    assert "seconds=inf" in the_error(run("bench", "--voice", toy_audio, "--seconds", "inf"))
