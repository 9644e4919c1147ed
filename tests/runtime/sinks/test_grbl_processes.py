"""Processes that draw on a Grbl machine: however they end, the pen is lifted."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.grbl_machine import NO_DELAY, GrblMachine, fault_after

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")


CHILD = """
import sys
from vrnn_engine import Engine, Player
target, voice = sys.argv[1:]
player = Player(Engine.load(voice, device="cpu").stream(seed=1), to=target).__enter__()
print("drawing", flush=True)
sys.stdin.readline()
"""


def test_the_pen_is_lifted_when_python_exits(toy_pen: Path) -> None:
    with GrblMachine(fault=fault_after(40, "hold")) as machine:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, machine.target("&down=G1 Z-1 F900&up=G0 Z4"), str(toy_pen)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert machine.fault_happened.wait(60)
        assert machine.down
        child.communicate(b"\n", timeout=60)
        machine.finish()
        assert not machine.down


def restore_default_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)])
def test_an_interrupt_lifts_the_pen_and_parks_it(toy_pen: Path, number: signal.Signals, code: int) -> None:
    with GrblMachine() as machine:
        command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_pen), "--to", machine.target()]
        running = subprocess.Popen(
            [*command, "--seconds", "inf"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            preexec_fn=restore_default_signals,
        )
        assert machine.drawing.wait(60)
        running.send_signal(number)
        _, message = running.communicate(timeout=60)
        assert running.returncode == code, message
        assert "error" not in message
        machine.finish()
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def test_the_command_line_reports_a_full_page(toy_pen: Path) -> None:
    with GrblMachine() as machine:
        target = f"serial:{machine.port}?format=gcode&width=40&height=40&margin=1{NO_DELAY}"
        command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_pen), "--seed", "1", "-s", "inf"]
        done = subprocess.run(
            [*command, "--to", target], capture_output=True, text=True, env=environment(), timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1].endswith("the page is full")
        assert machine.strokes
        assert not machine.down
