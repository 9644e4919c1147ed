"""`terminal`: ink as it is written, in braille, at the speed of the pen."""

import collections
import math
import sys
import time
from typing import Any

import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.ink.canvas import Canvas
from vrnn_engine.runtime.sinks.ink.page import Layout, Line, Sheet
from vrnn_engine.runtime.sinks.options import Options, Positive, read_options, split_target

_SCALE = 3.0  # dots to a millimetre, unless a width is asked for: letters of 2 mm can just be read
_MARGIN = 1.0
_KEPT = 50  # lines of writing, more than any terminal shows


class TerminalOptions(Options, frozen=True, kw_only=True):
    """What may follow `terminal`."""

    width: Positive | None = None
    """Millimetres across; what can be read if not given."""
    pitch: Positive = 11.0
    """Least distance between two baselines in mm."""
    scale: Positive | None = None
    """Millimetres of one of the voice's units; None where that is a length."""


class TerminalSink(Sink):
    """Shows the last lines of writing on stderr.

    Attributes
    ----------
    caption : str
        A line to be shown below; any thread may set it.
    console : rich.console.Console
        Where it is shown, once it is open: for who must write there meanwhile.
    """

    Options = TerminalOptions
    live = True

    def __init__(self, target: str = "terminal", latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._options = read_options(self.label, given, TerminalOptions)
        self._lines: collections.deque[Line] = collections.deque(maxlen=_KEPT)
        self._display: Any = None
        self.caption = ""

    def open(self, format: Format) -> None:
        """Measure the terminal: the page is as wide.  Where it is resized the page is shown larger or smaller."""
        format.require("pen", self.label)
        if not sys.stderr.isatty():
            raise SinkError("stderr is not a terminal, so ink cannot be shown there; name a FILE.svg")
        from rich.console import Console

        self.console = Console(stderr=True)
        self._width = self._options.width or max(2 * self.console.width / _SCALE, 3 * self._options.pitch)
        sheet = Sheet(width=self._width, margin=_MARGIN, pitch=self._options.pitch, scale=self._options.scale)
        self._layout = Layout(sheet, format, self.label)
        self._rate = format.rate
        self._due = time.monotonic()

    def write(self, block: np.ndarray) -> None:
        """Show points `[n, 3]` (dx, dy, pen-up) when the pen would be there."""
        self._lines.extend(self._layout.add(block))
        now = time.monotonic()
        self._due = max(self._due + len(block) / self._rate, now)
        time.sleep(self._due - now)
        self._show()

    def close(self) -> None:
        """Leave the last lines on the terminal."""
        self.caption = ""
        self._lines.extend(self._layout.finish())
        self._show()
        self.abort()

    def abort(self) -> None:
        """Let go of the terminal."""
        if self._display is not None:
            self._display.stop()

    def _show(self) -> None:
        from rich.live import Live
        from rich.text import Text

        if self._display is None:
            self._display = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")
            self._display.start()
        shown = Text(self._picture(), no_wrap=True, overflow="crop")
        if self.caption:
            shown.append(f"\n{self.caption}", "dim")
        self._display.update(shown, refresh=True)

    def _picture(self) -> str:
        columns, most = self.console.width, max(self.console.height - 3, 1)
        scale = 2 * columns / self._width
        lines = [*self._lines, *self._layout.unfinished()]
        rows = math.floor(max((line.bottom for line in lines), default=0.0) * scale / 4) + 1
        canvas = Canvas(columns, min(rows, most))
        top = max(rows - most, 0) * 4 / scale
        for line in lines:
            for stroke in line.strokes:
                canvas.draw(stroke, scale, top)
        return canvas.text()
