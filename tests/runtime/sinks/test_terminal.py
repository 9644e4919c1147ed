"""Ink in the terminal: the dots are in their places, appear in time, and the terminal is restored."""

import dataclasses
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.command import environment
from support.pen_helpers import PEN, words

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import make_sink
from vrnn_engine.runtime.sinks.ink import terminal
from vrnn_engine.runtime.sinks.ink.canvas import Canvas


def dots(text: str) -> set[tuple[int, int]]:
    """Return the dots of a picture, from the Unicode names of its braille characters."""
    found = set()
    for row, line in enumerate(text.split("\n")):
        for column, character in enumerate(line):
            name = unicodedata.name(character)
            assert name == "SPACE" or name.startswith("BRAILLE PATTERN DOTS-")
            for dot in name.partition("DOTS-")[2]:
                x, y = {"7": (0, 3), "8": (1, 3)}.get(dot, divmod(int(dot) - 1, 3) if dot < "7" else (0, 0))
                found.add((2 * column + x, 4 * row + y))
    return found


def test_dots_are_where_the_ink_is() -> None:
    canvas = Canvas(10, 5)
    canvas.draw([(1.0, 2.0), (4.0, 2.0)], scale=2, top=1)
    canvas.draw([(0.0, 1.0)], scale=2, top=1)
    canvas.draw([(5.0, 1.0), (5.0, 7.0)], scale=2, top=1)
    expected = {(x, 2) for x in range(2, 9)} | {(0, 0)} | {(10, y) for y in range(13)}
    assert dots(canvas.text()) == expected


def test_ink_outside_the_canvas_is_not_drawn() -> None:
    canvas = Canvas(4, 2)
    canvas.draw([(-5.0, 3.0), (50.0, 3.0)], scale=1, top=0)
    canvas.draw([(3.0, -9.0), (3.0, 90.0)], scale=1, top=0)
    assert dots(canvas.text()) == {(x, 3) for x in range(8)} | {(3, y) for y in range(8)}


class Screen:
    """A terminal that keeps what is written to it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self._written: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self.master, 4096):
                self._written.append(data)
        except OSError:  # the last writer has closed it
            pass

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def text(self) -> str:
        """Return everything that was written; nothing writes any more."""
        os.close(self.slave)
        self._reader.join()
        os.close(self.master)
        return b"".join(self._written).decode()


def pictures(text: str) -> list[str]:
    """Return the screen after each refresh; rich moves up line by line, and clears each."""
    frames = (re.sub(r"\x1b\[[?\d]*\w|\r", "", part).strip("\n") for part in text.split("\x1b[2K"))
    return [part for part in frames if any("\u2801" <= c <= "\u28ff" for c in part)]


def test_ink_appears_at_the_speed_of_the_pen(monkeypatch: pytest.MonkeyPatch) -> None:
    now, screen = [100.0], Screen()
    for name, value in {"COLUMNS": "80", "LINES": "12", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(screen.slave), "w"))

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    sink = make_sink("terminal?width=80&scale=1")
    sink.open(dataclasses.replace(PEN, unit="tablet units"))
    ink = words(10)
    for start in range(0, len(ink), 4):
        sink.write(ink[start : start + 4])
        assert now[0] - 100 == pytest.approx(min(start + 4, len(ink)) / PEN.rate)
    now[0] += 5  # after a delay, it does not speed up
    sink.write(ink[:4])
    assert now[0] - 105 == pytest.approx(len(ink) / PEN.rate)
    sink.write(ink[:4])
    assert now[0] - 105 == pytest.approx((len(ink) + 4) / PEN.rate)
    sink.close()
    sys.stderr.close()
    monkeypatch.undo()
    shown = pictures(screen.text())
    assert len(shown) > 20
    counts = [len(dots(picture)) for picture in shown[1:5]]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 8), (30, 40), (120, 7)])
def test_ink_fits_a_terminal_that_is_resized(columns: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    screen.resize(80, 24)
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(screen.slave), "w"))
    monkeypatch.setattr(
        "rich.console._STD_STREAMS", (screen.slave,)
    )  # rich asks these for the size; by default they are those of pytest
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: None))
    sink: Any = make_sink("terminal")
    sink.open(PEN)
    sink.write(words(40))
    screen.resize(columns, rows)
    sink.caption = "c" * 10
    sink.write(np.array([[3, 0, 0], [0, 1, 1]], np.float32))
    newest = sink._layout.unfinished()[0].strokes[-1]
    sink.abort()
    sys.stderr.close()
    monkeypatch.undo()
    shown = screen.text().split("\x1b[2K")[-1]
    *picture, caption = re.sub(r"\x1b\[[?\d;]*\w", "", shown).strip("\r\n").split("\r\n")
    assert caption == sink.caption
    assert len(picture) < rows
    assert max(map(len, picture)) <= columns
    x, scale = newest[-1][0], 2 * columns / (2 * 80 / 3)
    assert any(abs(column - x * scale) <= 1 for column, row in dots("\n".join(picture[-2:])))


def test_without_a_terminal_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as nowhere:
        monkeypatch.setattr(sys, "stderr", nowhere)
        with pytest.raises(SinkError, match=r"stderr is not a terminal.*\.svg file"):
            make_sink("terminal").open(PEN)


def test_the_command_line_shows_nothing_beside_the_ink(toy_pen: Path) -> None:
    screen = Screen()
    command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_pen), "--to", "terminal?width=40"]
    done = subprocess.run(
        [*command, "--seconds", "2"],
        stdout=subprocess.PIPE,
        stderr=screen.slave,
        env=environment(COLUMNS="60", LINES="20", TERM="xterm"),
        timeout=60,
    )
    text = screen.text()
    assert done.returncode == 0, text
    assert done.stdout == b""
    assert "-> terminal" in text
    assert len(pictures(text)) > 10
    assert "2.00 s to terminal" in text.splitlines()[-1]
    assert text.count("x real time") == 1  # in the summary alone
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")  # the cursor is visible again
