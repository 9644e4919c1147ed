"""Grbl machines over a pseudo-terminal: strokes, flow control, errors, alarms and disconnections."""

import os
import pty
from pathlib import Path

import numpy as np
import pytest
from support.grbl_machine import BUFFER, NO_DELAY, GrblMachine, fault_after
from support.hpgl_plotter import Chatter
from support.pen_helpers import PEN, looping_stream, shapes, words, writing

from vrnn_engine import Engine, Player
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import make_sink

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
PENS = {"spindle": "", "z axis": "&down=G1 Z-1 F900&up=G0 Z4"}


@pytest.mark.slow
@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("smooth", [True, False])
def test_a_machine_draws_the_strokes_and_is_left_parked(pen: str, smooth: bool) -> None:
    ink = writing(800)
    with GrblMachine() as machine:
        sink = make_sink(machine.target(f"{PENS[pen]}&feed=2000&smooth={str(smooth).lower()}"))
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
            distances = np.abs(up[:, None] - shape[None]).max(axis=2)
            assert distances.min(axis=0).max() <= 0.011
            assert smooth or distances.min(axis=1).max() <= 0.011
        places = np.concatenate([np.array(stroke) for stroke in machine.strokes])
        assert (places >= 12 - 0.01).all()
        assert (places <= [188.01, 138.01]).all()
        assert BUFFER - 40 < machine.most_buffered <= BUFFER  # kept full, but not exceeded
        assert max(machine.feeds) == 2000
        assert min(machine.feeds) < 1000
        assert machine.resets == 1


def test_a_voice_draws_live(toy_pen: Path) -> None:
    with GrblMachine() as machine:
        stream = Engine.load(toy_pen, device="cpu").stream(seed=1)
        with Player(stream, to=machine.target(), seconds=3) as player:
            assert player.wait(60)
        assert player.seconds_played == 3
        expected = Engine.load(toy_pen, device="cpu").stream(seed=1).read(300)
        assert len(machine.strokes) == len(shapes(expected))
        assert machine.problems == []
        assert not machine.down


def test_a_full_page_ends_the_player() -> None:
    with GrblMachine() as machine:
        target = f"serial:{machine.port}?format=gcode&width=100&height=60&feed=900{NO_DELAY}"
        with Player(looping_stream(words(3)), to=target) as player:
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
    ("what", "message", "parked"),
    [
        ("error:33", r"refused 'G1 X.*': Grbl reports error:33", True),
        ("ALARM:1", "limit switch", False),
        ("ALARM:2", "the page is larger than its working area", False),
        ("reset", "was reset while it drew", True),
        ("silent", r"has stopped answering to '.*'; the pen was told to lift", False),
    ],
)
def test_each_fault_is_one_error_line_and_the_pen_is_lifted(pen: str, what: str, message: str, parked: bool) -> None:
    with GrblMachine(fault=fault_after(60, what)) as machine:
        with (
            pytest.raises(SinkError, match=message) as error,
            Player(looping_stream(words(3)), to=machine.target(PENS[pen])) as p,
        ):
            p.wait(60)
        assert machine.fault_happened.is_set()
        machine.finish()
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(f"serial:{machine.port}")
        assert not machine.down
        assert machine.problems == []
        assert ((machine.x, machine.y) == (0, 0)) == parked


def test_a_lost_answer_is_an_error() -> None:
    with GrblMachine(fault=fault_after(60, "lost")) as machine:
        with pytest.raises(SinkError, match="did not answer every line that was sent"):
            Player(looping_stream(words(3)), to=machine.target(), seconds=2).__enter__().wait(60)
        machine.finish()
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def test_a_disconnected_machine_is_an_error() -> None:
    with (
        GrblMachine(fault=fault_after(60, "disconnected")) as machine,
        pytest.raises(SinkError, match=r"was disconnected.*check that the pen is up"),
        Player(looping_stream(words(3)), to=machine.target()) as player,
    ):
        player.wait(60)


def test_an_error_of_the_voice_lifts_the_pen_and_parks_it() -> None:
    stream = looping_stream(words(3))
    calm, count = stream.read, [0]

    def read(frames: int) -> np.ndarray:
        count[0] += 1
        if count[0] > 200:
            raise SinkError("no more ink")
        return calm(frames)

    stream.read = read
    with GrblMachine() as machine:
        with pytest.raises(SinkError, match="no more ink"), Player(stream, to=machine.target()) as player:
            player.wait(60)
        machine.finish()
        assert machine.strokes
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def test_a_hold_is_waited_for_until_the_player_is_stopped() -> None:
    """A machine on hold still answers, however long it is held."""
    with GrblMachine(fault=fault_after(60, "hold")) as machine:
        with Player(looping_stream(words(3)), to=machine.target("&timeout=0.6")) as player:
            assert machine.fault_happened.wait(60)
            assert not player.wait(2)
            done = len(machine.strokes)
            player.stop()
        machine.finish()
        assert len(machine.strokes) == done
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)
        assert machine.problems == []


def test_stop_ends_a_drawing_at_once_and_lifts_the_pen() -> None:
    with GrblMachine() as machine:
        with Player(looping_stream(words(200)), to=machine.target()) as player:
            assert machine.drawing.wait(60)
            player.stop()
        machine.finish()
        assert len(machine.strokes) < 7  # those of the first line
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)
        assert machine.problems == []


def test_a_page_that_is_too_small_is_an_error_before_the_machine_is_reset() -> None:
    with GrblMachine() as machine:
        with pytest.raises(SinkError, match=r"a page 200 x 20 mm .* has no room for lines"):
            make_sink(machine.target("&height=20")).open(PEN)
        assert machine.resets == 0
        assert machine.lines == []


def test_a_locked_machine_says_how_to_unlock_it() -> None:
    with GrblMachine() as machine:
        machine.state = "Alarm"
        with pytest.raises(SinkError, match=r"refused 'G21': it is locked; .*start=\$H"):
            Player(looping_stream(words(1)), to=machine.target()).__enter__()
        assert machine.strokes == []
        with Player(looping_stream(words(1)), to=machine.target("&start=$H"), seconds=0.2) as player:
            player.wait(60)
        assert len(machine.strokes) == 2


def test_a_port_without_a_machine_is_an_error() -> None:
    master, slave = pty.openpty()
    try:
        sink = make_sink(f"serial:{os.ttyname(slave)}?format=gcode&timeout=0.2")
        with pytest.raises(SinkError, match=r"no Grbl answers on serial:/dev/.*baud"):
            Player(looping_stream(words(1)), to=sink).__enter__()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    "message", [b"$GPGGA,093012.00,,,,,0,00,99.99,,,,,,*6C\r\n", b"\xf0\x80\xfe"], ids=["gps", "noise"]
)
def test_a_port_with_another_device_is_an_error(message: bytes) -> None:
    with Chatter(message) as chatter:
        sink = make_sink(f"serial:{chatter.port}?format=gcode&timeout=0.6")
        with pytest.raises(SinkError, match=r"no Grbl answers on serial:/dev/.*this is its port, and the option baud"):
            Player(looping_stream(words(1)), to=sink).__enter__()


def test_a_port_with_a_device_that_ends_no_line_is_an_error() -> None:
    with Chatter(b"x" * 600) as chatter:
        sink = make_sink(f"serial:{chatter.port}?format=gcode&timeout=3600")  # the wait ends by the number of bytes
        with pytest.raises(SinkError, match=r"no Grbl answers on serial:/dev/"):
            Player(looping_stream(words(1)), to=sink).__enter__()


def test_a_machine_that_sends_its_status_unasked_draws() -> None:
    with GrblMachine() as machine, Chatter(b"<Idle|MPos:0.000,0.000,0.000|FS:0,0>\r\n", machine.descriptor):
        with Player(looping_stream(words(1)), to=machine.target(), seconds=0.2) as player:
            player.wait(60)
        assert len(machine.strokes) == 2
        assert not machine.down


def test_a_machine_that_sends_nonsense_is_told_to_lift_the_pen() -> None:
    with GrblMachine(fault=fault_after(60, "silent")) as machine:
        with (
            Chatter(b"?\r\n", machine.descriptor),
            Player(looping_stream(words(3)), to=machine.target(PENS["z axis"])) as player,
        ):
            assert machine.fault_happened.wait(60)
            player.stop()
        machine.finish()
        assert not machine.down


def test_a_port_in_use_is_not_shared() -> None:
    with GrblMachine() as machine:
        first = make_sink(machine.target())
        first.open(PEN)
        with pytest.raises(SinkError, match="cannot open"):
            make_sink(machine.target()).open(PEN)
        first.close()
