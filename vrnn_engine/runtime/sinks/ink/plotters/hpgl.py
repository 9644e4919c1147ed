"""FILE.hpgl: HPGL, with 40 units to a millimetre and the origin in the lower left corner of the page."""

from typing import Annotated

import msgspec

from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.language import PlotterLanguage
from vrnn_engine.runtime.sinks.ink.line_breaks import Point, Stroke
from vrnn_engine.runtime.sinks.ink.page import A4Options
from vrnn_engine.runtime.sinks.ink.plotfile import PlotFileSink

UNITS_PER_MM = 40
"""HPGL plotter units in a millimetre."""


class HpglOptions(A4Options, frozen=True, kw_only=True):
    """Options of FILE.hpgl."""

    pen: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    """Number of the plotter's pen that draws."""


class Hpgl:
    """HPGL, a `PlotterLanguage`.

    Parameters
    ----------
    options : HpglOptions
        Page and pen.
    """

    def __init__(self, options: HpglOptions) -> None:
        self._pen, self._height = options.pen, options.height

    def begin(self) -> list[str]:
        """Initialise the plotter and select the pen; it is up."""
        return ["IN;", f"SP{self._pen};"]

    def draw(self, stroke: Stroke) -> list[str]:
        """Draw a stroke at the plotter's own speed."""
        points = [self._convert(point) for point in stroke]
        distinct = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
        return [f"PU{distinct[0]};", f"PD{','.join(distinct[1:])};", "PU;"]

    def next_page(self) -> list[str]:
        """Let the plotter feed the next sheet."""
        return ["PG;"]

    def lift(self) -> list[str]:
        """Lift the pen."""
        return ["PU;"]

    def park(self) -> list[str]:
        """Move to the origin and put the pen away."""
        return ["PU0,0;", "SP0;"]

    def _convert(self, point: Point) -> str:
        return f"{round(point[0] * UNITS_PER_MM)},{round((self._height - point[1]) * UNITS_PER_MM)}"


class HpglSink(PlotFileSink):
    """Writes FILE.hpgl."""

    Options = HpglOptions
    _options: HpglOptions

    def language(self, format: Format) -> PlotterLanguage:
        """Return HPGL for the page and the pen of the options."""
        return Hpgl(self._options)
