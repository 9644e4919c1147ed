"""FILE.hpgl and FILE.plt: writes HPGL, with the origin near the lower left corner of the sheet."""

from typing import Annotated

import msgspec

from vrnn_engine.runtime.options import Positive
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.line_breaks import Point, Stroke
from vrnn_engine.runtime.sinks.ink.page import A4Options
from vrnn_engine.runtime.sinks.ink.plotters.language import PlotterLanguage
from vrnn_engine.runtime.sinks.ink.plotters.placement import LimitCheck, Placement, Rotation
from vrnn_engine.runtime.sinks.ink.plotters.plotfile import PlotFileSink
from vrnn_engine.runtime.sinks.ink.plotters.profiles import PROFILES, Bed, PlotterName
from vrnn_engine.runtime.sinks.ink.smooth import short_steps, straight_steps

_PROFILE_MARGIN = "15"
"""Default margin in mm for a named plotter; most plotters cannot reach the outer 14 mm of a sheet."""

Instructions = Annotated[
    str,
    msgspec.Meta(pattern=r"^[ -~\x1b]*\Z", description="printable ASCII on one line, and %1B for an escape character"),
]


class HpglOptions(A4Options, frozen=True, kw_only=True):
    """Options of FILE.hpgl and FILE.plt."""

    width: Positive = 270.0
    height: Positive = 190.0
    plotter: PlotterName = "generic"
    """Name of the plotter, which determines its unit, its origin on the paper and its limits."""
    rotate: Rotation = 0
    """Degrees by which the page is rotated counter-clockwise on the sheet."""
    pen: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    """Number of the plotter's pen that draws."""
    speed: Annotated[float, msgspec.Meta(gt=0, le=127)] | None = None
    """Drawing speed in cm/s; None: the plotter's default."""
    start: Instructions = ""
    """Instructions sent after `IN`, e.g. `FS3;` for the force of the pen."""

    @classmethod
    def with_defaults(cls, given: dict[str, str]) -> dict[str, str]:
        """Add defaults that depend on the given plotter, paper and rotation.

        Parameters
        ----------
        given : dict of str to str
            The options as written, by name.
        """
        added = {}
        upright = given.get("rotate") in ("90", "270")
        if given.get("plotter", "generic") != "generic":
            added = {"margin": _PROFILE_MARGIN}
            if {"paper", "width", "height"}.isdisjoint(given):
                added["paper"] = "a4"
        if {"width", "height"}.isdisjoint(given) and (upright or "paper" in given or "paper" in added):
            added["orientation"] = "portrait" if upright else "landscape"
        return {**added, **given}


class Hpgl:
    """HPGL, a `PlotterLanguage`.

    Parameters
    ----------
    options : HpglOptions
        Page, plotter and pen.
    label : str
        Name of the sink in warnings.
    """

    def __init__(self, options: HpglOptions, label: str) -> None:
        self._options = options
        profile, paper = PROFILES[options.plotter], options.paper or "a4"
        self._placement = Placement(options.width, options.height, options.rotate)
        self._limits = LimitCheck(self._placement, profile.limits(paper), label, f"{profile.title} on {paper}")
        self._unit, self._origin = profile.unit, profile.beds.get(paper, Bed((0, 0), (0, 0))).origin
        self._split, self._room = (short_steps if options.smooth else straight_steps), options.room

    def begin(self) -> list[str]:
        """Return the instructions that initialise the plotter, the start instructions, and those that select a pen."""
        start = [self._options.start] if self._options.start else []
        return ["IN;", *start, *self.take_pen()]

    def take_pen(self) -> list[str]:
        """Select the pen and its speed."""
        speed = [] if self._options.speed is None else [f"VS{self._options.speed:g};"]
        return [f"SP{self._options.pen};", *speed]

    def draw(self, stroke: Stroke) -> list[str]:
        """Return instructions that draw a stroke at the plotter's speed."""
        self._limits.check(stroke)
        steps = [point for part in self._split(stroke, self._room) for point in part]
        points = [self._convert(point) for point in [stroke[0], *steps]]
        distinct = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
        return [f"PU{distinct[0]};", f"PD{','.join(distinct[1:])};", "PU;"]

    def next_page(self) -> list[str]:
        """Return the instruction that feeds the next sheet."""
        return ["PG;"]

    def lift(self) -> list[str]:
        """Lift the pen."""
        return ["PU;"]

    def park(self) -> list[str]:
        """Move to the origin and put the pen away."""
        return ["PU0,0;", "SP0;"]

    def _convert(self, point: Point) -> str:
        right, up = self._placement.convert(point)
        return f"{round((right - self._origin[0]) / self._unit)},{round((up - self._origin[1]) / self._unit)}"


class HpglSink(PlotFileSink):
    """Writes FILE.hpgl or FILE.plt."""

    Options = HpglOptions
    _options: HpglOptions

    def language(self, format: Format) -> PlotterLanguage:
        """Return HPGL for the page, plotter and pen of the options."""
        return Hpgl(self._options, self.label)
