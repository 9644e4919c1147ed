"""`serial:PORT?format=gcode` or `hpgl`: draws on a pen plotter while the voice writes.

A line of writing is drawn when it is complete, at the speed of the voice's pen or of the machine, whichever is lower.
After the last page, as after an error, the sink lifts and parks the pen.
"""

import atexit
import contextlib
import threading
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import Positive, split_target
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.line_breaks import Stroke
from vrnn_engine.runtime.sinks.ink.page import Line
from vrnn_engine.runtime.sinks.ink.page_sink import PageSink
from vrnn_engine.runtime.sinks.ink.paper import read_page_options
from vrnn_engine.runtime.sinks.ink.plotters.gcode import Gcode, GcodeOptions
from vrnn_engine.runtime.sinks.ink.plotters.grbl import GrblLink
from vrnn_engine.runtime.sinks.ink.plotters.hpgl import Hpgl, HpglOptions
from vrnn_engine.runtime.sinks.ink.plotters.hpgl_handshake import handshake
from vrnn_engine.runtime.sinks.ink.plotters.hpgl_link import HpglLink
from vrnn_engine.runtime.sinks.ink.plotters.language import PlotterLanguage
from vrnn_engine.runtime.sinks.ink.plotters.link import PlotterLink, StopRequested
from vrnn_engine.runtime.sinks.ink.plotters.open_serial import open_serial
from vrnn_engine.runtime.sinks.ink.plotters.profiles import PROFILES
from vrnn_engine.runtime.sinks.ink.plotters.progress import PlotProgress

Baud = Annotated[int, msgspec.Meta(ge=50, le=4_000_000)]
Flow = Literal["none", "xonxoff", "rtscts"]
Pages = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
OnlyGrbl = Annotated[
    Literal["grbl"],
    msgspec.Meta(description="grbl; for other machines write FILE.gcode, and send it with their own program"),
]


_POLL = 0.05  # seconds between two looks whether the player was stopped


class GrblOptions(GcodeOptions, frozen=True, kw_only=True):
    """Options of serial:PORT for a machine that runs Grbl."""

    format: Literal["gcode"]
    """Selects G-code."""
    dialect: OnlyGrbl = "grbl"
    pages: Pages = 1
    """Number of pages; after each, the paper is to be changed."""
    baud: Baud = 115200
    """Speed of the port in bits per second."""
    flow: Flow = "none"
    """Flow control."""
    timeout: Positive = 5.0
    """Seconds without an answer after which the machine counts as disconnected."""


class HpglPortOptions(HpglOptions, frozen=True, kw_only=True):
    """Options of serial:PORT for a plotter that reads HPGL."""

    format: Literal["hpgl"]
    """Selects HPGL."""
    pages: Pages = 1
    """Number of pages; after each, the paper is to be changed."""
    baud: Baud = 9600
    """Speed of the port in bits per second."""
    flow: Flow = "xonxoff"
    """Flow control; `xonxoff` and `rtscts` are set in the plotter as well, by escape sequences."""
    timeout: Positive = 60.0
    """Seconds for which the plotter may accept no data, while it draws the contents of its buffer."""


class SerialSink(PageSink):
    """Draws ink on a plotter at a serial port; `full` is set when the last page is full.

    Parameters
    ----------
    target : str
        `serial:PORT?format=gcode` or `serial:PORT?format=hpgl`; `GrblOptions` or `HpglPortOptions` may follow.
    latency : float
        Ignored.

    Attributes
    ----------
    progress : PlotProgress or None
        Set before `open` to keep how far the plot is.  Strokes that it says are drawn are not drawn again.

    Raises
    ------
    SinkError
        The port or the format is missing, or an option is wrong.
    """

    Options = GrblOptions | HpglPortOptions
    _options: GrblOptions | HpglPortOptions
    live = True
    patience = 60.0

    def __init__(self, target: str, latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._options = _read_options(self.label, given)
        self._stopped = threading.Event()
        self._port: Any = None
        self._drawing = False
        self._page = self._strokes = self._skipped = 0
        self._paper = threading.Event()
        self._more = True
        self.progress: PlotProgress | None = None

    def open(self, format: Format) -> None:
        """Open the port, wait for the plotter, and prepare it with the pen up.

        Parameters
        ----------
        format : Format
            Format of a pen voice.

        Raises
        ------
        SinkError
            The voice is not a pen voice, its page is too small, the port cannot be opened, or no machine answers.
        MissingExtraError
            pySerial is not installed.
        """
        format.require("pen", self.label)
        options = self._options
        self._layout = self.make_layout(format)
        port = self.label.partition(":")[2]
        self._port = open_serial(port, self.label, options.baud, options.flow, options.timeout)
        connection = self._port, self.label, options.timeout, self._stopped
        self._link: PlotterLink
        self._language: PlotterLanguage
        if isinstance(options, GrblOptions):
            self._link, self._language = GrblLink(*connection), Gcode(options, format.rate)
            self._seconds_per_point = 0.0  # the commands contain the drawing speed
        else:
            agreed = handshake(options.flow, PROFILES[options.plotter])
            buffer = PROFILES[options.plotter].buffer
            self._link, self._language = HpglLink(*connection, agreed, buffer), Hpgl(options, self.label)
            self._seconds_per_point = 1 / format.rate
        self._skipped = 0 if self.progress is None else self.progress.drawn
        self._link.start()
        self._link.finish(self._language.begin())
        self._drawing = True
        atexit.register(self._link.lift_pen_now, self._language.lift())  # in case Python ends while the pen is down

    def write(self, block: np.ndarray) -> None:
        """Add points, and draw the lines that they complete.

        Parameters
        ----------
        block : ndarray, float32, shape [points, 3]
            dx, dy, pen-up.

        Raises
        ------
        SinkError
            The plotter refused a command, stopped answering or was disconnected.
        """
        with contextlib.suppress(StopRequested):
            self._draw(self._layout.add(block))

    def close(self) -> None:
        """Draw the last line, unless the player was stopped; lift the pen, park it and close the port."""
        with contextlib.suppress(StopRequested):
            self._draw(self._layout.finish())
            self._link.finish([*self._language.lift(), *self._language.park()])
            self._drawing = False
            atexit.unregister(self._link.lift_pen_now)
            if self.progress is not None and not self._stopped.is_set():
                self.progress.finish()
        self.abort()

    def abort(self) -> None:
        """Stop at once, lift the pen, park it and close the port."""
        if self._drawing:
            self._drawing = False
            with contextlib.suppress(SinkError):  # a full disk; lifting the pen matters more
                self._save_progress()
            self._link.stop_and_park(self._language.lift(), self._language.park())
            atexit.unregister(self._link.lift_pen_now)
        if self._port is not None:
            self._port.close()

    def interrupt(self) -> None:
        """Make a `write` or `close` that is waiting for the plotter return soon."""
        self._stopped.set()

    @property
    def pending(self) -> int:  # type: ignore[override]  # read-only here
        """Number of points in the line that is not complete yet."""
        return self._layout.pending

    def next_page(self, more: bool = True) -> None:
        """Go on after the paper was changed, or end.  Any thread may call it while `waiting` is true.

        Parameters
        ----------
        more : bool
            Whether there is further paper.
        """
        if self.waiting:
            self._more = more
            self._paper.set()

    def _draw(self, lines: list[Line]) -> None:
        for line in lines:
            if self.full or not self._turn_to(line.page):
                self.full = True
                return
            for stroke in line.strokes:
                self._strokes += 1
                if self._strokes > self._skipped:
                    self._draw_stroke(stroke)

    def _draw_stroke(self, stroke: Stroke) -> None:
        if self._stopped.is_set():
            raise StopRequested
        self._link.send(self._language.draw(stroke))
        self._link.mark()
        self._stopped.wait(len(stroke) * self._seconds_per_point)
        self._save_progress()

    def _save_progress(self) -> None:
        if self.progress is not None:
            self.progress.save(self._skipped + self._link.marks_done)

    def _turn_to(self, page: int) -> bool:
        """Wait until the paper of a page is there; return whether there is any."""
        if page == self._page:
            return True
        if page >= self._options.pages:
            return False
        self._page = page
        if self._strokes < self._skipped:  # the page before was full when this plot was interrupted
            return True
        self._link.finish([*self._language.lift(), *self._language.park()])
        self._paper.clear()
        self.waiting = True
        while not self._paper.wait(_POLL):
            if self._stopped.is_set():
                self.waiting = False
                raise StopRequested
        self.waiting = False
        if self._more:
            self._link.send(self._language.take_pen())
        return self._more


def _read_options(label: str, given: dict[str, str]) -> GrblOptions | HpglPortOptions:
    if not label.partition(":")[2]:
        raise SinkError("serial: name the plotter's port, e.g. serial:/dev/ttyUSB0?format=gcode")
    match given.get("format"):
        case "gcode":
            return read_page_options(label, given, GrblOptions)
        case "hpgl":
            return read_page_options(label, given, HpglPortOptions)
    raise SinkError(f"{label}: name the plotter's language: {label}?format=gcode (Grbl) or ?format=hpgl")
