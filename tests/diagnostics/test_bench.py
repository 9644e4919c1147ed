"""`vrnn-engine bench`: step times, start-up time, memory, and how they are printed."""

import json
import sys
from pathlib import Path

import msgspec
import onnx
import pytest
from support import toy_voice
from support.command import Run, the_error

from vrnn_engine import Engine, StreamError, Voice, VRNNEngineError
from vrnn_engine.cli.bench import stream_command
from vrnn_engine.diagnostics import bench, bench_memory, processes, step_times
from vrnn_engine.diagnostics.bench_memory import Setup
from vrnn_engine.diagnostics.machine import Machine
from vrnn_engine.diagnostics.step_times import StepTimes, measure_steps, recommend, weight_bytes

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import plot


@pytest.fixture(scope="module")
def report(toy_audio: Path) -> bench.Report:
    return bench.bench(toy_audio, "cpu", (1, 3), seconds=0.1, stream_command=stream_command)


def test_step_times_are_consistent_and_the_floor_follows_from_the_machine(report: bench.Report) -> None:
    assert [(times.device, times.rows) for times in report.paces] == [("cpu", 1), ("cpu", 3)]
    for times in report.paces:
        assert times.provider == "CPUExecutionProvider"
        assert times.deadline == 12.5
        assert 0 < times.p50 <= times.p95 <= times.p99 <= times.max
        assert times.frames * times.mean == pytest.approx(100, rel=0.5)
        reading = 1000 * times.weights / report.machine.bandwidth["fp32"]
        assert times.floor >= reading * (1 - 1e-9)  # rounding
    assert 1e8 < report.machine.bandwidth["fp32"] < 1e13
    assert 1e8 < report.machine.rate < 1e14


def test_weight_bytes_are_those_in_memory() -> None:
    """The voice stores its weights in fp16 and computes in fp32."""
    voice = Voice.open("handwriting")
    graph = onnx.load(voice.path / voice.graph("step").file).graph
    numbers = sum(onnx.numpy_helper.to_array(tensor).size for tensor in graph.initializer)
    assert weight_bytes(voice, voice.graph("step")) == pytest.approx(4 * numbers, rel=0.05)


def test_start_up_time_and_memory_are_measured(report: bench.Report) -> None:
    assert report.first_sample is not None
    assert report.imports < report.first_sample < 60
    assert report.memory is None or 0 < report.memory < 2**30
    assert report.memory_per_stream is None or 0 <= report.memory_per_stream < 2**24


def test_the_gain_of_many_streams_is_relative_to_one_alone(report: bench.Report) -> None:
    alone, three = report.paces
    assert alone.gain == 1
    assert three.gain == pytest.approx(3 * alone.mean / three.mean)


def test_a_gpu_has_no_floor(toy_audio: Path, report: bench.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: an engine on the CPU whose provider says CUDA."""

    def load(*given: object) -> Engine:
        engine = real(*given)
        engine.stepper.graphs.step.provider = "CUDAExecutionProvider"
        return engine

    real = Engine.load
    monkeypatch.setattr(Engine, "load", load)
    times = measure_steps(Voice.open(toy_audio), "cpu", "fp32", 1, 0.01, {"fp32": 1000}, report.machine)
    assert times.floor is None


def test_an_error_of_cuda_keeps_what_was_measured_before_it(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: the CPU in place of CUDA, with room for one stream."""

    def pace(voice: Voice, device: str, precision: str, rows: int, *given: object) -> StepTimes:
        if device == "cuda" and rows > 1:
            raise StreamError("no room")
        return msgspec.structs.replace(real(voice, "cpu", precision, rows, *given), device=device)

    real = bench.measure_steps
    monkeypatch.setattr(bench, "measure_steps", pace)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    found = bench.bench(toy_audio, "auto", (1, 2), seconds=0.01)
    assert [(times.device, times.rows) for times in found.paces] == [("cpu", 1), ("cpu", 2), ("cuda", 1)]
    assert found.left_out == "no room"
    assert found.first_sample is None  # no command was given


def test_each_configuration_is_measured_once_and_all_processes_load_the_same_voice(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(bench_memory, "run_python", lambda code, *words: started.append(words) or "1")
    monkeypatch.setattr(processes, "run_python", lambda code, *words: started.append(words) or "1")
    monkeypatch.setattr(bench, "seconds_to_first_byte", lambda command: started.append(tuple(command)) or 1.0)
    found = bench.bench(
        toy_audio,
        "cpu",
        (2, 2),
        seconds=0.01,
        threads=2,
        precisions=["fp32", "fp32"],
        stream_command=lambda setup: setup.arguments(),
    )
    assert [(times.precision, times.rows) for times in found.paces] == [("fp32", 2)]
    assert {words[:4] for words in started if words} == {(str(toy_audio), "cpu", "fp32", "2")}
    assert len(started) == 2 * (bench.ROUNDS + 1) + 4


def test_a_measured_process_compiles_its_modules_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert processes.run_python("import sys; print(sys.dont_write_bytecode)").strip() == "False"


def test_the_command_that_is_measured_streams_the_setup() -> None:
    command = stream_command(Setup("folder", "cpu", "int8", 3))
    assert command[:4] == [sys.executable, "-m", "vrnn_engine", "stream"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options == {
        "--to": "-", "--seconds": "1", "--voice": "folder", "--device": "cpu", "--precision": "int8", "--threads": "3"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason"), [("import sys; sys.exit('no voice')", "no voice"), ("print(end='')", ""), ("1 / 0", "division")]
)
def test_a_measured_process_that_fails_says_why(code: str, reason: str) -> None:
    with pytest.raises(VRNNEngineError, match=f"(?s)a measured process failed: .*{reason}"):
        processes.seconds_to_first_byte([sys.executable, "-c", code])


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_seconds_that_are_not_finite_are_refused(toy_audio: Path, seconds: float) -> None:
    with pytest.raises(VRNNEngineError, match="give the finite number of seconds"):
        bench.bench(toy_audio, "cpu", seconds=seconds)


def test_the_memory_of_a_stream_is_what_the_process_grows_by(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = "from vrnn_engine.runtime.engine import Engine\n"
    hoarding = f"{engine}Engine.stream = lambda self, old=Engine.stream: (old(self), b'x' * 2**20)\n"
    monkeypatch.setattr(bench_memory, "_STREAMS", bench_memory._STREAMS.replace(engine, hoarding))
    found = [bench_memory.memory_per_stream(Setup(str(toy_audio), "cpu", "fp32", 1)) for _ in range(3)]
    assert 2**20 < min(found) <= max(found) < 1.1 * 2**20
    assert max(found) - min(found) < 2**14


def test_a_slow_step_misses_its_deadline(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Engine.read
    monkeypatch.setattr(Engine, "read", lambda self, frames: step_times.time.sleep(0.02) or read(self, frames))
    voice = Voice.open(toy_audio)
    machine = Machine(
        processor="", cores=1, system="", python="", numpy="", onnxruntime="", bandwidth={"fp32": 1e9}, rate=1e9
    )
    times = measure_steps(voice, "cpu", "fp32", 1, 0.1, {"fp32": 1000}, machine)
    assert times.misses == times.frames
    assert not times.keeps_up
    assert recommend([times]) == {}
    assert times.floor == pytest.approx(1000 * 1000 / 1e9)


def test_the_report_can_be_drawn(report: bench.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, picture = tmp_path / "bench.json", tmp_path / "rows.svg"
    measured.write_bytes(msgspec.json.encode(report))
    monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(picture)])
    plot.main()
    drawn = picture.read_text()
    assert "floor" in drawn
    for words in ("cpu, fp32", "a frame lasts 12.5 ms", "p50 to p99", "Streams in a batch", "toy-audio on"):
        assert words in drawn
    on_gpu = [msgspec.structs.replace(times, floor=None) for times in report.paces]
    measured.write_bytes(msgspec.json.encode(msgspec.structs.replace(report, paces=on_gpu)))
    plot.main()
    assert "floor" not in picture.read_text()
    for wrong in (tmp_path / "rows.xyz", tmp_path / "none" / "rows.svg"):
        monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(wrong)])
        with pytest.raises(SystemExit, match=f"^error: {wrong}: "):
            plot.main()
    monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(picture)])
    measured.write_text("{}")
    with pytest.raises(SystemExit, match=r"bench.json: not the output of vrnn-engine bench or benchmarks/steps.py"):
        plot.main()


def test_a_voice_that_computes_whole_words_is_compared_by_its_mean(run: Run, text_voice: Path) -> None:
    words = ["bench", "--voice", text_voice, "--device", "cpu", "--rows", "1", "--seconds", "0.05"]
    said = run(*words).stdout
    assert "over floor: the mean time relative to it" in said
    found = msgspec.convert(json.loads(run(*words, "--json").stdout)["paces"][0], StepTimes)
    assert found.over_floor == found.mean / found.floor
    assert msgspec.structs.replace(found, in_parts=False).over_floor == found.p50 / found.floor
    assert msgspec.structs.replace(found, floor=None).over_floor is None


def test_bench_prints_a_table_and_json(run: Run, toy_pen: Path) -> None:
    words = ["bench", "--voice", toy_pen, "--device", "cpu", "--rows", "2", "--seconds", "0.05"]
    words += ["--threads", "2", "--precision", "fp32"]
    table = run(*words)
    assert table.returncode == 0, table.stderr
    assert "over floor: p50 relative to it" in table.stdout
    assert "more than the 10 ms it lasts" in table.stdout
    assert "toy-pen, threads 2" in table.stdout
    said = json.loads(run(*words, "--json").stdout)
    # A busy machine may be too slow for any recommendation.
    assert said["recommended"] in ({}, {"device": "cpu", "precision": "fp32", "rows": "2"})
    assert said["paces"][0]["deadline"] == 10
    assert said["paces"][0]["gain"] is None
    assert said["threads"] == 2


def test_errors_are_one_line(run: Run, toy_audio: Path, tmp_path: Path) -> None:
    assert "unknown device 'tpu'" in the_error(run("bench", "--voice", toy_audio, "--device", "tpu"))
    assert "unknown voice" in the_error(run("bench", "--voice", "none"))
    assert "int3" in the_error(run("bench", "--voice", toy_audio, "--precision", "int3"))
    broken = toy_voice.build(tmp_path / "broken", edit_step=lambda graph: graph.node.pop())
    assert "step.onnx: onnxruntime cannot load this graph" in the_error(run("bench", "--voice", broken))
    assert "seconds=inf" in the_error(run("bench", "--voice", toy_audio, "--seconds", "inf"))
