"""Plots over several pages, and plots that were interrupted and are continued."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command import environment
from support.grbl_machine import NO_DELAY, GrblMachine, fault_after
from support.hp7475a import BUFFER, Hp7475a
from support.hpgl_plotter import wait_for
from support.pen_helpers import PEN, lay_out, looping_stream, words, writing

from vrnn_engine import Player
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.sinks.ink.plotters.progress import PlotProgress

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
FAST = Format("pen", 100_000, 3, "mm", "toy")
INK = writing(1500)
SMALL = "&width=100&height=60&margin=5&pitch=8"
PLOTTERS = {"grbl": GrblMachine, "7475a": Hp7475a}


def target(machine: GrblMachine | Hp7475a, options: str = "") -> str:
    if isinstance(machine, GrblMachine):
        usual = "&timeout=1" if "settle=" in options else NO_DELAY
        return f"serial:{machine.port}?format=gcode{SMALL}{usual}{options}"
    return f"serial:{machine.port}?format=hpgl{SMALL}{options}"


def starts(machine: GrblMachine | Hp7475a) -> list[tuple[float, float]]:
    """Return the first point of each stroke in mm."""
    unit = 1 if isinstance(machine, GrblMachine) else 0.025
    return [(round(x * unit, 1), round(y * unit, 1)) for x, y in (stroke[0] for stroke in machine.strokes)]


def expected_starts(pages: int = 100) -> list[tuple[float, float]]:
    lines = lay_out(INK, width=100, height=60, margin=5, pitch=8)
    return [stroke[0] for line in lines if line.page < pages for stroke in line.strokes]


def assert_drawn(machine: GrblMachine | Hp7475a, expected: list[tuple[float, float]]) -> None:
    found = starts(machine)
    assert len(found) == len(expected)
    assert np.abs(np.array(found) - [0, 60] - np.array(expected) * [1, -1]).max() <= 0.11


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLOTTERS)
def test_each_page_waits_for_its_paper(kind: str) -> None:
    pages = 1 + max(line.page for line in lay_out(INK, width=100, height=60, margin=5, pitch=8))
    assert pages > 2
    with PLOTTERS[kind]() as machine:
        stream = looping_stream(INK, 100_000)
        with Player(stream, to=target(machine, f"&pages={pages}"), seconds=len(INK) / 100_000) as player:
            for page in range(1, pages):
                wait_for(lambda: player.sink.waiting)
                if kind == "grbl":
                    assert not machine.down
                    assert (machine.x, machine.y) == (0, 0)
                    assert_drawn(machine, expected_starts(page))
                player.sink.next_page()
                wait_for(lambda: not player.sink.waiting)
            assert player.wait(60)
            assert not player.full
        machine.finish()
        assert_drawn(machine, expected_starts())


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLOTTERS)
def test_a_plot_ends_at_the_last_page_or_where_there_is_no_more_paper(kind: str) -> None:
    for options, turns, drawn in (("&pages=2", [True], 2), ("&pages=9", [True, False], 2), ("", [], 1)):
        with PLOTTERS[kind]() as machine:
            with Player(looping_stream(INK, 100_000), to=target(machine, options)) as player:
                for more in turns:
                    wait_for(lambda: player.sink.waiting)
                    player.sink.next_page(more)
                    wait_for(lambda: not player.sink.waiting)
                assert player.wait(60)
                assert player.full
            machine.finish()
            assert_drawn(machine, expected_starts(drawn))


def test_a_stop_ends_the_wait_for_paper() -> None:
    with GrblMachine() as machine:
        with Player(looping_stream(INK, 100_000), to=target(machine, "&pages=9")) as player:
            wait_for(lambda: player.sink.waiting)
            player.stop()
        assert not machine.down
        assert (machine.x, machine.y) == (0, 0)


def draw(machine: GrblMachine | Hp7475a, progress: PlotProgress, options: str = "") -> None:
    sink = make_sink(target(machine, options))
    sink.progress = progress
    sink.open(FAST)
    try:
        for start in range(0, len(INK), 50):
            sink.write(INK[start : start + 50])
        sink.close()
    except SinkError:
        sink.abort()
        raise


@pytest.mark.slow
@pytest.mark.parametrize("settle", ["0", "0.01"])
@pytest.mark.parametrize("lines", [30, 200, 400])
def test_an_interrupted_plot_is_continued_without_a_gap(tmp_path: Path, lines: int, settle: str) -> None:
    path, plot = tmp_path / "plot.json", {"seed": "1"}
    with GrblMachine(fault=fault_after(lines, "reset")) as machine:
        with pytest.raises(SinkError, match="was reset while it drew"):
            draw(machine, PlotProgress(path, plot), f"&settle={settle}")
        first = starts(machine)
    drawn = json.loads(path.read_text())["strokes"]
    assert len(first) - 18 <= drawn < len(first)  # the one that was interrupted is not counted
    with GrblMachine() as machine:
        draw(machine, PlotProgress(path, plot), f"&settle={settle}")
        assert_drawn(machine, expected_starts(1)[drawn:])
    assert not path.exists()


def test_progress_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    monkeypatch.setattr(os, "fsync", waits.append)
    progress = PlotProgress(tmp_path / "plot.json", {"seed": "1"})
    for strokes in range(5):
        progress.save(strokes)
    assert waits == []
    assert PlotProgress(tmp_path / "plot.json", {"seed": "1"}).drawn == 4


def interrupt(machine: Hp7475a, path: Path, ink: np.ndarray) -> int:
    """Send ink, interrupt the plot when all has arrived, and return how many strokes count as drawn."""
    sink = make_sink(target(machine, "&smooth=false"))
    sink.progress = PlotProgress(path, {})
    sink.open(FAST)
    sink.write(ink)
    wait_for(lambda: machine.line_is_idle)
    sink.abort()
    machine.finish()
    return int(json.loads(path.read_text())["strokes"])


def test_strokes_in_the_buffer_of_an_hp_plotter_count_as_not_drawn(tmp_path: Path) -> None:
    ink = words(6)  # a line of it is too little for Xoff
    with Hp7475a() as machine:
        machine.view.set()
        assert interrupt(machine, tmp_path / "plot.json", ink) == 0
        assert len(machine.strokes) == 0
        assert 100 < machine.most_buffered < BUFFER - 81


def test_an_interrupted_plot_of_an_hp_plotter_is_continued_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "plot.json"
    with Hp7475a() as machine:
        drawn = interrupt(machine, path, INK[:400])
        assert 0 < drawn <= len(machine.strokes)
    with Hp7475a() as machine:
        draw(machine, PlotProgress(path, {}))
        machine.finish()
        assert_drawn(machine, expected_starts(1)[drawn:])


def test_a_file_of_another_plot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plot.json"
    PlotProgress(path, {"seed": "1", "--set": ""}).save(3)
    assert PlotProgress(path, {"seed": "1", "--set": ""}).drawn == 3
    with pytest.raises(SinkError, match=r"plot.json is of a plot with another --set \(none, now a=1\); give the same"):
        PlotProgress(path, {"seed": "1", "--set": "a=1"})
    path.write_text("{}")
    with pytest.raises(SinkError, match=r"plot.json does not say how far a plot is"):
        PlotProgress(path, {})


def command(voice: Path, to: str, *options: str) -> list[str]:
    return [*(sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(voice), "-s", "inf", "--to", to), *options]


@pytest.mark.slow
def test_a_line_on_standard_input_goes_on_to_the_next_page(toy_pen: Path) -> None:
    with GrblMachine() as machine:
        to = f"serial:{machine.port}?format=gcode&width=40&height=40&margin=1&pages=9{NO_DELAY}"
        running = subprocess.Popen(
            command(toy_pen, to, "--seed", "1"),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert running.stdin is not None
        assert running.stderr is not None
        said = [running.stderr.readline(), running.stderr.readline()]
        first = len(machine.strokes)
        running.stdin.write("\n")
        running.stdin.flush()
        said.append(running.stderr.readline())
        second = len(machine.strokes)
        _, rest = running.communicate(timeout=60)  # closes standard input
        assert running.returncode == 0, rest
        assert (
            said[1] == said[2] == "the page is full: change the paper when the plotter has stopped, then press Enter\n"
        )
        assert 0 < first < second == len(machine.strokes)
        assert rest.splitlines()[0] == "standard input has ended, so no further page is drawn"
        assert rest.splitlines()[-1].endswith("the page is full")


@pytest.mark.slow
def test_the_command_line_continues_a_plot_with_its_seed(toy_pen: Path, tmp_path: Path) -> None:
    path, options = tmp_path / "plot.json", f"?format=gcode&width=60&height=60&margin=1{NO_DELAY}"
    with GrblMachine(fault=fault_after(60, "hold")) as machine:
        running = subprocess.Popen(
            command(toy_pen, f"serial:{machine.port}{options}", "--resume", str(path)),
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert machine.fault_happened.wait(60)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
        assert running.returncode == 130
        first = starts(machine)
    kept = json.loads(path.read_text())
    assert 0 < kept["strokes"] < len(first)
    with GrblMachine() as machine:
        again = command(toy_pen, f"serial:{machine.port}{options}", "--resume", str(path))
        done = subprocess.run(again, capture_output=True, text=True, env=environment(), timeout=120)
        assert done.returncode == 0, done.stderr
        assert f"{path}: continuing after {kept['strokes']} strokes" in done.stderr
        rest = starts(machine)
    assert not path.exists()
    with GrblMachine() as machine:
        whole = command(toy_pen, f"serial:{machine.port}{options}", "--seed", kept["plot"]["seed"])
        subprocess.run(whole, capture_output=True, env=environment(), timeout=120, check=True)
        assert first[: kept["strokes"]] + rest == starts(machine)


def test_resume_is_for_plotters(toy_pen: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(toy_pen, f"{tmp_path}/a.svg", "--resume", f"{tmp_path}/plot.json"),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert done.returncode == 2
    assert "--resume is for a plotter" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_sinks_never_wait_for_paper(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "a.svg")
    sink.open(PEN)
    sink.write(words(3))
    assert not sink.waiting
    sink.next_page()
    sink.close()
