"""Places lines of writing on pages, in millimetres; all sinks for ink share this layout.

A line is placed when it is complete, because only then its break and the room that it needs above and below its
baseline are known.  Until then its place is an estimate (`Layout.unfinished`).
"""

import functools
import math
from statistics import median
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np

from vrnn_engine.base.strokes import MILLIMETRES
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import Options, Positive, add_option
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.line_breaks import Box, LineBreaker, Stroke, WrittenLine

PAPERS = {
    "a2": (420.0, 594.0),
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
}
"""Sizes of paper by name: width and height in mm of an upright sheet."""

_ROUNDING = 1e-6
_PITCH = 11.0  # default distance of two baselines in mm, of a voice that has none of its own
_X_HEIGHT = 0.21
"""Height of an x in line heights of a voice that writes a text: its median over the lines of UNIPEN."""
_OVERHANG = 0.25
"""Line heights that are kept free of text in each line, for ink left of the line's first point."""
_TOO_WIDE = 1.1
"""A line of a text that is wider than the page by up to this factor, as its ink overhangs, is shrunk and not broken."""

Align = Literal["left", "center", "right"]
Paper = Literal["a2", "a3", "a4", "a5", "a6", "letter", "legal", "tabloid"]


_INDENTS: dict[Align, float] = {"left": 0.0, "center": 0.5, "right": 1.0}


class PageOptions(Options, frozen=True, kw_only=True):
    """Options of a page; lengths in mm."""

    width: Positive = 180.0
    """Width of the page."""
    height: Positive | None = None
    """Height of the page; None: the page grows without end."""
    paper: Paper | None = None
    """Name of an upright size of paper, instead of width and height."""
    orientation: Literal["portrait", "landscape"] | None = None
    """`portrait`: the long side is vertical; `landscape`: it is horizontal; None: as given by width and height."""
    smooth: bool = True
    """Whether a stroke is a smooth curve through its points, instead of straight lines."""
    margin: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 12.0
    """Blank border on every side."""
    align: Align = "left"
    """Margin at which the lines begin or end, or `center`."""
    pitch: Positive | None = None
    """Smallest distance between two baselines; taller lines get more room.  None: the line height of a voice that
    writes a text, at the size of its ink; 11 for other voices."""
    scale: Positive | None = None
    """Size of the voice's unit in mm; not needed if that is a unit of length."""
    size: Positive | None = None
    """Height of a letter x in a usual hand, for a voice that writes a text, instead of `scale`."""

    @classmethod
    def with_defaults(cls, given: dict[str, str]) -> dict[str, str]:
        """Add defaults that depend on the given options; this base class adds none.

        Parameters
        ----------
        given : dict of str to str
            The options as written, by name.
        """
        return given

    @property
    def room(self) -> Box:
        """The page within its margins, in mm from its upper left corner."""
        height = math.inf if self.height is None else self.height
        return Box(self.margin, self.margin, self.width - self.margin, height - self.margin)


class A4Options(PageOptions, frozen=True, kw_only=True):
    """Options of a page with a fixed height; upright A4 by default."""

    width: Positive = 210.0
    height: Positive = 297.0


class Line(NamedTuple):
    """A line of writing in its place on a page.

    Attributes
    ----------
    page : int
        Index of the page, from 0.
    strokes : list of list of (float, float)
        The strokes in mm from the page's upper left corner; y grows downwards.  A dot is a single point.
    bottom : float
        Lower edge of the ink in mm.
    """

    page: int
    strokes: list[Stroke]
    bottom: float


class _Position(NamedTuple):
    """Where the last line was placed."""

    page: int
    baseline: float
    bottom: float


class Layout:
    """Arranges the points of a pen voice in lines on pages.

    All ink is inside the margins; a stroke larger than the page is cut.

    Parameters
    ----------
    options : PageOptions
        The page.
    format : Format
        Format of the points.
    target : str
        Name of the sink in messages.

    Attributes
    ----------
    lines : int
        Number of lines placed so far.
    line_width : float
        Width that a line of a text may have, in the voice's unit.

    Raises
    ------
    SinkError
        The page is too small for a line, or the voice's unit is not a unit of length and `scale` is not given.
    """

    def __init__(self, options: PageOptions, format: Format, target: str) -> None:
        scale = _scale(options, format, target)
        line_height = None if format.line_height is None else format.line_height * scale
        pitch = options.pitch or line_height or _PITCH
        height = math.inf if options.height is None else options.height
        width, writable_height = options.width - 2 * options.margin, height - 2 * options.margin
        if width < 2 * pitch or writable_height < pitch:
            size = f"{options.width:g} mm wide"
            if options.height is not None:
                size = f"{options.width:g} x {options.height:g} mm"
            raise SinkError(
                f"{target}: a page {size} with margins of {options.margin:g} mm has no room for lines "
                f"{pitch:g} mm apart; give a larger width or height, or a smaller margin or pitch"
            )
        self._scale = scale
        self._name = format.name
        self._margin, self._pitch, self._gap = options.margin, pitch, 0.15 * pitch
        self._width, self._indent = width, _INDENTS[options.align]
        self._lower_edge = height - options.margin
        widest = width if line_height is None else _TOO_WIDE * width
        self._breaker = LineBreaker(widest, writable_height, pitch, line_height)
        self._position = _Position(0, -math.inf, options.margin - self._gap)
        self.lines = 0
        self.line_width = (width - _OVERHANG * (line_height or 0.0)) / scale

    def add(self, block: np.ndarray) -> list[Line]:
        """Add points.

        Parameters
        ----------
        block : ndarray, float32, shape [points, 3]
            dx, dy in the voice's unit; pen-up.

        Returns
        -------
        list of Line
            The lines that these points complete.

        Raises
        ------
        SinkError
            A value is not finite.
        """
        if not np.isfinite(block).all():
            raise SinkError(
                f"voice {self._name!r} has diverged: a pen position is not finite; give smaller temperatures or shifts"
            )
        for dx, dy, pen_up in block.tolist():
            self._breaker.move(dx * self._scale, dy * self._scale, pen_up > 0.5)
        return self._place_all(self._breaker.take_complete())

    def finish(self) -> list[Line]:
        """Return the remaining lines."""
        return self._place_all(self._breaker.finish())

    @property
    def pages(self) -> int:
        """Number of pages that have lines."""
        return self._position.page + 1 if self.lines else 0

    @property
    def pending(self) -> int:
        """Number of points that are not in a placed line yet."""
        return self._breaker.pending

    def unfinished(self) -> list[Line]:
        """Return the lines that `finish` would return, without changing the layout."""
        lines, position = [], self._position
        for written in self._breaker.copy().finish():
            line, position = self._place(written, position)
            lines.append(line)
        return lines

    def _place_all(self, lines: list[WrittenLine]) -> list[Line]:
        placed = []
        for written in lines:
            line, self._position = self._place(written, self._position)
            placed.append(line)
        self.lines += len(placed)
        return placed

    def _place(self, written: WrittenLine, after: _Position) -> tuple[Line, _Position]:
        """Place a line below the last one, or on a new page."""
        strokes = written.strokes
        box = functools.reduce(Box.union, (stroke.box for stroke in strokes))
        # Generated ink drifts up or down, so each line is aligned by its own median height.
        middle = median(y for stroke in strokes for _, y in stroke.points)
        size = min(self._width / box.width, 1.0) if box.width else 1.0
        above, below = size * (middle - box.top), size * (box.bottom - middle)
        page, baseline = after.page, max(after.baseline + self._pitch, after.bottom + self._gap + above)
        baseline += written.blank * self._pitch
        if baseline + below > self._lower_edge + _ROUNDING:
            page, baseline = page + 1, self._margin + above
        bottom = baseline + below
        right = self._margin - size * box.left + self._indent * (self._width - size * box.width)
        down = baseline - size * middle
        placed = [[(size * x + right, size * y + down) for x, y in stroke.points] for stroke in strokes]
        return Line(page, placed, bottom), _Position(page, baseline, bottom)


def _scale(options: PageOptions, format: Format, target: str) -> float:
    """Return the size of the voice's unit on the page, in mm."""
    if options.size is not None:
        if options.scale is not None:
            raise SinkError(f"{target}: give either a size or a scale")
        if format.line_height is None:
            raise SinkError(
                f"{target}: voice {format.name!r} writes no text, so it has no height of an x; give a scale, "
                "or set the voice's control style.size"
            )
        return options.size / (_X_HEIGHT * format.line_height)
    scale = options.scale or MILLIMETRES.get(format.unit)
    if scale is None:
        raise SinkError(
            f"cannot draw {target}: the unit of voice {format.name!r} is {format.unit!r}, whose size is unknown; "
            f"give its size in mm, e.g. {add_option(target, 'scale', 0.01)}"
        )
    return scale
