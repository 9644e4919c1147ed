"""Groups the moves of a pen into strokes, and strokes into lines of writing.

A line ends where the pen goes back to begin the next one, or before the word that does not fit the width.  A voice that
writes a text moves the pen down by its line height, once for each line that ends; where it waits for more text, it
repeats a point with the pen up, which is no ink.
"""

import math
from dataclasses import dataclass, field, replace
from statistics import median
from typing import NamedTuple

MAX_LINE_POINTS = 4000
"""Largest number of points in a line, so that the strokes of a pen that never advances are drawn too."""

Point = tuple[float, float]
Stroke = list[Point]


class Box(NamedTuple):
    """A bounding box in mm; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Horizontal extent in mm."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Vertical extent in mm."""
        return self.bottom - self.top

    def union(self, other: "Box") -> "Box":
        """Return the smallest box that contains both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


EMPTY_BOX = Box(math.inf, math.inf, -math.inf, -math.inf)


class BoxedStroke(NamedTuple):
    """A stroke in the voice's own coordinates, in mm, with its bounding box."""

    points: Stroke
    box: Box


class WrittenLine(NamedTuple):
    """A complete line of writing.

    Attributes
    ----------
    strokes : list of BoxedStroke
        The strokes in the order of writing.
    blank : int
        Number of empty lines above it.
    """

    strokes: list[BoxedStroke]
    blank: int


@dataclass
class LineBreaker:
    """Groups points into strokes and strokes into lines; a stroke larger than a page is cut.

    Parameters
    ----------
    width, height : float
        Largest extent of a line in mm.
    pitch : float
        Distance between baselines in mm; determines how long a move back must be to begin a new line.
    line_height : float, optional
        Distance in mm that a voice moves down at the end of a line of its text.  None: the voice writes no text.
    """

    width: float
    height: float
    pitch: float
    line_height: float | None = None
    position: Point = (0.0, 0.0)
    stroke: Stroke = field(default_factory=list)
    stroke_box: Box = EMPTY_BOX
    line: list[BoxedStroke] = field(default_factory=list)
    line_box: Box = EMPTY_BOX
    line_points: int = 0
    line_sum: float = 0.0  # of the points' y
    blank: int = 0  # empty lines above the current line
    complete: list[WrittenLine] = field(default_factory=list)

    @property
    def pending(self) -> int:
        """Number of points that are not in a complete line yet."""
        return self.line_points + len(self.stroke)

    def copy(self) -> "LineBreaker":
        """Return an independent copy."""
        return replace(self, stroke=list(self.stroke), line=list(self.line), complete=list(self.complete))

    def move(self, dx: float, dy: float, pen_up: bool) -> None:
        """Move the pen, and lift it afterwards if `pen_up`.

        Parameters
        ----------
        dx, dy : float
            The move in mm; y grows downwards.
        pen_up : bool
            Whether the stroke ends after this point.
        """
        if self.line_height is not None and not self.stroke and pen_up and dx == dy == 0:
            return  # the pen rests
        x, y = self.position[0] + dx, self.position[1] + dy
        self.position = x, y
        point = Box(x, y, x, y)
        box = self.stroke_box.union(point)
        if self.stroke and (not self._fits(box) or len(self.stroke) >= MAX_LINE_POINTS):
            start = self.stroke[-1]
            self._end_stroke()
            box = point
            joined = point.union(Box(*start, *start))
            if self._fits(joined):  # otherwise the move is larger than the page, and is not drawn
                self.stroke, box = [start], joined
        self.stroke.append((x, y))
        self.stroke_box = box
        if pen_up:
            self._end_stroke()

    def take_complete(self) -> list[WrittenLine]:
        """Return the lines completed since the last call."""
        complete, self.complete = self.complete, []
        return complete

    def finish(self) -> list[WrittenLine]:
        """End the stroke and the line; return the remaining lines."""
        self._end_stroke()
        self._end_line(len(self.line))
        return self.take_complete()

    def _fits(self, box: Box) -> bool:
        return box.width <= self.width and box.height <= self.height

    def _end_stroke(self) -> None:
        """Add the stroke to the line, after ending the line if the stroke begins a new one or exceeds the width."""
        if not self.stroke:
            return
        stroke = BoxedStroke(self.stroke, self.stroke_box)
        self.stroke, self.stroke_box = [], EMPTY_BOX
        lines_down = self._lines_down(stroke)
        if not self.line:
            self.blank = lines_down
        elif lines_down or self._begins_line(stroke):
            self._end_line(len(self.line))
            self.blank = max(lines_down - 1, 0)
        self.line.append(stroke)
        self._measure([stroke])
        while self.line_box.width > self.width:
            self._end_line(_next_word(self.line, self.line_box.left + 0.7 * self.width))

    def _begins_line(self, stroke: BoxedStroke) -> bool:
        too_high = self.line_box.union(stroke.box).height > self.height
        too_long = self.line_points + len(stroke.points) > MAX_LINE_POINTS
        returns = self.line_height is None and _returns_to_margin(self.line[-1], stroke, self.pitch)
        return too_high or too_long or returns

    def _lines_down(self, stroke: BoxedStroke) -> int:
        """Return by how many lines of its text the voice moved down to begin a stroke; 0 within a line.

        It then begins near the first point of the line, or left of it if the line was broken at the page's width.
        """
        if self.line_height is None:
            return 0
        x, y = stroke.points[0]
        if not self.line:
            return max(round(y / self.line_height), 0)
        down = (y - self.line_sum / self.line_points) / self.line_height
        at_left = x < self.line[0].points[0][0] + 0.5 * self.line_height
        return max(round(down), 1) if at_left and down > 0.6 else 0

    def _measure(self, strokes: list[BoxedStroke]) -> None:
        """Add strokes to the bounding box, the point count and the sum of the line."""
        for stroke in strokes:
            self.line_box = self.line_box.union(stroke.box)
            self.line_points += len(stroke.points)
            self.line_sum += sum(y for _, y in stroke.points)

    def _end_line(self, count: int) -> None:
        """Complete a line from the first `count` strokes; the other strokes begin the next line."""
        strokes, self.line = self.line[:count], self.line[count:]
        self.line_box, self.line_points, self.line_sum = EMPTY_BOX, 0, 0.0
        self._measure(self.line)
        if strokes:
            self.complete.append(WrittenLine(strokes, self.blank))
        self.blank = 0


def _returns_to_margin(before: BoxedStroke, stroke: BoxedStroke, pitch: float) -> bool:
    """Return whether the pen went back to begin a new line, as in voices that were trained on several lines.

    A long move to the left begins a new line.  A shorter move does so only if it also goes down, because the dot of an
    i or the bar of a t may be added later, and is not below.
    """
    back = before.points[-1][0] - stroke.points[0][0]
    below = stroke.box.top > median(y for _, y in before.points)
    return back > 5 * pitch or (back > 1.75 * pitch and below)


def _next_word(line: list[BoxedStroke], near_end: float) -> int:
    """Return the index of the stroke that begins the next line: it follows the widest gap right of `near_end`."""
    best, widest, right = max(len(line) - 1, 1), -math.inf, -math.inf
    for index, stroke in enumerate(line):
        # A stroke that goes back over earlier ink (the dot of an i) has a negative gap, so it never begins a word.
        gap = stroke.box.left - right
        if index > 0 and right >= near_end and gap >= widest:
            best, widest = index, gap
        right = max(right, stroke.box.right)
    return best
