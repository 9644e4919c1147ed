"""Keys: what each does, read from a real terminal, which is restored afterwards."""

import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console
from support.command import environment
from support.steered import Device, TimedPerformance

from vrnn_engine import Engine, Player
from vrnn_engine.cli.panel import Panel
from vrnn_engine.runtime.live.control.keys import Keyboard
from vrnn_engine.runtime.live.control.osc_messages import write_message
from vrnn_engine.runtime.live.events import Follow, Reset, Restore, Rewind, Save, Trace
from vrnn_engine.runtime.sinks import Format

HEAT, SHIFT = "output.temperature", "latent.shift"


def press(keyboard: Keyboard, *keys: str) -> None:
    for key in keys:
        assert keyboard.press(key)


def test_keys_choose_and_turn_controls(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    assert keyboard.chosen == "latent.temperature"
    press(keyboard, "down", "up", "up", "up", "up", "up")
    assert keyboard.chosen == HEAT
    press(keyboard, "right", "right", "right", "left", "shift-right")  # all before the next frame
    performance.read(1)
    assert performance.controls[HEAT] == pytest.approx(1 + 2 * 0.12)
    press(keyboard, "shift-right", *["shift-right"] * 9)
    performance.read(1)
    assert performance.controls[HEAT] == 2.0
    press(keyboard, "d")
    performance.read(1)
    assert performance.controls[HEAT] == 1.0


def test_keys_turn_one_dimension_or_all(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    press(keyboard, "down", "down")
    assert keyboard.chosen == SHIFT
    for key, dimension in (*zip("]]]]]", (0, 1, 2, 3, None), strict=True), *zip("[[", (3, 2), strict=True)):
        press(keyboard, key)
        assert keyboard.dimension == dimension
    press(keyboard, "shift-left")
    performance.read(1)
    press(keyboard, "]", "]", "shift-right", "shift-right")
    performance.read(1)
    assert performance.controls[SHIFT].tolist() == pytest.approx([1.2, 1.2, 0.6, 1.2])
    press(keyboard, "[", "d")
    performance.read(1)
    assert performance.controls[SHIFT].tolist() == pytest.approx([1.2, 1.2, 0.6, 0])


def test_keys_save_restore_rewind_and_reset(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    press(keyboard, "s")
    assert keyboard.message == "save the state as 1 to 9?"
    press(keyboard, "7")
    performance.read(1)
    press(keyboard, "7", "b", "r", "8")
    assert "no saved state '8'" in keyboard.message
    performance.read(1)
    press(keyboard, "s", "x", "7")  # another key in between cancels the save
    performance.read(1)
    assert [type(event) for event in performance.applied] == [Save, Restore, Rewind, Reset, Restore]
    assert keyboard.message == "restored 7"


def test_a_key_holds_and_releases_the_latent(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    performance.read(5)
    now = performance.stream.latent
    press(keyboard, "h")
    performance.read(1)
    assert np.array_equal(performance.stream.latent, now)
    performance.read(9)
    assert np.array_equal(performance.stream.latent, now)
    press(keyboard, "h")
    performance.read(1)
    assert not np.array_equal(performance.stream.latent, now)
    assert not performance.controls["latent.hold"].any()


def test_a_key_loops_the_latents_until_they_are_released(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    size = round(2 * performance.voice.manifest.frames_per_second)
    latents = []
    for _ in range(size + 3):
        performance.read(1)
        latents.append(performance.stream.latent)
    press(keyboard, "l")
    for frame in range(2 * size + 5):
        performance.read(1)
        assert np.allclose(performance.stream.latent, np.clip(latents[3 + frame % size], -3, 3), atol=1e-6)
    press(keyboard, "h")
    performance.read(1)
    assert not np.allclose(performance.stream.latent, latents[3 + 5], atol=1e-6)
    assert not performance.controls["latent.hold"].any()
    assert [type(event) for event in performance.applied[:2]] == [Trace, Follow]


def test_a_key_binds_a_midi_controller(performance: TimedPerformance) -> None:
    wanted: list[str] = []
    keyboard = Keyboard(performance, wanted.append)
    press(keyboard, "m", "down", "down", "]", "m")
    assert wanted == ["latent.temperature", f"{SHIFT}/0"]
    press(without := Keyboard(performance), "m")
    assert "--midi" in without.message


def test_q_ends_and_unknown_keys_do_nothing(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    assert not keyboard.press("q")
    press(keyboard, "x", "\n", "é")
    performance.read(1)
    assert performance.applied == []


def test_a_voice_without_latents_cannot_hold_them(performance: TimedPerformance) -> None:
    performance.controls.specs = {HEAT: performance.controls.specs[HEAT]}
    press(keyboard := Keyboard(performance), "h")
    assert keyboard.message == "this voice has no latents to hold"
    performance.read(1)
    assert performance.applied == []


def panel(
    performance: TimedPerformance,
    width: int = 80,
    height: int = 24,
    keys: bool = True,
    encoding: str = "utf-8",
    to: Any = "null",
) -> list[str]:
    """Return the lines of a panel in a terminal of that size."""
    with open(os.devnull, "w", encoding=encoding) as nowhere:
        console = Console(file=nowhere, width=width, height=height, force_terminal=True)
        drawn = Panel(
            Player(performance, to=to), performance, console, float("inf"), Keyboard(performance) if keys else None
        ).draw()
        with console.capture() as shown:
            console.print(drawn, no_wrap=True, overflow="crop")
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.get()).splitlines()


@pytest.mark.parametrize(("kind", "shown"), [("device", "ring ███"), ("plotter", "still to be drawn 0.5 s")])
def test_a_panel_shows_the_ring_or_the_backlog(performance: TimedPerformance, kind: str, shown: str) -> None:
    sink = Device()
    sink.open(Format.of(performance.voice.manifest))
    sink._ring.write(np.zeros(8000, np.float32))
    if kind == "plotter":
        del sink.underruns
    assert any(shown in re.sub(" +", " ", line) for line in panel(performance, to=sink))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 12), (200, 60)])
@pytest.mark.parametrize("modality", ["audio", "pen"])
def test_a_panel_fits_its_terminal(toy_audio: Path, modality: str, width: int, height: int) -> None:
    performance = TimedPerformance(Engine.load(toy_audio if modality == "audio" else "handwriting", "cpu"))
    assert len(panel(performance, width, height)) < height
    performance.read(200)
    lines = panel(performance, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "frame 200" in lines[0]
    assert any("> latent.temperature" in line for line in lines)
    if modality == "audio":
        assert any("dBFS" in line for line in lines)
    else:
        assert sum(0x2800 < ord(letter) < 0x2900 for line in lines for letter in line) > 20
    if height >= 24:
        assert any("latent.target" in line for line in lines)
        assert "q quit" in lines[-1]


def test_a_panel_without_keys_and_without_unicode(performance: TimedPerformance) -> None:
    performance.read(20)
    text = "\n".join(panel(performance, keys=False, encoding="ascii"))
    assert text.isascii()
    assert "Ctrl-C ends it" in text


class Typist:
    """A pseudo-terminal in which the command line runs, and a person who types into it."""

    def __init__(
        self, arguments: list[str], env: dict[str, str], background: Path | None, shell: list[str] | None
    ) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._theirs = theirs
        self.before = termios.tcgetattr(theirs)
        command = [sys.executable, "-m", "vrnn_engine", *arguments]
        if background is not None:
            script = (
                f"{shlex.join(command)} & sleep 5; ps -o stat= -p $! > {background}; kill -TERM $!; wait $!; exit 0"
            )
            command = ["bash", "-mc", script]
        self.process = subprocess.Popen(
            shell or command,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=environment(TERM="xterm-256color", **env),
            preexec_fn=self._take,
        )
        self.seen = ""

    @staticmethod
    def _take() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored if the tests run under nohup

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._mine)
        self._mine = os.open(os.devnull, os.O_RDWR)

    def type(self, keys: str) -> None:
        os.write(self._mine, keys.encode())

    def wait_for(self, *words: str) -> None:
        """Read the output from here on until it contains all of these words."""
        shown = ""
        for _ in range(600):
            shown += self._read(0.1)
            if all(word in shown for word in words):
                return
        raise AssertionError(f"{words} not in {shown[-2000:]!r}")

    def wait_until_the_shell_does_not_listen(self) -> None:
        """Read the output until a job of the shell is in the foreground and reads single keys."""
        for _ in range(600):
            self._read(0.05)
            if os.tcgetpgrp(self._mine) != self.process.pid and not self.now()[3] & termios.ICANON:
                return
        raise AssertionError(f"the keys are not read: {self.seen[-2000:]!r}")

    def finish(self) -> int:
        while self.process.poll() is None:
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def now(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self._mine)
        os.close(self._theirs)

    def _read(self, timeout: float) -> str:
        if not select.select([self._mine], [], [], timeout)[0]:
            return ""
        text = os.read(self._mine, 65536).decode("utf-8", "replace")
        self.seen += text
        return text


@pytest.fixture
def sit(tmp_path: Path, toy_audio: Path) -> Iterator[Callable[..., Typist]]:
    """Start an endless stream of the toy voice in a terminal."""
    typists = []

    def start(*options: str, background: Path | None = None, shell: list[str] | None = None, **env: str) -> Typist:
        arguments = ["stream", "--voice", str(toy_audio), "--seed", "1", "--to", "null", "--seconds", "inf", *options]
        typists.append(Typist(arguments, env, background, shell))
        return typists[-1]

    yield start
    for typist in typists:
        typist.close()


def test_keys_steer_ink_in_the_terminal(sit: Callable[..., Typist], toy_pen: Path, tmp_path: Path) -> None:
    record = tmp_path / "played.jsonl"
    typist = sit("--voice", str(toy_pen), "--to", "terminal", "--record", str(record))
    typist.wait_for("latent.temperature 1   arrows")
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
    typist.wait_for("Ctrl-C ends it; no keys are read here")
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
