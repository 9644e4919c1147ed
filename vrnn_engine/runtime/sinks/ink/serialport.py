"""`serial:PORT?format=gcode` or `hpgl`: a pen plotter that draws while the voice writes.

A line of writing is drawn when it is whole, and at the speed of the voice's own pen or that of the machine, whichever
is slower.  One page is drawn; then the pen is lifted and parked, as it is after an error.

Threads: as for every sink, and `interrupt` may be called from any.
"""

import atexit
import contextlib
import errno
import os
import threading
from types import ModuleType
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from vrnn_engine.base.extras import missing_extra
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.ink.gcode import Gcode, GcodeOptions
from vrnn_engine.runtime.sinks.ink.grbl import Grbl
from vrnn_engine.runtime.sinks.ink.hpgl import Hpgl, HpglOptions
from vrnn_engine.runtime.sinks.ink.link import Link, Stopped, Wire
from vrnn_engine.runtime.sinks.ink.page import Layout, Line
from vrnn_engine.runtime.sinks.ink.plot import Language
from vrnn_engine.runtime.sinks.options import Positive, read_options, split_target

_READ = 0.05  # seconds that a read waits

_WORDS = {errno.ENOTTY: "it is no serial port"}

Baud = Annotated[int, msgspec.Meta(ge=50, le=4_000_000)]
Flow = Literal["none", "xonxoff", "rtscts"]


class GrblOptions(GcodeOptions, frozen=True, kw_only=True):
    """What may follow serial:PORT for a Grbl machine."""

    format: Literal["gcode"]
    baud: Baud = 115200
    flow: Flow = "none"
    timeout: Positive = 5.0
    """Seconds without any answer after which the machine is taken for dead."""


class HpglPortOptions(HpglOptions, frozen=True, kw_only=True):
    """What may follow serial:PORT for a plotter that reads HPGL."""

    format: Literal["hpgl"]
    baud: Baud = 9600
    flow: Flow = "xonxoff"
    timeout: Positive = 60.0
    """Seconds that the plotter may keep us waiting while it draws what it has."""


class SerialSink(Sink):
    """Draws on a plotter at a serial port; `full` when the page is."""

    Options = GrblOptions | HpglPortOptions
    live = True
    patience = 60.0

    def __init__(self, target: str, latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self.full = False
        self._options = _options(self.label, given)
        self._stopped = threading.Event()
        self._port: Any = None
        self._drawing = False

    def open(self, format: Format) -> None:
        """Open the port, wait for the plotter and get it ready, its pen up."""
        format.require("pen", self.label)
        options = self._options
        self._layout = Layout(options, format, self.label)
        self._port = _open(self.label, options)
        connection = self._port, self.label, options.timeout, self._stopped
        self._link: Link
        self._language: Language
        if isinstance(options, GrblOptions):
            self._link, self._language = Grbl(*connection), Gcode(options, format.rate)
            self._pace = 0.0  # the machine is told how fast the pen is
        else:
            self._link, self._language = Wire(*connection), Hpgl(options)
            self._pace = 1 / format.rate
        self._link.start()
        self._link.finish(self._language.begin())
        self._drawing = True
        atexit.register(self._link.shout, self._language.lift())  # should Python end while the pen is down

    def write(self, block: np.ndarray) -> None:
        """Take points `[n, 3]`: dx, dy, pen-up; draw the lines that they complete."""
        with contextlib.suppress(Stopped):
            self._draw(self._layout.add(block))

    def close(self) -> None:
        """Draw the last line, unless somebody wants no more; lift the pen, park it and let go of the port."""
        with contextlib.suppress(Stopped):
            self._draw(self._layout.finish())
            self._link.finish([*self._language.lift(), *self._language.park()])
            self._drawing = False
            atexit.unregister(self._link.shout)
        self.abort()

    def abort(self) -> None:
        """Stop where it is, lift the pen, park it and let go of the port."""
        if self._drawing:
            self._drawing = False
            self._link.rescue(self._language.lift(), self._language.park())
            atexit.unregister(self._link.shout)
        if self._port is not None:
            self._port.close()

    def interrupt(self) -> None:
        """Let what waits in `write` or `close` come to its end."""
        self._stopped.set()

    @property
    def pending(self) -> int:  # type: ignore[override]
        """Points of the line that is not whole yet."""
        return self._layout.pending

    def _draw(self, lines: list[Line]) -> None:
        for line in lines:
            if line.page > 0:
                self.full = True
                return
            for stroke in line.strokes:
                if self._stopped.is_set():
                    raise Stopped
                self._link.send(self._language.draw(stroke))
                self._stopped.wait(len(stroke) * self._pace)


def _options(label: str, given: dict[str, str]) -> GrblOptions | HpglPortOptions:
    if not label.partition(":")[2]:
        raise SinkError("serial: name the port of the plotter, e.g. serial:/dev/ttyUSB0?format=gcode")
    match given.get("format"):
        case "gcode":
            return read_options(label, given, GrblOptions)
        case "hpgl":
            return read_options(label, given, HpglPortOptions)
    raise SinkError(f"{label}: say what the plotter understands: {label}?format=gcode (Grbl) or ?format=hpgl")


def _open(label: str, options: GrblOptions | HpglPortOptions) -> Any:
    """Open the port that a label ends with; raise `SinkError` that says why it cannot be, and which ports there are."""
    serial = _load_serial()
    try:
        return serial.serial_for_url(
            label.partition(":")[2],
            baudrate=options.baud,
            xonxoff=options.flow == "xonxoff",
            rtscts=options.flow == "rtscts",
            timeout=_READ,
            write_timeout=options.timeout,
            exclusive=True,
        )
    except (OSError, ValueError) as error:
        number = _reason(error)
        reason = _WORDS.get(number) or os.strerror(number) if number else str(error)
        if number == errno.EACCES:
            raise SinkError(f"cannot open {label}: {reason}; on Linux, join the group that owns it") from error
        from serial.tools.list_ports import comports

        there = ", ".join(port.device for port in comports()) or "none"
        raise SinkError(f"cannot open {label}: {reason} (serial ports here: {there})") from error


def _reason(error: Exception) -> int | None:
    """Return the number of a system's error; pySerial loses that of termios, which it came of."""
    numbers = [value for one in (error, error.__context__) for value in getattr(one, "args", ())[:1]]
    return next((number for number in numbers if isinstance(number, int)), None)


def _load_serial() -> ModuleType:
    try:
        import serial
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from error
    return serial
