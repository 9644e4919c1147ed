"""`terminal`: shows ink in the terminal while it is written, in braille characters and at the speed of the pen."""

import collections
import functools
import math
import sys
import time
from typing import Any

import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import Options, Positive, read_options, split_target
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.canvas import Canvas
from vrnn_engine.runtime.sinks.ink.page import Layout, Line, PageOptions
from vrnn_engine.runtime.sinks.ink.page_sink import PageSink

_DOTS_PER_MM = 3.0  # default resolution; letters of 2 mm are just legible
_MARGIN = 1.0
_MAX_LINES = 50  # lines of writing kept; more than any terminal shows


class TerminalOptions(Options, frozen=True, kw_only=True):
    """Options of `terminal`; lengths in mm."""

    width: Positive | None = None
    """Width of the writing; by default the largest width that is legible."""
    pitch: Positive = 11.0
    """Smallest distance between two baselines."""
    scale: Positive | None = None
    """Size of the voice's unit in mm; not needed if that is a unit of length."""


class TerminalSink(PageSink):
    """Shows the last lines of writing on stderr.

    Parameters
    ----------
    target : str
        `terminal`; `TerminalOptions` may follow, as in `terminal?width=80`.
    latency : float
        Ignored.

    Attributes
    ----------
    caption : str
        A line of text shown below the writing; any thread may set it.
    console : rich.console.Console
        The console; other output above the writing must use it.

    Raises
    ------
    SinkError
        An option is wrong.
    """

    Options = TerminalOptions
    live = True

    def __init__(self, target: str = "terminal", latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._given = read_options(self.label, given, TerminalOptions)
        self._lines: collections.deque[Line] = collections.deque(maxlen=_MAX_LINES)
        self._display: Any = None
        self.caption = ""

    def open(self, format: Format) -> None:
        """Fit the page to the width of the terminal.  If the terminal is resized later, the page is scaled.

        Parameters
        ----------
        format : Format
            Format of a pen voice.

        Raises
        ------
        SinkError
            The voice is not a pen voice, or stderr is not a terminal.
        """
        format.require("pen", self.label)
        if not sys.stderr.isatty():
            raise SinkError("stderr is not a terminal, so ink cannot be shown there; name a .svg file")
        self._layout = self.make_layout(format)
        self._rate = format.rate
        self._due = time.monotonic()

    @functools.cached_property
    def console(self) -> Any:
        """The console of rich on stderr."""
        from rich.console import Console

        return Console(stderr=True)

    def make_layout(self, format: Format) -> Layout:
        """Return the layout of a page that has the width of the terminal, without lines."""
        given = self._given
        self._width = given.width or max(2 * self.console.width / _DOTS_PER_MM, 3 * given.pitch)
        page = PageOptions(width=self._width, margin=_MARGIN, pitch=given.pitch, scale=given.scale)
        return Layout(page, format, self.label)

    def write(self, block: np.ndarray) -> None:
        """Add points, wait for the time that the pen needs, and show the result.

        Parameters
        ----------
        block : ndarray, float32, shape [points, 3]
            dx, dy, pen-up.
        """
        self._lines.extend(self._layout.add(block))
        now = time.monotonic()
        self._due = max(self._due + len(block) / self._rate, now)
        time.sleep(self._due - now)
        self._show(self.caption)

    def close(self) -> None:
        """Show the last lines, and leave them on the terminal."""
        self._lines.extend(self._layout.finish())
        self._show(caption="")  # another thread may still set `self.caption`
        self.abort()

    def abort(self) -> None:
        """End the display and restore the cursor."""
        if self._display is not None:
            self._display.stop()

    def _show(self, caption: str) -> None:
        from rich.live import Live
        from rich.text import Text

        if self._display is None:
            self._display = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")
            self._display.start()
        shown = Text(self._draw(), no_wrap=True, overflow="crop")
        if caption:
            shown.append(f"\n{caption}", "dim")
        self._display.update(shown, refresh=True)

    def _draw(self) -> str:
        """Return the last lines as text that fits the terminal."""
        columns, max_rows = self.console.width, max(self.console.height - 3, 1)
        scale = 2 * columns / self._width
        lines = [*self._lines, *self._layout.unfinished()]
        rows = math.floor(max((line.bottom for line in lines), default=0.0) * scale / 4) + 1
        canvas = Canvas(columns, min(rows, max_rows))
        top = max(rows - max_rows, 0) * 4 / scale
        for line in lines:
            for stroke in line.strokes:
                canvas.draw(stroke, scale, top)
        return canvas.text()
