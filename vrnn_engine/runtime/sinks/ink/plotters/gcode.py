"""FILE.gcode: G-code for pen plotters that run Grbl: millimetres, absolute positions, configurable pen commands."""

import math
from typing import Annotated, Literal

import msgspec

from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.language import PlotterLanguage
from vrnn_engine.runtime.sinks.ink.line_breaks import Point, Stroke
from vrnn_engine.runtime.sinks.ink.page import A4Options
from vrnn_engine.runtime.sinks.ink.plotfile import PlotFileSink
from vrnn_engine.runtime.sinks.options import Positive

MAX_LINE_LENGTH = 79
"""Largest number of characters that Grbl accepts in a line."""
# Grbl acts on some characters outside printable ASCII, and on ! ? and ~, wherever they stand.
Commands = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[ -:<-~]{{0,{MAX_LINE_LENGTH}}}(;[ -:<-~]{{0,{MAX_LINE_LENGTH}}})*\Z",
        description=f"printable ASCII on one line, in commands of at most {MAX_LINE_LENGTH} characters separated by ;",
    ),
]


class GcodeOptions(A4Options, frozen=True, kw_only=True):
    """Options of FILE.gcode."""

    down: Commands = "M3 S90"
    """Commands that lower the pen, separated by `;`."""
    up: Commands = "M5"
    """Commands that lift the pen, separated by `;`."""
    settle: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.15
    """Seconds that the pen takes to move up or down."""
    feed: Positive = 3000.0
    """Highest drawing speed in mm/min; below it, the machine draws at the speed of the voice's pen."""
    start: Commands = ""
    """Commands sent first, e.g. `$H` to home the machine."""
    origin: Literal["bottom", "top"] = "bottom"
    """Left corner of the page that is X0 Y0.  From `bottom`, Y grows upwards; from `top`, downwards."""


class Gcode:
    """G-code, a `PlotterLanguage`.

    Parameters
    ----------
    options : GcodeOptions
        Page, pen commands and speeds.
    rate : int
        The voice's points per second.
    """

    def __init__(self, options: GcodeOptions, rate: int) -> None:
        seconds = round(options.settle, 3)
        settle = [f"G4 P{seconds:g}"] if seconds else []  # no exponent: :g writes none from 0.001 on
        self._start = _split_commands(options.start)
        self._down = [*_split_commands(options.down), *settle]
        self._up = [*_split_commands(options.up), *settle]
        self._feed, self._rate = options.feed, rate
        self._flip = options.height if options.origin == "bottom" else None

    def begin(self) -> list[str]:
        """Send the start commands, then set millimetres, absolute positions, mm/min, and the pen up."""
        return [*self._start, "G21", "G90", "G94", *self._up]

    def draw(self, stroke: Stroke) -> list[str]:
        """Draw a stroke at the speed of the voice's pen, limited by `feed`."""
        here = self._convert(stroke[0])
        lines = [f"G0 X{here[0]:.2f} Y{here[1]:.2f}", *self._down]
        for point in stroke[1:]:
            there = self._convert(point)
            if there != here:
                feed = min(math.dist(here, there) * self._rate * 60, self._feed)
                lines.append(f"G1 X{there[0]:.2f} Y{there[1]:.2f} F{max(feed, 1):.0f}")
            here = there
        return [*lines, *self._up]

    def next_page(self) -> list[str]:
        """Park, and pause until somebody has changed the paper and resumes the program."""
        return [*self.park(), "M0"]

    def lift(self) -> list[str]:
        """Lift the pen."""
        return self._up

    def park(self) -> list[str]:
        """Move to the origin."""
        return ["G0 X0 Y0"]

    def _convert(self, point: Point) -> Point:
        x, y = point
        return round(x, 2), round(y if self._flip is None else self._flip - y, 2)


class GcodeSink(PlotFileSink):
    """Writes FILE.gcode."""

    Options = GcodeOptions
    _options: GcodeOptions

    def language(self, format: Format) -> PlotterLanguage:
        """Return G-code for the page, pen commands and speeds of the options."""
        return Gcode(self._options, format.rate)


def _split_commands(text: str) -> list[str]:
    return [command.strip() for command in text.split(";") if command.strip()]
