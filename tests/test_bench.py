"""`vrnn-engine bench`: it measures what it says it measures."""

import json
import sys
from pathlib import Path

import msgspec
import onnx
import pytest
from command import Run, the_error

from vrnn_engine import Engine, Voice
from vrnn_engine.runtime import bench

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process has")
def test_a_stream_costs_what_the_process_grows_by(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = "from vrnn_engine.runtime.engine import Engine\n"
    hoarding = f"{engine}Engine.stream = lambda self, old=Engine.stream: (old(self), b'x' * 2**20)\n"
    monkeypatch.setattr(bench, "_STREAMS", bench._STREAMS.replace(engine, hoarding))
    assert 2**20 < bench._memory_per_stream(Voice.open(toy_audio), "cpu", 9) < 2**21
    assert bench._memory_per_stream(Voice.open(toy_audio), "cpu", 1) is None


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
    for words in ("cpu, fp32", "a frame lasts 12.5 ms", "p50 to p99", "Streams in a batch", "toy-audio on"):
        assert words in drawn
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


def test_what_cannot_run_is_one_line(run: Run, toy_audio: Path) -> None:
    assert "unknown device 'tpu'" in the_error(run("bench", "--voice", toy_audio, "--device", "tpu"))
    assert "unknown voice" in the_error(run("bench", "--voice", "none"))
    assert "int3" in the_error(run("bench", "--voice", toy_audio, "--precision", "int3"))
