"""Maps a page to the sheet on a plotter, with a rotation, and checks how far the pen reaches."""

import logging
from typing import Literal

from vrnn_engine.runtime.sinks.ink.line_breaks import Box, Point, Stroke

_log = logging.getLogger("vrnn_engine")

Rotation = Literal[0, 90, 180, 270]


class Placement:
    """Maps a page (origin at the upper left, y downwards) to a sheet (origin at the lower left, y upwards).

    Parameters
    ----------
    width, height : float
        Size of the page in mm.
    rotation : {0, 90, 180, 270}
        Degrees by which the page is rotated counter-clockwise.
    downwards : bool
        Whether the sheet's origin is its upper left corner as well, with y downwards.
    """

    def __init__(self, width: float, height: float, rotation: Rotation, downwards: bool = False) -> None:
        self._width, self._height, self._rotation = width, height, rotation
        self._sheet_height = width if rotation in (90, 270) else height
        self._downwards = downwards

    def convert(self, point: Point) -> Point:
        """Return a point of the page as a point of the sheet.

        Parameters
        ----------
        point : (float, float)
            Coordinates on the page in mm.
        """
        right, up = point[0], self._height - point[1]
        match self._rotation:
            case 90:
                right, up = self._height - up, right
            case 180:
                right, up = self._width - right, self._height - up
            case 270:
                right, up = up, self._width - right
        return right, self._sheet_height - up if self._downwards else up


class LimitCheck:
    """Warns once if a stroke leaves the area that a plotter reaches.

    Parameters
    ----------
    placement : Placement
        Maps the page to the sheet.
    limits : Box or None
        Area that the plotter reaches, in mm of the sheet with y upwards; `top` is the smaller y.  None: unknown.
    label : str
        Name of the sink in the warning.
    plotter : str
        Name of the plotter and its paper in the warning.
    """

    def __init__(self, placement: Placement, limits: Box | None, label: str, plotter: str) -> None:
        self._placement, self._limits = placement, limits
        self._label, self._plotter = label, plotter

    def check(self, stroke: Stroke) -> None:
        """Warn if this is the first stroke that the plotter would cut off.

        Parameters
        ----------
        stroke : list of (float, float)
            Points in mm on the page.
        """
        limits = self._limits
        if limits is None:
            return
        for x, y in map(self._placement.convert, stroke):
            if not (limits.left <= x <= limits.right and limits.top <= y <= limits.bottom):
                _log.warning(
                    "%s: ink at %.0f mm from the left and %.0f mm from the bottom of the sheet is cut off: %s reaches "
                    "%.0f to %.0f mm and %.0f to %.0f mm; give a larger margin, or a smaller width or height",
                    *(self._label, x, y, self._plotter),
                    *(limits.left, limits.right, limits.top, limits.bottom),
                )
                self._limits = None
                return
