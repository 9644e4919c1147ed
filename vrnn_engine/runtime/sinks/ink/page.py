"""From the moves of a pen to lines of writing on pages, in millimetres: what every sink for ink shares.

A line is placed when it is whole: only then is it known between which words it breaks, and how much room it needs
above and below.  Until then it is the `unfinished` one, whose place is a guess.
"""

import copy
import functools
import math
from statistics import median
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.options import Options, Positive, add_option

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "pt": 25.4 / 72.0, "px": 25.4 / 96.0}
"""Units that a pen voice may use, in millimetres."""
MOST = 4000
"""Points after which a line ends anyhow, so that a pen that stays where it is is drawn all the same."""

_ROUNDING = 1e-6

Point = tuple[float, float]
Stroke = list[Point]


class Sheet(Options, frozen=True, kw_only=True):
    """A page, in mm."""

    width: Positive = 180.0
    height: Positive | None = None
    """None: endless."""
    margin: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 12.0
    """Blank border on every side."""
    pitch: Positive = 11.0
    """Least distance between two baselines; lines that are higher get more."""
    scale: Positive | None = None
    """Of one of the voice's units; None where that is a length."""


class A4(Sheet, frozen=True, kw_only=True):
    """A page of paper: upright A4, unless said otherwise."""

    width: Positive = 210.0
    height: Positive = 297.0


class Line(NamedTuple):
    """A line of writing at its place."""

    page: int
    """Counted from 0."""
    strokes: list[Stroke]
    """Where the pen is down, in mm from the page's upper left corner; y grows downwards.  A dot is a single point."""
    bottom: float
    """Where the lowest ink is."""


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def around(self, other: "_Box") -> "_Box":
        return _Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


_NOTHING = _Box(math.inf, math.inf, -math.inf, -math.inf)


class _Piece(NamedTuple):
    """A stroke where the voice put it."""

    points: Stroke
    box: _Box


class Layout:
    """Turns points into lines on pages.

    Nothing is drawn outside the margins: a stroke larger than the page is cut there.

    Parameters
    ----------
    sheet
        The page.
    format
        What the voice makes.
    target
        What to call the sink in messages.

    Raises
    ------
    SinkError
        The page is too small for a line, or the voice's unit has no known size and none is given.
    """

    def __init__(self, sheet: Sheet, format: Format, target: str) -> None:
        scale = sheet.scale or MILLIMETRES.get(format.unit)
        if scale is None:
            raise SinkError(
                f"cannot draw {target}: voice {format.name!r} counts in {format.unit!r}, whose size is unknown; "
                f"say how many mm one is, e.g. {add_option(target, 'scale', 0.01)}"
            )
        height = math.inf if sheet.height is None else sheet.height
        self._room_x, self._room_y = sheet.width - 2 * sheet.margin, height - 2 * sheet.margin
        if self._room_x < 2 * sheet.pitch or self._room_y < sheet.pitch:
            size = f"{sheet.width:g} mm wide" if sheet.height is None else f"{sheet.width:g} x {sheet.height:g} mm"
            raise SinkError(
                f"{target}: a page {size} with margins of {sheet.margin:g} mm has no room for lines "
                f"{sheet.pitch:g} mm apart; give a larger width or height, or a smaller margin or pitch"
            )
        self._scale = scale
        self._name = format.name
        self._margin, self._pitch, self._gap = sheet.margin, sheet.pitch, 0.15 * sheet.pitch
        self._floor = height - sheet.margin
        self._page = 0
        self._baseline, self._bottom = -math.inf, sheet.margin - self._gap
        self._x = self._y = 0.0
        self._stroke: Stroke = []
        self._box = _NOTHING
        self._line: list[_Piece] = []
        self._line_box, self._line_points = _NOTHING, 0
        self._done: list[Line] = []

    def add(self, block: np.ndarray) -> list[Line]:
        """Take points `[n, 3]` (dx, dy, pen-up); return the lines that they complete."""
        if not np.isfinite(block).all():
            raise SinkError(
                f"voice {self._name!r} has run away: its pen is nowhere; give smaller temperatures or shifts"
            )
        for dx, dy, pen_up in block.tolist():
            self._x += dx * self._scale
            self._y += dy * self._scale
            self._move((self._x, self._y))
            if pen_up > 0.5:
                self._lift()
        done, self._done = self._done, []
        return done

    def finish(self) -> list[Line]:
        """Return the lines that are left."""
        self._lift()
        self._end_line(len(self._line))
        done, self._done = self._done, []
        return done

    @property
    def pending(self) -> int:
        """Points that are in no line yet."""
        return self._line_points + len(self._stroke)

    def unfinished(self) -> list[Line]:
        """Return what `finish` would, and go on as if nobody had asked."""
        twin = copy.copy(self)
        twin._stroke, twin._line, twin._done = list(self._stroke), list(self._line), []
        return twin.finish()

    def _move(self, point: Point) -> None:
        x, y = point
        box = self._box.around(_Box(x, y, x, y))
        if self._stroke and (not self._fits(box) or len(self._stroke) >= MOST):
            start = self._stroke[-1]
            self._lift()
            box = _Box(x, y, x, y)
            joined = box.around(_Box(*start, *start))
            if self._fits(joined):  # else a leap wider than the page, which nothing can draw
                self._stroke, box = [start], joined
        self._stroke.append(point)
        self._box = box

    def _fits(self, box: _Box) -> bool:
        return box.right - box.left <= self._room_x and box.bottom - box.top <= self._room_y

    def _lift(self) -> None:
        """End a stroke; start a new line where the pen went back for one, or the line is past the right margin."""
        if not self._stroke:
            return
        piece = _Piece(self._stroke, self._box)
        self._stroke, self._box = [], _NOTHING
        if self._line and self._begins_line(piece):
            self._end_line(len(self._line))
        self._line.append(piece)
        self._measure([piece])
        while self._line_box.right - self._line_box.left > self._room_x:
            self._end_line(_word_start(self._line, self._line_box.left + 0.7 * self._room_x))

    def _begins_line(self, piece: _Piece) -> bool:
        box = self._line_box.around(piece.box)
        tall = box.bottom - box.top > self._room_y
        long = self._line_points + len(piece.points) > MOST
        return tall or long or _goes_back(self._line[-1], piece, self._pitch)

    def _measure(self, pieces: list[_Piece]) -> None:
        """Add pieces to the size of the line."""
        for piece in pieces:
            self._line_box = self._line_box.around(piece.box)
            self._line_points += len(piece.points)

    def _end_line(self, count: int) -> None:
        """Place the first pieces of the line as a line of their own."""
        pieces, self._line = self._line[:count], self._line[count:]
        self._line_box, self._line_points = _NOTHING, 0
        self._measure(self._line)
        if not pieces:
            return
        box = functools.reduce(_Box.around, (piece.box for piece in pieces))
        # Generated ink drifts up or down; each line starts afresh at its own height, by its median.
        middle = median(y for piece in pieces for _, y in piece.points)
        above, below = middle - box.top, box.bottom - middle
        baseline = max(self._baseline + self._pitch, self._bottom + self._gap + above)
        if baseline + below > self._floor + _ROUNDING:
            self._page += 1
            baseline = self._margin + above
        self._baseline, self._bottom = baseline, baseline + below
        right, down = self._margin - box.left, baseline - middle
        strokes = [[(x + right, y + down) for x, y in piece.points] for piece in pieces]
        self._done.append(Line(self._page, strokes, self._bottom))


def _goes_back(before: _Piece, piece: _Piece, pitch: float) -> bool:
    """Whether the pen went back to begin a line, as voices do that learned from writing of several lines.

    Far to the left it did; less far, if it also went down (a dot or a bar set afterwards is above).
    """
    back = before.points[-1][0] - piece.points[0][0]
    below = piece.box.top > median(y for _, y in before.points)
    return back > 5 * pitch or (back > 1.75 * pitch and below)


def _word_start(line: list[_Piece], near_end: float) -> int:
    """Return the index of the stroke that begins the next line: after the widest gap right of `near_end`."""
    best, widest, right = max(len(line) - 1, 1), -math.inf, -math.inf
    for index, piece in enumerate(line):
        # A stroke that goes back over earlier ink (the dot of an i) has a negative gap: never a word's start.
        gap = piece.box.left - right
        if index > 0 and right >= near_end and gap >= widest:
            best, widest = index, gap
        right = max(right, piece.box.right)
    return best
