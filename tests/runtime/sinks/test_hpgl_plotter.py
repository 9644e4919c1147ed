"""HPGL plotters over a pseudo-terminal: flow control, a stop, a disconnection; ports that cannot be opened."""

import re
import sys
from pathlib import Path

import pytest
from support.hpgl_plotter import HpglPlotter, wait_for
from support.pen_helpers import PEN, looping_stream, read_hpgl, shapes, words, writing

from vrnn_engine import Player
from vrnn_engine.errors import MissingExtraError, SinkError
from vrnn_engine.runtime.sinks import Format, make_sink

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")


def hpgl(plotter: HpglPlotter, options: str = "") -> str:
    return f"serial:{plotter.port}?format=hpgl&width=200&height=150{options}"


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
