"""G-code for pen plotters, as Grbl reads it: millimetres, absolute positions, and commands of one's own for the pen."""

import math
from typing import Annotated, Literal

import msgspec

from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.page import A4, Point, Stroke
from vrnn_engine.runtime.sinks.ink.plot import Language, PlotFile
from vrnn_engine.runtime.sinks.options import Positive

LINE = 79
"""Letters that Grbl takes in a line."""
# Beyond plain letters Grbl acts on some bytes wherever they stand.
Commands = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[ -:<-~]{{0,{LINE}}}(;[ -:<-~]{{0,{LINE}}})*\Z",
        description=f"plain letters on one line, in commands of at most {LINE} with ; between them",
    ),
]


class GcodeOptions(A4, frozen=True, kw_only=True):
    """What may follow FILE.gcode."""

    down: Commands = "M3 S90"
    """What lowers the pen; several commands have `;` between them."""
    up: Commands = "M5"
    settle: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.15
    """Seconds that the pen takes to be down or up."""
    feed: Positive = 3000.0
    """Most mm/min while it draws; below that the pen is as fast as the voice's."""
    start: Commands = ""
    """What is sent first, e.g. `$H` to home the machine."""
    origin: Literal["bottom", "top"] = "bottom"
    """Which left corner of the page is X0 Y0; Y grows from there into the page."""


class Gcode:
    """Says what a pen does in G-code."""

    def __init__(self, options: GcodeOptions, rate: int) -> None:
        seconds = round(options.settle, 3)
        settle = [f"G4 P{seconds:g}"] if seconds else []  # from a thousandth on, :g writes no exponent
        self._start = _commands(options.start)
        self._down, self._up = [*_commands(options.down), *settle], [*_commands(options.up), *settle]
        self._feed, self._rate = options.feed, rate
        self._flip = options.height if options.origin == "bottom" else None

    def begin(self) -> list[str]:
        """Home the machine if that is asked for; metric, absolute, mm/min, pen up."""
        return [*self._start, "G21", "G90", "G94", *self._up]

    def draw(self, stroke: Stroke) -> list[str]:
        """Draw at the speed of the voice's own pen, as far as the machine may."""
        here = self._place(stroke[0])
        lines = [f"G0 X{here[0]:.2f} Y{here[1]:.2f}", *self._down]
        for point in stroke[1:]:
            there = self._place(point)
            if there != here:
                feed = min(math.dist(here, there) * self._rate * 60, self._feed)
                lines.append(f"G1 X{there[0]:.2f} Y{there[1]:.2f} F{max(feed, 1):.0f}")
            here = there
        return [*lines, *self._up]

    def next_page(self) -> list[str]:
        """Park, and wait until somebody has changed the paper and lets the machine go on."""
        return [*self.park(), "M0"]

    def lift(self) -> list[str]:
        """Lift the pen."""
        return self._up

    def park(self) -> list[str]:
        """Go to the origin."""
        return ["G0 X0 Y0"]

    def _place(self, point: Point) -> Point:
        x, y = point
        return round(x, 2), round(y if self._flip is None else self._flip - y, 2)


class GcodeSink(PlotFile):
    """Writes FILE.gcode."""

    Options = GcodeOptions
    _options: GcodeOptions

    def language(self, format: Format) -> Language:
        """Return G-code with these commands and speeds."""
        return Gcode(self._options, format.rate)


def _commands(text: str) -> list[str]:
    return [command.strip() for command in text.split(";") if command.strip()]
