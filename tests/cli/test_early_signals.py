"""Signals while a command starts: one line at most, no traceback, and the exit code of a signal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment

PROGRAM = """
import os, signal, sys, threading, time
from vrnn_engine.cli import signals, start

def send():
    time.sleep(float(given[1]))
    for number in given[2].split(","):
        os.kill(os.getpid(), int(number))
        time.sleep(float(given[3]))

begin = signals.begin
def begin_and_send():
    begin()
    threading.Thread(target=send, daemon=True).start()
signals.begin = begin_and_send
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have ignored it in the background
given, sys.argv = sys.argv, ["vrnn-engine", *sys.argv[4:]]
start.run()
"""
SIGNALS = {"2,2": {130}, "2,15": {130, 143}, "15,2": {130, 143}, "2,2,2,15": {130, 143}}


def interrupted(voice: Path, numbers: str, delay: float, gap: float) -> subprocess.CompletedProcess[str]:
    words = ["stream", "--voice", str(voice), "--to", "null", "--seconds", "1e6"]
    given = [str(delay), numbers, str(gap), *words]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *given], capture_output=True, text=True, env=environment(), timeout=60
    )


def check(done: subprocess.CompletedProcess[str], numbers: str) -> None:
    assert done.returncode in SIGNALS[numbers], done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line in ("interrupted", "terminated")]) == 1, done.stderr


SLOW_LOAD = """
import signal, sys, time
from vrnn_engine.cli import start
from vrnn_engine.runtime.engine import Engine

def load(*given):
    print("loading", flush=True)
    time.sleep(1e6)

Engine.load = load
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["vrnn-engine", "stream", "--voice", "any", "--to", "null"]
start.run()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_loading_of_a_voice(number: int, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_LOAD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "loading\n"
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code
    assert "Traceback" not in said


@pytest.mark.parametrize("numbers", SIGNALS)
def test_early_signals_give_one_line(toy_audio: Path, numbers: str) -> None:
    check(interrupted(toy_audio, numbers, 0.05, 0.005), numbers)


WHILE_REPORTED = """
import os, signal, sys
import typer
from vrnn_engine.cli import guard, report, signals

def interrupted(line, style=""):
    os.kill(os.getpid(), signal.SIGTERM)
    say(line, style)

def verb():
    os.kill(os.getpid(), signal.SIGINT)

say, report.say = report.say, interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
signals.begin()
try:
    guard.guard(verb)()
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def test_a_signal_while_an_interrupt_is_reported_leaves_its_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHILE_REPORTED], capture_output=True, text=True, env=environment(), timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


WHERE_PYTHON_IGNORES = """
import os, signal, sys, time, typer, weakref
from vrnn_engine.cli import guard, signals

class Held:
    pass

def verb():
    held = Held()
    reference = weakref.ref(held, lambda _: os.kill(os.getpid(), int(sys.argv[1])))
    del held
    time.sleep(20)

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it
signals.begin()
try:
    guard.guard(verb)()
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
def test_a_signal_whose_exception_python_ignores_is_not_lost(number: int, code: int, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHERE_PYTHON_IGNORES, str(int(number))],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (code, f"{line}\n")


@pytest.mark.slow
@pytest.mark.parametrize("numbers", SIGNALS)
def test_signals_at_any_time_of_the_start_give_one_line(toy_audio: Path, numbers: str) -> None:
    for step in range(20):
        check(interrupted(toy_audio, numbers, 0.05 * step, (0.0, 0.003, 0.03)[step % 3]), numbers)
