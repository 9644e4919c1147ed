"""The command line in a process of its own: exit codes, what goes to stdout, one line for each error."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from support import toy_voice
from support.command import ROOT, Run, environment, the_error

from vrnn_engine import Engine, __version__
from vrnn_engine.runtime.graph.provider import cuda_obstacle
from vrnn_engine.runtime.sinks.pcm import to_pcm16

NO_DRIVER = pytest.mark.skipif(
    getattr(cuda_obstacle(), "driver", True), reason="this machine has an NVIDIA driver, and perhaps CUDA"
)


def test_version_and_help(run: Run) -> None:
    assert run("--version").stdout == f"vrnn-engine {__version__}\n"
    done = run("--help")
    assert done.returncode == 0
    for verb in ("stream", "voices", "devices"):
        assert verb in done.stdout


def test_help_imports_nothing_heavy(run: Run) -> None:
    code = (
        "import sys; from vrnn_engine.cli.main import run; sys.argv[1:] = ['stream', '--help']\n"
        "try: run()\n"
        "finally: print(sorted({'numpy', 'onnxruntime', 'rich', 'sounddevice', 'soundfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_pcm_on_stdout_equals_the_stream(run: Run, toy_audio: Path) -> None:
    done = run("stream", "--voice", toy_audio, "--to", "-", "--seconds", "0.51", "--seed", "7", text=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == round(0.51 * 16000) * 2
    expected = Engine.load(toy_audio, device="cpu").stream(seed=7).read(41)[:8160]
    assert done.stdout == to_pcm16(expected)[0].tobytes()
    for part in (b"seed 7", b"CPUExecutionProvider", b"x real time"):
        assert part in done.stderr


def test_streaming_to_stdout_imports_no_optional_library(toy_audio: Path) -> None:
    """Imports delay the first sample."""
    argv = ["stream", "--voice", str(toy_audio), "--to", "-", "--seconds", "0.1"]
    code = (
        f"import sys; from vrnn_engine.cli.main import run; sys.argv[1:] = {argv!r}\n"
        "try: run()\n"
        "finally: print(sorted({'rich', 'sounddevice', 'soundfile', 'soxr'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True)
    assert done.stderr.splitlines()[-1] == b"[]", done.stderr


def test_the_number_of_threads_changes_no_bit(run: Run) -> None:
    words = ("stream", "--voice", "blizzard", "--to", "-", "--seconds", "0.5", "--seed", "7")
    one, two = (run(*words, "--threads", threads, text=False) for threads in (1, 2))
    assert (one.returncode, two.returncode) == (0, 0)
    assert len(one.stdout) == 16000
    assert one.stdout == two.stdout


def test_ink_on_stdout_is_json_lines(run: Run, toy_pen: Path) -> None:
    done = run("stream", "--voice", toy_pen, "--to", "-", "--seconds", "0.5")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 50
    assert set(lines[0]) == {"t", "dx", "dy", "pen_up"}


def test_the_same_seed_gives_the_same_file(run: Run, work: Path, toy_audio: Path) -> None:
    for name in ("a", "b"):
        assert run("stream", "--voice", toy_audio, "--to", f"{name}.wav", "--seed", 1, "-s", 1).returncode == 0
    assert run("stream", "--voice", toy_audio, "--to", "c.wav", "-s", 1).returncode == 0
    assert (work / "a.wav").read_bytes() == (work / "b.wav").read_bytes()
    assert (work / "a.wav").read_bytes() != (work / "c.wav").read_bytes()
    assert soundfile.info(work / "a.wav").frames == 16000


def test_without_a_target_ink_is_written_to_an_svg(run: Run, work: Path, toy_pen: Path) -> None:
    done = run("stream", "--voice", toy_pen, "--seconds", "2")
    assert done.returncode == 0
    assert "toy-pen.svg" in done.stderr
    assert (work / "toy-pen.svg").read_text().startswith("<svg")


def test_width_sets_the_width_of_the_page(run: Run, work: Path, toy_pen: Path) -> None:
    for to, width in (("a.svg", 120), ("b.svg?margin=5", 99.5)):
        assert run("stream", "--voice", toy_pen, "--seconds", "2", "--to", to, "--width", width).returncode == 0
        assert f'width="{width:g}mm"' in (work / to.partition("?")[0]).read_text()
    done = run("stream", "--voice", toy_pen, "--to", "a.wav", "--width", 120)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: --width is for a page of ink, and a.wav is not one",
    )
    twice = run("stream", "--voice", toy_pen, "--to", "c.svg?width=120", "--width", 100).stderr.splitlines()[-1]
    assert twice == "Error: --width is given twice, here and in --to c.svg?width=120; give it once"


def test_an_argument_without_its_option_is_a_hint(run: Run, toy_pen: Path) -> None:
    done = run("stream", "blizzard")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: blizzard is an argument, and this command takes none; write --voice blizzard",
    )
    assert run("stream", "blizzard", "--help").returncode == 0
    also = run("stream", "--voice", toy_pen, "page.svg").stderr.splitlines()[-1]
    assert also == "Error: page.svg is an argument too many; write --to page.svg"
    another = run("stream", "--voice", toy_pen, "blizzard").stderr.splitlines()[-1]
    assert another == "Error: blizzard is an argument, and this command takes none"


def no_portaudio(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which the PortAudio library is not found."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import ctypes.util\n"
        "find = ctypes.util.find_library\n"
        "ctypes.util.find_library = lambda name: None if 'portaudio' in name else find(name)\n"
    )
    return {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


def test_without_portaudio_sound_goes_to_a_file(run: Run, work: Path, toy_audio: Path, tmp_path: Path) -> None:
    env = no_portaudio(tmp_path)
    error = the_error(run("stream", "--voice", toy_audio, "--to", "speakers", env=env))
    assert "apt install libportaudio2" in error
    assert "brew install portaudio" in error
    done = run("stream", "--voice", toy_audio, "--seconds", "0.2", env=env)
    assert done.returncode == 0
    assert "toy-audio.wav" in done.stderr
    assert soundfile.info(work / "toy-audio.wav").frames == 3200
    done = run("devices", env=env)
    assert done.returncode == 0
    assert "libportaudio2" in done.stdout
    found = json.loads(run("devices", "--json", env=env).stdout)
    assert found["sound"] == found["microphones"] == []
    assert "microphone: " in found["microphones_error"]
    error = the_error(run("stream", "--voice", toy_audio, "--from", "microphone", env=env))
    assert "apt install libportaudio2" in error
    assert "listen to a file instead" in error


def test_devices_lists_the_processors(run: Run) -> None:
    processors = json.loads(run("devices", "--json").stdout)["processors"]
    assert [one["name"] for one in processors] == ["cpu", "cuda"]
    assert processors[0]["trouble"] is None


def test_options_set_the_controls(run: Run, toy_audio: Path) -> None:
    options = (
        "--temperature",
        0.5,
        "--set",
        "latent.shift=0.1,0.2,0,-1",
        "--set",
        "latent.hold=0.25",
        "--set",
        "latent.hold/3=1",
    )
    done = run("stream", "--voice", toy_audio, "--to", "-", "-s", "0.1", "--seed", 7, *options, text=False)
    stream = Engine.load(toy_audio, device="cpu").stream(seed=7)
    stream.controls["latent.temperature"] = stream.controls["output.temperature"] = 0.5
    stream.controls["latent.shift"] = np.array([0.1, 0.2, 0, -1])
    stream.controls["latent.hold"] = [0.25, 0.25, 0.25, 1]
    assert done.stdout == to_pcm16(stream.read(8))[0].tobytes()


def test_priming_converts_the_recording_and_reports_it(run: Run, work: Path, toy_audio: Path) -> None:
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, (44100, 2))
    soundfile.write(work / "in.wav", sound, 44100)
    done = run("stream", "--voice", toy_audio, "--to", "-", "-s", "0.1", "--seed", 7, "--prime", "in.wav", text=False)
    assert done.returncode == 0, done.stderr
    for part in (b"2 channels to mono", b"44100 Hz to 16000 Hz"):
        assert part in done.stderr
    stream = Engine.load(toy_audio, device="cpu").stream(seed=7)
    stream.prime(work / "in.wav")
    assert done.stdout == to_pcm16(stream.read(8))[0].tobytes()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--voice", "toy-audo"), ("unknown voice 'toy-audo'", "did you mean", "'toy-audio'")),
        (("--voice", "./none"), ("no such voice",)),
        (("--voice", "ftp://here/blizzard"), ("'ftp://here/blizzard' is an address; ",)),
        (("--voice", "http://127.0.0.1:1/blizzard"), ("ws://127.0.0.1:1/blizzard cannot be reached",)),
        (("--set", "latent.shoft=1"), ("unknown control 'latent.shoft'", "'latent.shift'")),
        (("--set", "latent.hold=2"), ("latent.hold", "out of range [0, 1]")),
        (("--set", "latent.hold=0,1"), ("latent.hold", "shape [4]")),
        (("--set", "latent.hold/4=1"), ("'latent.hold' has no dimension 4, only 0 to 3",)),
        (("--set", "latent.hold/-1=1"), ("'latent.hold' has no dimension -1, only 0 to 3",)),
        (("--temperature", "99"), ("latent.temperature", "out of range")),
        (("--seed", "-1"), ("seed",)),
        (("--device", "tpu"), ("unknown device 'tpu'",)),
        pytest.param(
            ("--device", "cuda"), ("device 'cuda' cannot run here", "the device cpu or auto"), marks=NO_DRIVER
        ),
        pytest.param(("--device", "cuda:7"), ("device 'cuda:7' cannot run here",), marks=NO_DRIVER),
        (("--threads", "1000000"), ("threads=1000000", "from 1 to 256")),
        (("--precision", "int4"), ("no step graph in 'int4'", "fp32")),
        (("--prime", "none.wav"), ("none.wav: no such file",)),
        (("--osc", "somewhere:port"), ("'somewhere:port'", "write PORT or HOST:PORT")),
        (("--osc-to", "9000"), ("'9000'", "write HOST:PORT")),
        (("--osc", "99999"), ("'99999'", "a port is at most 65535")),
        (("--midi", "no such device"), ("MIDI",)),
        (("--to", "a.mp3"), ("'a.mp3'", "FILE.wav")),
        (("--to", "a.svg"), ("takes ink", "FILE.wav")),
        (("--to", "none/a.wav"), ("no folder",)),
    ],
)
def test_an_error_is_one_line_and_writes_no_file(
    run: Run, work: Path, toy_audio: Path, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    run("voices", "install", toy_audio)
    defaults = {"--voice": "toy-audio", "--to": "a.wav"}
    given = [word for name, value in defaults.items() if name not in options for word in (name, value)]
    error = the_error(run("stream", *given, *options))
    for part in parts:
        assert part in error
    assert list(work.iterdir()) == []


def test_a_graph_that_breaks_the_contract_is_one_line(run: Run, work: Path, tmp_path: Path) -> None:
    def forget(graph: onnx.GraphProto) -> None:
        del graph.output[[value.name for value in graph.output].index("next.tail")]

    broken = toy_voice.build(tmp_path / "broken", edit_step=forget)
    error = the_error(run("stream", "--voice", broken, "--to", "a.wav"))
    assert "step.onnx: the graph has no output next.tail, which the manifest declares" in error
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        ("stream",),
        ("stream", "--voice", "x", "--loud"),
        ("stream", "--voice", "x", "--seconds", "0"),
        ("stream", "--voice", "x", "--seconds", "soon"),
        ("stream", "--voice", "x", "--latency", "-1"),
        ("stream", "--voice", "x", "--threads", "0"),
        ("bench", "--threads", "two"),
        ("stream", "--voice", "x", "--set", "latent.hold"),
        ("stream", "--voice", "x", "--set", "latent.hold=high"),
        ("stream", "--voice", "x", "--midi-learn", "latent.hold"),
        ("stream", "--voice", "x", "--midi-map", "map.json"),
        ("voices", "shout"),
        ("stream", "--voice", "x", "--to", "a.wav", "--to", "b.wav"),
        ("stream", "-v", "x", "--voice", "y"),
        ("stream", "--voice", "x", "-s", "1", "--seconds=2"),
        ("train", "blizzard", "--data", "a", "--data", "b"),
        ("evaluate", "x.pt", "--data", "a", "--split", "test", "--split", "valid"),
        ("export", "x.pt", "--out", "a", "--out", "b"),
        ("latents", "x", "y.wav", "--to", "a.png", "--to", "b.png"),
        ("bench", "--threads", "1", "--threads", "2"),
        ("sing",),
    ],
)
def test_wrong_usage_exits_with_code_2(run: Run, args: tuple[str, ...]) -> None:
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_an_option_given_twice_is_named(run: Run, work: Path, toy_audio: Path) -> None:
    done = run("stream", "--voice", toy_audio, "--to", "a.wav", "--to", "b.wav", "-s", "0.1")
    assert (done.returncode, list(work.iterdir())) == (2, [])
    assert "--to" in done.stderr
    assert "is given twice" in done.stderr


def test_repeatable_options_and_switches_may_be_given_twice(run: Run, toy_audio: Path) -> None:
    settings = ("--set", "latent.temperature=0.5", "--set", "output.temperature=0.5")
    done = run("stream", "-v", toy_audio, "--to", "null", "-s", "0.1", *settings, "--debug", "--debug")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("option", "library", "distribution"), [("--osc", "pythonosc", "python-osc"), ("--midi", "rtmidi", "python-rtmidi")]
)
def test_a_missing_package_names_its_extra(
    run: Run, work: Path, toy_audio: Path, tmp_path: Path, option: str, library: str, distribution: str
) -> None:
    (tmp_path / "site").mkdir()
    missing = f"raise ModuleNotFoundError('No module named {library}', name={library!r})\n"
    (tmp_path / "site" / f"{library}.py").write_text(missing)
    env = {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}"}
    error = the_error(run("stream", "--voice", toy_audio, "--to", "a.wav", option, "9000", env=env))
    assert f"needs {distribution}," in error
    assert "pip install 'vrnn-engine[live]'" in error
    assert list(work.iterdir()) == []


def test_debug_shows_the_traceback(run: Run) -> None:
    for args in [("stream", "--voice", "none", "--debug"), ("--debug", "stream", "--voice", "none")]:
        done = run(*args)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: unknown voice 'none'")


def test_a_closed_pipe_is_one_line(toy_audio: Path) -> None:
    command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_audio), "--to", "-", "-s", "inf"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert len(running.stdout.read(100)) == 100
    running.stdout.close()
    said = running.stderr.read().decode()
    assert running.wait(60) == 1
    assert the_error(subprocess.CompletedProcess([], 1, "", said)).endswith("closed the pipe")
    assert "Exception ignored" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_at_stdout_is_one_line(run: Run, toy_audio: Path, buffered: str) -> None:
    env = {"PYTHONUNBUFFERED": buffered}  # with a buffer, Python writes again when it exits
    with open("/dev/full", "wb") as full:
        assert "No space left" in the_error(run("stream", "--voice", toy_audio, "--to", "-", stdout=full, env=env))
        for words in (["devices"], ["voices"], ["voices", "show", "blizzard"], ["voices", "--json"], ["--version"]):
            error = the_error(run(*words, stdout=full, env=env))
            assert error == "error: stdout: cannot write the answer: No space left on device"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGQUIT", 131)])
@pytest.mark.parametrize("nohup", [False, True])
def test_an_interrupt_leaves_a_valid_file(tmp_path: Path, toy_audio: Path, name: str, code: int, nohup: bool) -> None:
    def prepare() -> None:
        # A shell starts background jobs with SIGINT ignored, and child processes inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)

    command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_audio), "--to", "a.wav", "-s", "inf"]
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=tmp_path,
        preexec_fn=prepare,
    )
    for _ in range(300):
        if any(file.name.startswith(".a.wav") and file.stat().st_size > 10_000 for file in tmp_path.iterdir()):
            break
        time.sleep(0.1)
    assert not (tmp_path / "a.wav").exists()
    running.send_signal(getattr(signal, name))
    if nohup and name == "SIGHUP":
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(1)
        running.send_signal(signal.SIGTERM)
        code = 143
    _, said = running.communicate(timeout=60)
    assert running.returncode == code, said
    assert "Traceback" not in said
    assert [file.name for file in tmp_path.iterdir() if "wav" in file.name] == ["a.wav"]
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 16000
    assert len(samples) > 4000
    assert len(samples) * 2 + 44 == (tmp_path / "a.wav").stat().st_size


def test_output_that_is_not_a_terminal_has_no_colour_codes(run: Run, toy_audio: Path) -> None:
    done = run("stream", "--voice", "none", env={"FORCE_COLOR": "1"})
    assert "\x1b" not in done.stderr


def test_voices_list_show_verify_install(run: Run, toy_audio: Path, tmp_path: Path) -> None:
    done = run("voices", "install", toy_audio, "--json")
    assert done.returncode == 0, done.stderr
    path = Path(json.loads(done.stdout)["path"])
    assert (path / "voice.json").is_file()

    assert "toy-audio" in run("voices").stdout
    assert run("voices").stdout == run("voices", "list").stdout
    listed = [one for one in json.loads(run("voices", "list", "--json").stdout) if one["name"] == "toy-audio"]
    assert [(one["origin"], one["modality"], one["problem"]) for one in listed] == [("installed", "audio", None)]

    shown = run("voices", "show", "toy-audio")
    assert "latent.temperature" in shown.stdout
    assert json.loads(run("voices", "show", "toy-audio", "--json").stdout)["rate"] == 16000

    assert "PyTorch" in run("voices", "verify", "toy-audio").stdout
    assert json.loads(run("voices", "verify", "toy-audio", "--json").stdout)["frames"] == toy_voice.FRAMES

    with (path / "parity.npz").open("ab") as file:
        file.write(b"changed")
    assert "parity.npz: wrong checksum" in the_error(run("voices", "verify", "toy-audio"))
    assert "--replace" in the_error(
        run("voices", "install", toy_voice.build(tmp_path / "other", "pen", name="toy-audio"))
    )
    assert "no such" in the_error(run("voices", "install", "none"))


def test_the_list_says_why_a_voice_is_broken(run: Run, toy_audio: Path) -> None:
    path = Path(json.loads(run("voices", "install", toy_audio, "--json").stdout)["path"])
    (path / "voice.json").write_text('{"schema_version": 99}')
    done = run("voices")
    assert done.returncode == 0
    assert "schema_version 99" in done.stderr
    assert "toy-audio" in done.stdout


def test_a_recorded_performance_replays_bit_for_bit_in_a_new_process(run: Run, toy_audio: Path, work: Path) -> None:
    events = [
        {"do": "set", "second": 0.1, "control": "output.temperature", "value": 0.2, "ramp": 0.5},
        {"do": "snapshot", "second": 0.3, "name": "here"},
        {"do": "rewind", "second": 0.8, "seconds": 0.4},
        {"do": "restore", "second": 1.0, "name": "here"},
    ]
    (work / "plan.jsonl").write_text("\n".join(map(json.dumps, events)))
    common = ("stream", "--voice", toy_audio, "--seconds", 1.5)
    first = run(*common, "--to", "a.wav", "--seed", 4, "--timeline", "plan.jsonl", "--record", "played.jsonl")
    assert first.returncode == 0, first.stderr
    (work.parent / "moments" / "toy-audio" / "here.moment").unlink()
    again = run(*common, "--to", "b.wav", "--timeline", "played.jsonl")
    assert again.returncode == 0, again.stderr
    assert (work / "a.wav").read_bytes() == (work / "b.wav").read_bytes()
    plain = run(*common, "--to", "c.wav", "--seed", 4)
    assert plain.returncode == 0
    assert (work / "a.wav").read_bytes() != (work / "c.wav").read_bytes()


@pytest.mark.parametrize(("events", "seconds"), [((), 10), ((1.5, 12.5), 22.5)])
def test_a_timeline_is_played_to_its_end(
    run: Run, toy_audio: Path, work: Path, events: tuple[float, ...], seconds: float
) -> None:
    plan = [{"do": "set", "second": second, "control": "output.temperature", "value": 0.2} for second in events]
    (work / "plan.jsonl").write_text("\n".join(map(json.dumps, plan)))
    done = run("stream", "--voice", toy_audio, "--to", "a.wav", "--timeline", "plan.jsonl")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(work / "a.wav").frames == 16000 * seconds


def test_an_error_waits_for_the_thread_that_imports(tmp_path: Path) -> None:
    """Otherwise the process could crash, if that thread is just importing C++ code."""
    code = """
        import sys, time
        from pathlib import Path
        from vrnn_engine.cli import main, run

        def import_slowly():
            time.sleep(0.5)
            Path("imported").touch()

        run._import_player = import_slowly
        sys.argv = ["vrnn-engine", "stream", "--voice", "nobody"]
        main.run()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, env=environment(), timeout=60)
    assert done.returncode == 1
    assert (tmp_path / "imported").exists()
