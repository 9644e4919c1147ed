"""Plotters at serial ports: Grbl and HPGL over a pseudo-terminal, with flow control and with all that goes wrong."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.command import environment
from support.grbl_machine import BUFFER, GrblMachine, Trouble
from support.pen_helpers import PEN, read_hpgl, shapes, words, writing

from vrnn_engine import Engine, Player
from vrnn_engine.errors import MissingExtraError, SinkError
from vrnn_engine.runtime.sinks import Format, make_sink

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")

FAST = "&settle=0&timeout=1"
PENS = {"spindle": "", "z axis": "&down=G1 Z-1 F900&up=G0 Z4"}


def grbl(machine: GrblMachine, options: str = "") -> str:
    return f"serial:{machine.port}?format=gcode&width=200&height=150{FAST}{options}"


def played(ink: np.ndarray, rate: int = 100) -> SimpleNamespace:
    """A stream of this ink, over and over."""
    at = [0]

    def read(frames: int) -> np.ndarray:
        block = np.take(ink, range(at[0], at[0] + frames), axis=0, mode="wrap")
        at[0] += frames
        return block

    manifest = SimpleNamespace(modality="pen", rate=rate, frame_size=3, unit="mm", name="toy")
    return SimpleNamespace(read=read, voice=SimpleNamespace(manifest=manifest))


def after(count: int, what: str) -> Trouble:
    """Trouble in the middle of a stroke, when so many lines are done."""
    return lambda machine, line: what if len(machine.lines) >= count and machine.down else None


@pytest.mark.parametrize("pen", PENS)
def test_a_machine_draws_the_strokes_and_is_left_parked(pen: str) -> None:
    ink = writing(800)
    with GrblMachine() as machine:
        sink = make_sink(grbl(machine, f"{PENS[pen]}&feed=2000"))
        sink.open(PEN)
        for start in range(0, len(ink), 4):
            sink.write(ink[start : start + 4])
        sink.close()
        assert machine.problems == []
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)
        expected = shapes(ink)
        assert len(machine.strokes) == len(expected)
        for stroke, shape in zip(machine.strokes, expected, strict=True):
            found = np.array(stroke)
            up = (found - found[0]) * [1, -1]
            assert np.abs(up[-1] - shape[-1]).max() <= 0.011
            assert np.abs(up[:, None] - shape[None]).max(axis=2).min(axis=1).max() <= 0.011
        places = np.concatenate([np.array(stroke) for stroke in machine.strokes])
        assert (places >= 12 - 0.01).all()
        assert (places <= [188.01, 138.01]).all()
        assert BUFFER - 40 < machine.most <= BUFFER  # kept full, and not overrun
        assert max(machine.feeds) == 2000
        assert min(machine.feeds) < 1000
        assert machine.resets == 1


def test_a_voice_draws_live(toy_pen: Path) -> None:
    with GrblMachine() as machine:
        stream = Engine.load(toy_pen, device="cpu").stream(seed=1)
        with Player(stream, to=grbl(machine), seconds=3) as player:
            assert player.wait(60)
        assert player.seconds_played == 3
        expected = Engine.load(toy_pen, device="cpu").stream(seed=1).read(300)
        assert len(machine.strokes) == len(shapes(expected))
        assert machine.problems == []
        assert not machine.down


def test_a_full_page_ends_the_player() -> None:
    with GrblMachine() as machine:
        target = f"serial:{machine.port}?format=gcode&width=100&height=60&feed=900{FAST}"
        with Player(played(words(3)), to=target) as player:
            assert player.wait(60)
            assert player.full
        assert 12 <= len(machine.strokes) <= 20
        places = np.concatenate([np.array(stroke) for stroke in machine.strokes])
        assert (places >= 12).all()
        assert (places <= [88, 48]).all()
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)
        assert machine.problems == []


@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize(
    ("what", "said", "parked"),
    [
        ("error:33", r"refused 'G1 X.*': Grbl reports error:33", True),
        ("ALARM:1", "limit switch", False),
        ("ALARM:2", "the page is larger than its working area", False),
        ("reset", "was reset while it drew", True),
        ("silent", r"has stopped answering to '.*'; the pen was told to lift", False),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_the_pen_is_up(pen: str, what: str, said: str, parked: bool) -> None:
    with GrblMachine(trouble=after(60, what)) as machine:
        with pytest.raises(SinkError, match=said) as error, Player(played(words(3)), to=grbl(machine, PENS[pen])) as p:
            p.wait(60)
        assert machine.happened.is_set()
        machine.settle()
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(f"serial:{machine.port}")
        assert not machine.down
        assert machine.problems == []
        assert ((machine.x, machine.y) == (0, 0)) == parked


def test_an_answer_that_got_lost_is_noticed() -> None:
    with GrblMachine(trouble=after(60, "lost")) as machine:
        with pytest.raises(SinkError, match="did not answer every line it was sent"):
            Player(played(words(3)), to=grbl(machine), seconds=2).__enter__().wait(60)
        machine.settle()
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def test_a_machine_that_is_pulled_out_is_one_line() -> None:
    with (
        GrblMachine(trouble=after(60, "gone")) as machine,
        pytest.raises(SinkError, match=r"was disconnected.*check that the pen is up"),
        Player(played(words(3)), to=grbl(machine)) as player,
    ):
        player.wait(60)


def test_an_error_of_the_voice_lifts_the_pen_and_parks_it() -> None:
    stream = played(words(3))
    calm, count = stream.read, [0]

    def read(frames: int) -> np.ndarray:
        count[0] += 1
        if count[0] > 200:
            raise SinkError("no more ink")
        return calm(frames)

    stream.read = read
    with GrblMachine() as machine:
        with pytest.raises(SinkError, match="no more ink"), Player(stream, to=grbl(machine)) as player:
            player.wait(60)
        machine.settle()
        assert machine.strokes
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def test_a_hold_is_waited_for_and_a_stop_ends_it() -> None:
    """A person's finger on the hold button is no silence, however long it takes."""
    with GrblMachine(trouble=after(60, "hold")) as machine:
        with Player(played(words(3)), to=grbl(machine, "&timeout=0.6")) as player:
            assert machine.happened.wait(60)
            assert not player.wait(2)
            done = len(machine.strokes)
            player.stop()
        machine.settle()
        assert len(machine.strokes) == done
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)
        assert machine.problems == []


def test_stop_ends_a_drawing_at_once_with_the_pen_up() -> None:
    with GrblMachine() as machine:
        with Player(played(words(200)), to=grbl(machine)) as player:
            assert machine.drawing.wait(60)
            player.stop()
        machine.settle()
        assert len(machine.strokes) < 7  # of the first line
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)
        assert machine.problems == []


def test_a_page_too_small_is_said_before_the_machine_is_touched() -> None:
    with GrblMachine() as machine:
        with pytest.raises(SinkError, match=r"a page 200 x 20 mm .* has no room for lines"):
            make_sink(grbl(machine, "&height=20")).open(PEN)
        assert machine.resets == 0
        assert machine.lines == []


def test_a_locked_machine_says_how_to_unlock_it() -> None:
    with GrblMachine() as machine:
        machine.state = "Alarm"
        with pytest.raises(SinkError, match=r"refused 'G21': it is locked; .*start=\$H"):
            Player(played(words(1)), to=grbl(machine)).__enter__()
        assert machine.strokes == []
        with Player(played(words(1)), to=grbl(machine, "&start=$H"), seconds=0.2) as player:
            player.wait(60)
        assert len(machine.strokes) == 2


def test_a_port_where_nobody_is_says_so() -> None:
    master, slave = pty.openpty()
    try:
        sink = make_sink(f"serial:{os.ttyname(slave)}?format=gcode&timeout=0.2")
        with pytest.raises(SinkError, match=r"no Grbl answers on serial:/dev/.*baud"):
            Player(played(words(1)), to=sink).__enter__()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    "said", [b"$GPGGA,093012.00,,,,,0,00,99.99,,,,,,*6C\r\n", b"\xf0\x80\xfe"], ids=["gps", "noise"]
)
def test_a_port_where_somebody_else_talks_says_so(said: bytes) -> None:
    with Chatter(said) as chatter:
        sink = make_sink(f"serial:{chatter.port}?format=gcode&timeout=0.6")
        with pytest.raises(SinkError, match=r"no Grbl answers on serial:/dev/.*this is its port, and the option baud"):
            Player(played(words(1)), to=sink).__enter__()


def test_a_machine_that_tells_its_state_unasked_draws() -> None:
    with GrblMachine() as machine, Chatter(b"<Idle|MPos:0.000,0.000,0.000|FS:0,0>\r\n", machine._master):
        with Player(played(words(1)), to=grbl(machine), seconds=0.2) as player:
            player.wait(60)
        assert len(machine.strokes) == 2
        assert not machine.down


def test_a_machine_that_talks_no_sense_any_more_is_told_to_lift_the_pen() -> None:
    with GrblMachine(trouble=after(60, "silent")) as machine:
        with Chatter(b"?\r\n", machine._master), Player(played(words(3)), to=grbl(machine, PENS["z axis"])) as player:
            assert machine.happened.wait(60)
            player.stop()
        machine.settle()
        assert not machine.down


class Chatter:
    """Somebody at a port of its own, or at that of a machine, who says the same ten times a second, deaf."""

    def __init__(self, said: bytes, number: int | None = None) -> None:
        self._own: tuple[int, ...] = ()
        if number is None:
            number, slave = self._own = pty.openpty()
            tty.setraw(slave)
            self.port = os.ttyname(slave)
        self._number, self._said = number, said
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._talk)

    def __enter__(self) -> "Chatter":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        for number in self._own:
            os.close(number)

    def _talk(self) -> None:
        while not self._over.wait(0.1):
            os.write(self._number, self._said)


CHILD = """
import sys
from vrnn_engine import Engine, Player
target, voice = sys.argv[1:]
player = Player(Engine.load(voice, device="cpu").stream(seed=1), to=target).__enter__()
print("drawing", flush=True)
sys.stdin.readline()
"""


def test_python_ending_in_the_middle_lifts_the_pen(toy_pen: Path) -> None:
    with GrblMachine(trouble=after(40, "hold")) as machine:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, grbl(machine, PENS["z axis"]), str(toy_pen)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert machine.happened.wait(60)
        assert machine.down
        child.communicate(b"\n", timeout=60)
        machine.settle()
        assert not machine.down


def prepare() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)])
def test_an_interrupt_lifts_the_pen_and_parks_it(toy_pen: Path, number: signal.Signals, code: int) -> None:
    with GrblMachine() as machine:
        command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_pen), "--to", grbl(machine)]
        running = subprocess.Popen(
            [*command, "--seconds", "inf"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            preexec_fn=prepare,
        )
        assert machine.drawing.wait(60)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
        assert running.returncode == code, said
        assert "error" not in said
        machine.settle()
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def test_a_full_page_is_said(toy_pen: Path) -> None:
    with GrblMachine() as machine:
        target = f"serial:{machine.port}?format=gcode&width=40&height=40&margin=1{FAST}"
        command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_pen), "--seed", "1", "-s", "inf"]
        done = subprocess.run(
            [*command, "--to", target], capture_output=True, text=True, env=environment(), timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1].endswith("the page is full")
        assert machine.strokes
        assert not machine.down


class Plotter:
    """The other end of a port that reads HPGL; `after` so many bytes it says XOFF, and waits for `go`."""

    def __init__(self, after: int | None = None) -> None:
        self.heard = b""
        self.stopped, self.go, self.gone = threading.Event(), threading.Event(), threading.Event()
        self._after = after
        self._over = threading.Event()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self._master], [], [], 0.01)
            if ready:
                self.heard += os.read(self._master, 64)
            elif self._over.is_set():
                return
            if self.gone.is_set():
                os.close(self._master)
                return
            if self._after is not None and len(self.heard) > self._after:
                os.write(self._master, b"\x13")
                self._after = None
                self.stopped.set()
            if self.go.is_set() and self.stopped.is_set():
                os.write(self._master, b"\x11")
                self.stopped.clear()

    @contextmanager
    def there(self) -> Iterator["Plotter"]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
            if not self.gone.is_set():
                os.close(self._master)
            os.close(self._slave)

    def settle(self, ending: bytes) -> None:
        """Wait until what it heard ends so."""
        wait_for(lambda: self.heard.endswith(ending))


def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def hpgl(plotter: Plotter, options: str = "") -> str:
    return f"serial:{plotter.port}?format=hpgl&width=200&height=150{options}"


def test_hpgl_goes_to_the_port_as_it_goes_to_a_file(tmp_path: Path) -> None:
    ink = writing(800)
    format = Format("pen", 10_000, 3, "mm", "toy")
    with Plotter().there() as plotter:
        for target in (hpgl(plotter), f"{tmp_path}/a.hpgl?width=200&height=150"):
            sink = make_sink(target)
            sink.open(format)
            sink.write(ink)
            sink.close()
        plotter.settle(b"SP0;\n")
        assert plotter.heard == (tmp_path / "a.hpgl").read_bytes()
        assert len(read_hpgl(tmp_path / "a.hpgl")[0]) == len(shapes(ink))


def test_a_plotter_that_says_wait_is_waited_for() -> None:
    ink = words(200)
    with Plotter(after=500).there() as plotter:
        with Player(played(ink, 100_000), to=hpgl(plotter, "&height=900"), seconds=len(ink) / 100_000) as player:
            assert plotter.stopped.wait(60)
            assert not player.wait(0.5)
            plotter.go.set()
            assert player.wait(60)
        plotter.settle(b"SP0;\n")
        assert len(read_hpgl(plotter.heard.decode())[0]) == 200


def test_a_plotter_that_waits_for_ever_is_one_line_and_told_to_lift_the_pen() -> None:
    with Plotter(after=500).there() as plotter:
        target = hpgl(plotter, "&height=9000&timeout=0.3")
        stream = played(words(3), 100_000)
        with (
            pytest.raises(SinkError, match=r"accepts no more data, .* option flow"),
            Player(stream, to=target) as player,
        ):
            player.wait(60)
        plotter.settle(b"\x1b.K;\nPU;\nPU0,0;\nSP0;\n")


def test_a_plotter_that_is_pulled_out_is_one_line() -> None:
    with (
        Plotter().there() as plotter,
        pytest.raises(SinkError, match=r"was disconnected: .*check that the pen is up"),
        Player(played(words(3), 1000), to=hpgl(plotter, "&height=9000")) as player,
    ):
        wait_for(lambda: b"PD" in plotter.heard)
        plotter.gone.set()
        player.wait(60)


def test_stop_ends_a_plotters_wait() -> None:
    with Plotter(after=500).there() as plotter:
        with Player(played(words(3), 100_000), to=hpgl(plotter, "&height=9000")) as player:
            assert plotter.stopped.wait(60)
            assert not player.wait(0.5)
            player.stop()
        plotter.settle(b"\x1b.K;\nPU;\nPU0,0;\nSP0;\n")


def test_a_plotter_draws_no_faster_than_the_pen() -> None:
    """A stroke of 17 points at a point a second: the next one is far off, and a stop does not wait for it."""
    with Plotter().there() as plotter:
        with Player(played(words(3), rate=1), to=hpgl(plotter)) as player:
            wait_for(lambda: b"PD" in plotter.heard)
            assert not player.wait(0.5)
            player.stop()
        plotter.settle(b"SP0;\n")
        assert plotter.heard.count(b"PD") == 1


def test_a_port_that_does_not_exist_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot open serial:.*/none: No such file .*serial ports here: "):
        make_sink(f"serial:{tmp_path}/none?format=hpgl").open(PEN)
    with pytest.raises(SinkError, match=r"cannot open serial:/dev/null: it is not a serial port \(serial ports here: "):
        make_sink("serial:/dev/null?format=hpgl").open(PEN)


def test_a_port_in_use_is_not_shared() -> None:
    with GrblMachine() as machine:
        first = make_sink(grbl(machine))
        first.open(PEN)
        with pytest.raises(SinkError, match="cannot open"):
            make_sink(grbl(machine)).open(PEN)
        first.close()


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingExtraError, match=r"vrnn-engine\[live\]"):
        make_sink("serial:/dev/x?format=gcode").open(PEN)
