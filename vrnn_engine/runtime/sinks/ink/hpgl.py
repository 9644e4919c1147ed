"""HPGL: 40 units to a millimetre, the origin in the lower left corner of the page."""

from typing import Annotated

import msgspec

from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.page import A4, Point, Stroke
from vrnn_engine.runtime.sinks.ink.plot import Language, PlotFile

UNITS = 40
"""HPGL's units in a millimetre."""


class HpglOptions(A4, frozen=True, kw_only=True):
    """What may follow FILE.hpgl."""

    pen: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    """Which of the plotter's pens draws."""


class Hpgl:
    """Says what a pen does in HPGL."""

    def __init__(self, options: HpglOptions) -> None:
        self._pen, self._height = options.pen, options.height

    def begin(self) -> list[str]:
        """Take the pen; it is up."""
        return ["IN;", f"SP{self._pen};"]

    def draw(self, stroke: Stroke) -> list[str]:
        """Draw at the plotter's own speed."""
        points = [self._place(point) for point in stroke]
        kept = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
        return [f"PU{kept[0]};", f"PD{','.join(kept[1:])};", "PU;"]

    def next_page(self) -> list[str]:
        """Let the plotter feed the next sheet."""
        return ["PG;"]

    def lift(self) -> list[str]:
        """Lift the pen."""
        return ["PU;"]

    def park(self) -> list[str]:
        """Go to the origin and put the pen away."""
        return ["PU0,0;", "SP0;"]

    def _place(self, point: Point) -> str:
        return f"{round(point[0] * UNITS)},{round((self._height - point[1]) * UNITS)}"


class HpglSink(PlotFile):
    """Writes FILE.hpgl."""

    Options = HpglOptions
    _options: HpglOptions

    def language(self, format: Format) -> Language:
        """Return HPGL for this page and pen."""
        return Hpgl(self._options)
