"""Animation of a page: each stroke is drawn in the order and at the speed in which it was written.

It is a style sheet of the SVG file.  Programs without animations show the complete page.
"""

from typing import NamedTuple

STYLE = (
    "<style>\n"
    "path{animation:write linear backwards}\n"
    # The gap is longer than the dash, because round ends of a dash at the end of a path would be visible.
    "@keyframes write{from{stroke-dasharray:1 1.1;stroke-dashoffset:1.05}"
    "to{stroke-dasharray:1 1.1;stroke-dashoffset:0}}\n"
    "@media(prefers-reduced-motion:reduce){path{animation:none}}\n"
    "</style>\n"
)
"""Hides each stroke until its time, then draws it from its first point to its last."""


class Timing(NamedTuple):
    """When strokes are drawn.

    Attributes
    ----------
    points_per_second : float
        Points of a stroke that are drawn in a second.
    drawn : int
        Points of all strokes before.
    """

    points_per_second: float
    drawn: int = 0

    def after(self, points: int) -> "Timing":
        """Return the timing after a stroke with this number of points."""
        return self._replace(drawn=self.drawn + points)

    def attributes(self, points: int) -> str:
        """Return the attributes of the path of the next stroke.

        Parameters
        ----------
        points : int
            Number of its points.
        """
        begin, length = self.drawn / self.points_per_second, points / self.points_per_second
        return f' pathLength="1" style="animation-delay:{begin:.2f}s;animation-duration:{length:.2f}s"'
