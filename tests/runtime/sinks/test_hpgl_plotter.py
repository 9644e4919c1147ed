"""HPGL plotters over a pseudo-terminal: flow control, a stop, a disconnection; ports that cannot be opened."""

import os
import re
import select
import socket
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.grbl_machine import NO_DELAY, GrblMachine
from support.hp7475a import Hp7475a
from support.hpgl_plotter import Chatter, HpglPlotter, wait_for
from support.pen_helpers import PEN, looping_stream, read_hpgl, shapes, words, writing

from vrnn_engine import Player
from vrnn_engine.errors import MissingExtraError, SinkError
from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.sinks.ink.plotters import hpgl_link
from vrnn_engine.runtime.sinks.ink.plotters.hpgl_handshake import describe_error
from vrnn_engine.runtime.sinks.ink.plotters.progress import PlotProgress

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")


def hpgl(plotter: HpglPlotter, options: str = "") -> str:
    height = "" if "height=" in options else "&height=150"
    return f"serial:{plotter.port}?format=hpgl&width=200{height}{options}"


def test_a_port_receives_the_same_hpgl_as_a_file(tmp_path: Path) -> None:
    ink = writing(800)
    format = Format("pen", 10_000, 3, "mm", "toy")
    with HpglPlotter().connected() as plotter:
        for target in (hpgl(plotter), f"{tmp_path}/a.hpgl?width=200&height=150"):
            sink = make_sink(target)
            sink.open(format)
            sink.write(ink)
            sink.close()
        plotter.wait_for_end(b"SP0;\n")
        sent = re.sub(rb"\x1b\.([@IN][^:]*:|E)", b"", plotter.received)  # without the handshake
        assert sent == (tmp_path / "a.hpgl").read_bytes()
        assert plotter.received.startswith(b"\x1b.@;0:\x1b.I81;;17:\x1b.N;19:")
        assert len(read_hpgl(tmp_path / "a.hpgl")[0]) == len(shapes(ink))


def test_flow_control_is_obeyed() -> None:
    ink = words(200)
    with HpglPlotter(pause_after=500).connected() as plotter:
        with Player(
            looping_stream(ink, 100_000), to=hpgl(plotter, "&height=900"), seconds=len(ink) / 100_000
        ) as player:
            assert plotter.paused.wait(60)
            assert not player.wait(0.5)
            plotter.resume.set()
            assert player.wait(60)
        plotter.wait_for_end(b"SP0;\n")
        assert len(read_hpgl(plotter.received.decode())[0]) == 200


def test_a_plotter_that_accepts_nothing_more_is_an_error_and_told_to_lift_the_pen() -> None:
    with HpglPlotter(pause_after=500).connected() as plotter:
        target = hpgl(plotter, "&height=9000&timeout=0.3")
        stream = looping_stream(words(3), 100_000)
        with (
            pytest.raises(SinkError, match=r"accepts no more data, .* option flow"),
            Player(stream, to=target) as player,
        ):
            player.wait(60)
        plotter.wait_for_end(b"\x1b.K;\nPU;\nPU0,0;\nSP0;\n")


def test_an_answer_of_many_digits_is_no_known_error() -> None:
    assert describe_error("\x1116") is not None
    assert describe_error("9" * 5000) is None


def test_an_answer_without_an_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpgl_link, "_ANSWER", 3600.0)  # the wait ends by the number of bytes
    with Chatter(b"9" * 600) as chatter:
        sink = make_sink(f"serial:{chatter.port}?format=hpgl&flow=none")
        sink.open(PEN)
        sink.abort()


def test_a_disconnected_plotter_is_an_error() -> None:
    with (
        HpglPlotter().connected() as plotter,
        pytest.raises(SinkError, match=r"was disconnected: .*check that the pen is up"),
        Player(looping_stream(words(3), 1000), to=hpgl(plotter, "&height=9000")) as player,
    ):
        wait_for(lambda: b"PD" in plotter.received)
        plotter.unplug.set()
        player.wait(60)


def test_stop_ends_the_wait_for_a_plotter() -> None:
    with HpglPlotter(pause_after=500).connected() as plotter:
        with Player(looping_stream(words(3), 100_000), to=hpgl(plotter, "&height=9000")) as player:
            assert plotter.paused.wait(60)
            assert not player.wait(0.5)
            player.stop()
        plotter.wait_for_end(b"\x1b.K;\nPU;\nPU0,0;\nSP0;\n")


def test_a_plotter_draws_no_faster_than_the_pen() -> None:
    """A stroke has 17 points, at one point a second: the next stroke is far off, and a stop does not wait for it."""
    with HpglPlotter().connected() as plotter:
        with Player(looping_stream(words(3), rate=1), to=hpgl(plotter)) as player:
            wait_for(lambda: b"PD" in plotter.received)
            assert not player.wait(0.5)
            player.stop()
        plotter.wait_for_end(b"SP0;\n")
        assert plotter.received.count(b"PD") == 1


def test_a_port_that_does_not_exist_or_is_not_serial_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot open serial:.*/none: No such file .*serial ports here: "):
        make_sink(f"serial:{tmp_path}/none?format=hpgl").open(PEN)
    with pytest.raises(SinkError, match=r"cannot open serial:/dev/null: it is not a serial port \(serial ports here: "):
        make_sink("serial:/dev/null?format=hpgl").open(PEN)


def test_without_pyserial_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingExtraError, match=r"vrnn-engine\[live\]"):
        make_sink("serial:/dev/x?format=gcode").open(PEN)


@contextmanager
def bridged(port: str, flow: bool = False) -> Iterator[int]:
    """Pass bytes between one TCP connection and a plotter's port, as a server of serial ports does; yield its port.

    With `flow`, the server obeys Xon and Xoff.
    """
    descriptor, ended = os.open(port, os.O_RDWR | os.O_NOCTTY), threading.Event()
    attributes = termios.tcgetattr(descriptor)
    attributes[0] |= termios.IXON if flow else 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def pump() -> None:
            connection, _ = server.accept()
            with connection:
                while not ended.is_set():
                    ready, _, _ = select.select([connection, descriptor], [], [], 0.01)
                    if connection in ready:
                        os.write(descriptor, connection.recv(64))
                    if descriptor in ready:
                        connection.sendall(os.read(descriptor, 64))

        thread = threading.Thread(target=pump)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()
            os.close(descriptor)


@pytest.mark.parametrize("flow", [True, False])
def test_an_hpgl_plotter_in_the_network_draws_every_stroke_or_an_error_says_so(flow: bool) -> None:
    ink = writing(1500)
    with Hp7475a() as plotter, bridged(plotter.port, flow) as number:
        sink = make_sink(f"serial:socket://127.0.0.1:{number}?format=hpgl&plotter=7475a")
        sink.open(Format("pen", 100_000, 3, "mm", "toy"))
        sink.write(ink)
        if flow:
            sink.close()
            wait_for(lambda: plotter.instructions[-1:] == ["SP0"])
            assert len(plotter.strokes) == len(shapes(ink))
        else:
            with pytest.raises(SinkError, match="lost data because its buffer overflowed"):
                sink.close()
            sink.abort()
        assert (plotter.lost == 0) == flow


def test_a_grbl_machine_in_the_network_draws_every_stroke() -> None:
    ink = writing(400)
    with GrblMachine() as machine, bridged(machine.port) as number:
        sink = make_sink(f"serial:socket://127.0.0.1:{number}?format=gcode&width=200&height=150{NO_DELAY}")
        sink.open(PEN)
        sink.write(ink)
        sink.close()
        assert len(machine.strokes) == len(shapes(ink))
        assert machine.problems == []


def test_strokes_that_a_network_holds_back_do_not_count_as_drawn(tmp_path: Path) -> None:
    progress = PlotProgress(tmp_path / "plot.json", {})
    with Hp7475a() as plotter, bridged(plotter.port, flow=True) as number:
        plotter.view.set()  # it receives until its buffer is full, and draws nothing
        sink = make_sink(f"serial:socket://127.0.0.1:{number}?format=hpgl&plotter=7475a")
        sink.progress = progress
        sink.open(Format("pen", 100_000, 3, "mm", "toy"))
        sink.write(writing(1500))
        sink.abort()
        counted, drawn = progress.drawn, len(plotter.strokes)
        plotter.view.clear()
        wait_for(lambda: plotter.instructions[-1:] == ["SP0"])
    assert (counted, drawn) == (0, 0)
