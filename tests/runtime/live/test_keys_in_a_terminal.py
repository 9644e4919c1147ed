"""Keys read from a real terminal, which is restored however the program ends."""

import json
import re
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from support.grbl_machine import NO_DELAY, GrblMachine
from support.typist import Typist

from vrnn_engine.runtime.live.control.osc_messages import write_message

HEAT, SHIFT = "output.temperature", "latent.shift"


@pytest.fixture
def sit(tmp_path: Path, toy_audio: Path) -> Iterator[Callable[..., Typist]]:
    """Start an endless stream of the toy voice in a terminal."""
    typists = []

    def start(*options: str, background: Path | None = None, shell: list[str] | None = None, **env: str) -> Typist:
        defaults = {"--voice": str(toy_audio), "--seed": "1", "--to": "null", "--seconds": "inf"}
        given = [word for name, value in defaults.items() if name not in options for word in (name, value)]
        arguments = ["stream", *given, *options]
        typists.append(Typist(arguments, env, background, shell))
        return typists[-1]

    yield start
    for typist in typists:
        typist.close()


def test_keys_steer_ink_in_the_terminal(sit: Callable[..., Typist], toy_pen: Path, tmp_path: Path) -> None:
    record = tmp_path / "played.jsonl"
    typist = sit("--voice", str(toy_pen), "--to", "terminal", "--record", str(record))
    typist.wait_for("latent.temperature 1   q quits; arrows")
    typist.type("\x1b[1;2C")
    typist.wait_for("latent.temperature 1.2")
    typist.type("h")
    typist.wait_for("latent held")
    time.sleep(0.3)
    typist.type("q")
    assert typist.finish() == 0
    assert typist.now() == typist.before
    assert "latent held" not in typist.seen[typist.seen.rfind("\x1b[2K") :]  # at the end only the ink is left
    _, *events = map(json.loads, record.read_text().splitlines())
    assert [event["control"] for event in events] == ["latent.temperature", "latent.target", "latent.hold"]


def test_keys_steer_in_a_terminal_which_is_restored(sit: Callable[..., Typist], tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    record = tmp_path / "played.jsonl"
    typist = sit("--record", str(record), "--osc", str(port))
    typist.wait_for("frame", "> latent.temperature", "q quit")
    assert typist.now() != typist.before
    typist.type("\x1b[B\x1b[1;2C")
    typist.wait_for("> output.temperature", "1.2")
    typist.type("s1")
    typist.wait_for("saved as 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc:
        osc.sendto(write_message("/control/output.heat", 1.0), ("127.0.0.1", port))
        typist.wait_for("unknown control 'output.heat'")
        osc.sendto(write_message("/ramp/latent.shift/2", 0.1, 3.0), ("127.0.0.1", port))
    time.sleep(0.3)
    typist.type("1")
    typist.wait_for("restored 1")
    time.sleep(0.3)
    typist.type("q")
    assert typist.finish() == 0
    assert typist.now() == typist.before
    assert "to null in" in typist.seen.splitlines()[-1]
    assert typist.process.stdout is not None
    assert typist.process.stdout.read() == b""
    _, *events = map(json.loads, record.read_text().splitlines())
    assert [event["do"] for event in events] == ["nudge", "snapshot", "set", "restore"]
    assert (events[0]["control"], events[0]["by"]) == (HEAT, pytest.approx(0.2))
    assert (events[2]["control"], events[2]["index"], events[2]["ramp"]) == (SHIFT, 2, pytest.approx(0.1))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_restores_the_terminal(sit: Callable[..., Typist], number: signal.Signals, code: int) -> None:
    typist = sit()
    typist.wait_for("q quit")
    typist.type("\x03") if number == signal.SIGINT else typist.process.send_signal(number)
    assert typist.finish() == code
    assert typist.now() == typist.before
    assert "Traceback" not in typist.seen


def test_no_color_turns_the_colours_off(sit: Callable[..., Typist]) -> None:
    colour = r"\x1b\[[0-9;]*[34][0-9][0-9;]*m"
    for env, wanted in (({}, True), ({"NO_COLOR": "1"}, False)):
        typist = sit(**env)
        typist.wait_for("dBFS", "q quit")
        typist.wait_for("q quit")
        typist.type("q")
        typist.finish()
        assert bool(re.search(colour, typist.seen)) == wanted


def test_in_the_background_no_keys_are_read(sit: Callable[..., Typist], tmp_path: Path) -> None:
    """The system stops a background process that changes its terminal."""
    typist = sit(background=tmp_path / "state")
    typist.wait_for("Ctrl-C ends the stream; no keys are read here")
    assert typist.finish() == 0
    assert (tmp_path / "state").read_text().strip()[0] != "T"


def test_a_closed_terminal_leaves_a_valid_file(sit: Callable[..., Typist], tmp_path: Path) -> None:
    typist = sit("--to", str(tmp_path / "a.wav"), "--record", str(tmp_path / "played.jsonl"))
    typist.wait_for("q quit")
    typist.hang_up()
    assert typist.process.wait(60) == 128 + signal.SIGHUP
    samples, _ = soundfile.read(tmp_path / "a.wav")
    assert len(samples) * 2 + 44 == (tmp_path / "a.wav").stat().st_size
    assert len(samples) > 4000
    assert (tmp_path / "played.jsonl").exists()


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_keys_work_again_after_ctrl_z_and_fg(sit: Callable[..., Typist], toy_audio: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    quiet = {"bash": ["bash", "--norc", "--noprofile", "-i"], "dash": ["dash", "-i"]}[shell]
    typist = sit(shell=quiet, PS1="$ ", HISTFILE="")
    typist.wait_for("$ ")
    command = shlex.join([sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_audio), "--to", "null"])
    typist.type("exec 1>&2\n")
    typist.wait_for("$ ")
    typist.type(f"{command} --seconds inf\n")
    typist.wait_for("> latent.temperature", "q quit")
    for way_back in ("fg\n", "bg; sleep 0.3; fg\n"):
        typist.type("\x1a")
        typist.wait_for("Stopped", "$ ")
        typist.type("stty -a | tr -s ' ' '\\n' | grep -x icanon && echo as it w''as\n")
        typist.wait_for("as it was")
        typist.type(way_back)
        typist.wait_until_the_shell_does_not_listen()
        typist.type("\x1b[B")
        typist.wait_for("> output.temperature")
        typist.type("\x1b[A")
        typist.wait_for("> latent.temperature")
    typist.type("q")
    typist.wait_for("to null in", "$ ")
    typist.type("exit\n")
    assert typist.finish() == 0


@pytest.mark.slow
def test_a_key_starts_the_next_page_of_a_plotter(sit: Callable[..., Typist], toy_pen: Path) -> None:
    pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
    with GrblMachine() as machine:
        to = f"serial:{machine.port}?format=gcode&width=30&height=20&margin=1&pages=3{NO_DELAY}"
        typist = sit("--voice", str(toy_pen), "--to", to)
        drawn = [0]
        for key in ("n", "\r"):
            typist.wait_for("the page is full: change the paper when the plotter has stopped, then press n")
            assert not machine.down
            drawn.append(len(machine.strokes))
            typist.type("x")  # another key draws nothing
            time.sleep(0.3)
            assert len(machine.strokes) == drawn[-1]
            typist.type(key)
        assert typist.finish() == 0
        drawn.append(len(machine.strokes))
        assert typist.now() == typist.before
        assert typist.seen.rstrip().endswith("the page is full")
        assert drawn == sorted(set(drawn))  # each page has strokes
        assert machine.problems == []
