"""FILE.gcode and FILE.nc: writes G-code for pen plotters, in millimetres and absolute positions."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from vrnn_engine.runtime.options import Positive
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.line_breaks import Point, Stroke
from vrnn_engine.runtime.sinks.ink.page import A4Options
from vrnn_engine.runtime.sinks.ink.plotters.language import PlotterLanguage
from vrnn_engine.runtime.sinks.ink.plotters.placement import Placement, Rotation
from vrnn_engine.runtime.sinks.ink.plotters.plotfile import PlotFileSink
from vrnn_engine.runtime.sinks.ink.smooth import short_steps, straight_steps

MAX_LINE_LENGTH = 79
"""Largest number of characters that Grbl accepts in a line."""
# Grbl acts at once on some characters outside printable ASCII, and on ! ? and ~, anywhere in a line.
Commands = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[ -:<-~]{{0,{MAX_LINE_LENGTH}}}(;[ -:<-~]{{0,{MAX_LINE_LENGTH}}})*\Z",
        description=f"printable ASCII on one line, in commands of at most {MAX_LINE_LENGTH} characters separated by ;",
    ),
]


Dialect = Literal["grbl", "marlin", "klipper"]


@dataclass(frozen=True)
class _Words:
    """Commands of a dialect, which is the language of one kind of machine firmware.

    Parameters
    ----------
    down, up : str
        Commands that move the pen, unless the options name others.
    setup : tuple of str
        Commands that set millimetres and absolute positions, and mm/min if the firmware needs that.
    pause : str
        Command that waits until the user resumes.
    dwell : callable
        Returns the command that waits for a number of seconds.
    sync : tuple of str
        Commands that wait until all moves are done, before commands that would otherwise overtake them.
    travels_at_feed : bool
        Whether G0 moves at the last feed rate F, so that each G0 must set its own.
    """

    down: str
    up: str
    setup: tuple[str, ...]
    pause: str
    dwell: Callable[[float], str]
    sync: tuple[str, ...] = ()
    travels_at_feed: bool = True


def _dwell_milliseconds(seconds: float) -> str:
    return f"G4 P{max(round(1000 * seconds), 1)}"


_DIALECTS: dict[Dialect, _Words] = {
    "grbl": _Words("M3 S90", "M5", ("G21", "G90", "G94"), "M0", lambda s: f"G4 P{s:g}", travels_at_feed=False),
    "marlin": _Words("M280 P0 S90", "M280 P0 S0", ("G21", "G90"), "M0", _dwell_milliseconds, ("M400",)),
    "klipper": _Words(
        "SET_SERVO SERVO=pen ANGLE=90", "SET_SERVO SERVO=pen ANGLE=0", ("G21", "G90"), "PAUSE", _dwell_milliseconds
    ),
}


class GcodeOptions(A4Options, frozen=True, kw_only=True):
    """Options of FILE.gcode and FILE.nc."""

    dialect: Dialect = "grbl"
    """The firmware of the machine."""
    down: Commands | None = None
    """Commands that lower the pen, separated by `;`; None: the dialect's commands."""
    up: Commands | None = None
    """Commands that lift the pen, separated by `;`; None: the dialect's commands."""
    settle: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.15
    """Seconds that the pen takes to move up or down."""
    feed: Positive = 3000.0
    """Largest drawing speed in mm/min; slower strokes are drawn at the speed of the voice's pen."""
    start: Commands = ""
    """Commands sent first, e.g. `$H` to home the machine."""
    origin: Literal["bottom", "top"] = "bottom"
    """Left corner of the page at X0 Y0.  With `bottom`, Y grows upwards; with `top`, downwards."""
    rotate: Rotation = 0
    """Degrees by which the page is rotated counter-clockwise on the machine."""


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
        words = _DIALECTS[options.dialect]
        wait = round(options.settle, 3)  # :g writes no exponent from 0.001 on
        settle = [words.dwell(wait)] if wait else []
        self._start = _split_commands(options.start)
        down, up = (
            (words.down if options.down is None else options.down),
            words.up if options.up is None else options.up,
        )
        self._down = [*words.sync, *_split_commands(down), *settle]
        self._up = [*words.sync, *_split_commands(up), *settle]
        self._words, self._feed, self._rate = words, options.feed, rate
        self._travel = f" F{options.feed:.0f}" if words.travels_at_feed else ""
        self._placement = Placement(options.width, options.height, options.rotate, options.origin == "top")
        self._split, self._room = (short_steps if options.smooth else straight_steps), options.room

    def begin(self) -> list[str]:
        """Return the start commands, the commands that set units and absolute positions, and the pen-up commands."""
        return [*self._start, *self._words.setup, *self._up]

    def draw(self, stroke: Stroke) -> list[str]:
        """Draw a stroke at the speed of the voice's pen, limited by `feed`."""
        here = self._convert(stroke[0])
        lines = [f"G0 X{here[0]:.2f} Y{here[1]:.2f}{self._travel}", *self._down]
        for steps in self._split(stroke, self._room):
            moves = []
            for point in steps:
                there = self._convert(point)
                if there != here:
                    moves.append((there, math.dist(here, there)))
                here = there
            feed = min(sum(length for _, length in moves) * self._rate * 60, self._feed)
            lines += [f"G1 X{x:.2f} Y{y:.2f} F{max(feed, 1):.0f}" for (x, y), _ in moves]
        return [*lines, *self._up]

    def next_page(self) -> list[str]:
        """Return commands that park, and pause until the user has changed the paper and resumes."""
        return [*self.park(), self._words.pause]

    def take_pen(self) -> list[str]:
        """Do nothing: the pen is where it was."""
        return []

    def lift(self) -> list[str]:
        """Lift the pen."""
        return self._up

    def park(self) -> list[str]:
        """Move to the origin."""
        return [f"G0 X0 Y0{self._travel}"]

    def _convert(self, point: Point) -> Point:
        x, y = self._placement.convert(point)
        return round(x, 2), round(y, 2)


class GcodeSink(PlotFileSink):
    """Writes FILE.gcode or FILE.nc."""

    Options = GcodeOptions
    _options: GcodeOptions

    def language(self, format: Format) -> PlotterLanguage:
        """Return G-code for the page, pen commands and speeds of the options."""
        return Gcode(self._options, format.rate)


def _split_commands(text: str) -> list[str]:
    return [command.strip() for command in text.split(";") if command.strip()]
