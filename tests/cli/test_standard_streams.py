"""What the process does with a stdout or stderr that is closed, non-blocking, or read only in part."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from support.command import Run, environment

from vrnn_engine import Engine
from vrnn_engine.runtime.sinks.pcm import to_pcm16

fcntl = pytest.importorskip("fcntl")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX systems")


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which `vrnn` is the command line."""
    define = f'vrnn() {{ "{sys.executable}" -m vrnn_engine "$@"; }}\n'
    return subprocess.run(["bash", "-c", define + line], cwd=cwd, env=environment(), capture_output=True, timeout=60)


def test_with_stderr_closed_stdout_has_only_pcm(toy_audio: Path, tmp_path: Path) -> None:
    done = shell(f"vrnn stream -v {toy_audio} -s 0.5 --seed 7 --to - 2>&-", tmp_path)
    assert done.returncode == 0
    assert done.stdout == to_pcm16(Engine.load(toy_audio, "cpu").stream(7).read(40))[0].tobytes()


def test_with_stderr_closed_a_file_has_only_sound(toy_audio: Path, tmp_path: Path) -> None:
    """The file would get the number of stderr, and what libraries write there."""
    done = shell(f"vrnn stream -v {toy_audio} -s 0.5 --seed 7 --to take.wav 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    assert len(soundfile.read(tmp_path / "take.wav")[0]) == 8000


@pytest.mark.parametrize("words", ["stream -v none --to -", "voices show none", "stream --speed 2"])
def test_with_stderr_closed_an_error_writes_nothing_to_stdout(words: str, tmp_path: Path) -> None:
    done = shell(f"vrnn {words} 2>&-", tmp_path)
    assert (done.returncode in (1, 2), done.stdout) == (True, b"")


def test_with_stdout_closed_streaming_to_it_is_an_error(toy_audio: Path, tmp_path: Path) -> None:
    done = shell(f"vrnn stream -v {toy_audio} -s 0.5 --to - >&-", tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1][:23]) == (1, b"error: stdout is closed")


@pytest.mark.parametrize(
    "words", [("stream", "--to", "-", "-s", "5", "--seed", "7", "-v"), ("voices", "show", "--json")]
)
def test_a_non_blocking_stdout_gets_everything(words: tuple[str, ...], toy_audio: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vrnn_engine", *words, str(toy_audio)]
    expected = subprocess.run(command, env=environment(), capture_output=True, check=True).stdout
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    running = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env=environment())
    os.close(writer)
    time.sleep(2)  # until the pipe is full
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == expected
    assert running.stderr is not None
    assert b"error" not in running.stderr.read()
    assert running.wait(60) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the size of a pipe")
@pytest.mark.parametrize(("latency", "size"), [("0.05", 4096), ("1", 32768)])
def test_latency_is_the_length_of_a_pipe(latency: str, size: int, toy_audio: Path) -> None:
    command = [sys.executable, "-m", "vrnn_engine", "stream", "-v", str(toy_audio), "-s", "1", "--latency", latency]
    reader, writer = os.pipe()
    running = subprocess.Popen([*command, "--to", "-"], stdout=writer, stderr=subprocess.DEVNULL, env=environment())
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert len(pipe.read()) == 32000
        assert fcntl.fcntl(pipe.fileno(), fcntl.F_GETPIPE_SZ) == size
    assert running.wait(60) == 0


def test_wav_on_stdout_is_a_header_and_the_pcm(run: Run, toy_audio: Path) -> None:
    done = run("stream", "-v", toy_audio, "-s", "0.5", "--seed", "7", "--to", "-?format=wav", text=False)
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="int16")
    assert (rate, len(samples)) == (16000, 8000)
    assert samples.tobytes() == to_pcm16(Engine.load(toy_audio, "cpu").stream(7).read(40))[0].tobytes()


def test_ink_on_stdout_cannot_be_wav(run: Run, toy_pen: Path) -> None:
    assert run("stream", "-v", toy_pen, "-s", "0.5", "--to", "-?format=wav").returncode == 1


@pytest.mark.parametrize("words", [("voices", "show", "blizzard"), ("voices", "--json"), ("devices",)])
def test_a_reader_that_leaves_early_ends_an_answer_quietly(run: Run, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = run(*words, stdout=pipe)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", ["voices", "voices show blizzard --json", "devices", "--version", "hands --help"])
def test_without_standard_streams_an_answer_ends_quietly(words: str, tmp_path: Path) -> None:
    assert shell(f"vrnn {words} <&- >&- 2>&-", tmp_path).returncode == 0
    closed = shell(f"vrnn {words} >&-", tmp_path)
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.parametrize(("words", "made"), [("stream -v VOICE -s 0.5 --to", "a.wav"), ("write ab --to", "a.svg")])
def test_without_standard_streams_a_file_is_written(words: str, made: str, toy_audio: Path, tmp_path: Path) -> None:
    line = words.replace("VOICE", str(toy_audio))
    assert shell(f"vrnn {line} {made} --seed 7", tmp_path).returncode == 0
    whole = (tmp_path / made).read_bytes()
    for closed in ("<&- >&- 2>&-", "<&-", ">/dev/full 2>/dev/full"):
        (tmp_path / made).unlink()
        assert shell(f"vrnn {line} {made} --seed 7 {closed}", tmp_path).returncode == 0
        assert (tmp_path / made).read_bytes() == whole
        assert [name for name in os.listdir(tmp_path) if made in name] == [made]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["voices", "voices show blizzard --json", "devices", "--version", "hands --help"])
def test_an_answer_that_finds_no_room_is_an_error_in_one_line(words: str, tmp_path: Path) -> None:
    done = shell(f"vrnn {words} >/dev/full", tmp_path)
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert line.startswith("error: ")
    assert line.endswith("No space left on device")


@pytest.mark.parametrize(
    "words", ["write - --to a.svg", "ink convert - a.svg", "stream -v blizzard -s 0.1 --to a.wav --prime -"]
)
def test_with_stdin_closed_reading_it_is_an_error_in_one_line(words: str, tmp_path: Path) -> None:
    done = shell(f"vrnn {words} <&-", tmp_path)
    assert done.returncode == 1
    assert [line[:7] for line in done.stderr.decode().splitlines()][-1] == "error: "
    assert b"Traceback" not in done.stderr
    assert not [name for name in os.listdir(tmp_path) if "a.svg" in name or "a.wav" in name]
