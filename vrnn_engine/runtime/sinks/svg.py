"""FILE.svg: handwriting as a page, in millimetres, with lines that wrap between words."""

import math
from statistics import median
from xml.sax.saxutils import escape

import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.base import FileSink, Format

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "pt": 25.4 / 72.0, "px": 25.4 / 96.0}
"""Units that a pen voice may use, in millimetres."""

Stroke = list[tuple[float, float]]


class SvgSink(FileSink):
    """Draws a pen voice's ink; the page grows downwards as lines are added.

    Parameters
    ----------
    target
        Path of the file.
    width
        Width of the page in mm.
    margin
        Blank border in mm.
    pitch
        Least distance between two baselines in mm; lines with more height get more.
    stroke_width
        Width of the ink in mm.
    """

    def __init__(
        self,
        target: str,
        latency: float = 0.05,
        *,
        width: float = 180.0,
        margin: float = 12.0,
        pitch: float = 11.0,
        stroke_width: float = 0.35,
    ) -> None:
        super().__init__(target, latency)
        self._width, self._margin, self._pitch, self._stroke_width = width, margin, pitch, stroke_width
        self._lines: list[list[Stroke]] = []
        self._line: list[Stroke] = []
        self._stroke: Stroke = []
        self._x = self._y = 0.0

    def open(self, format: Format) -> None:
        """Start the file beside its final path."""
        format.require("pen", self.label)
        if format.unit not in MILLIMETRES:
            raise SinkError(
                f"cannot draw {self.label}: voice {format.name!r} counts in {format.unit!r}, whose size is unknown; "
                "write FILE.jsonl instead"
            )
        self._scale = MILLIMETRES[format.unit]
        self._title = format.name
        self.file.check()

    def write(self, block: np.ndarray) -> None:
        """Take points `[n, 3]`: dx, dy, pen-up."""
        for dx, dy, pen_up in block.tolist():
            self._x += dx * self._scale
            self._y += dy * self._scale
            self._stroke.append((self._x, self._y))
            if pen_up > 0.5:
                self._lift()

    def close(self) -> None:
        """Lay out the page, write it and give the file its name."""
        self._lift()
        if self._line:
            self._lines.append(self._line)
        self.file.append(self._page().encode())
        super().close()

    def _lift(self) -> None:
        """End a stroke; start a new line where the pen went back for one, or the line is past the right margin."""
        if not self._stroke:
            return
        room = self._width - 2 * self._margin
        if self._line and _goes_back(self._line[-1], self._stroke, room):
            self._lines.append(self._line)
            self._line = []
        self._line.append(self._stroke)
        self._stroke = []
        left = _left(self._line)
        if max(x for x, _ in self._line[-1]) - left > room:
            cut = _word_start(self._line, left + 0.7 * room)
            self._lines.append(self._line[:cut])
            self._line = self._line[cut:]

    def _page(self) -> str:
        paths: list[str] = []
        gap = 0.15 * self._pitch
        bottom = self._margin - gap  # so that the first line's top is at the margin
        baseline = 0.0
        widest = self._width
        for line in self._lines:
            left = _left(line)
            # Generated ink drifts up or down; each line starts afresh at its own height, by its median.
            middle = median(y for stroke in line for _, y in stroke)
            above = middle - min(y for stroke in line for _, y in stroke)
            below = max(y for stroke in line for _, y in stroke) - middle
            baseline = max(baseline + self._pitch, bottom + gap + above)
            bottom = baseline + below
            shift_x, shift_y = self._margin - left, baseline - middle
            widest = max(widest, max(x for stroke in line for x, _ in stroke) + shift_x + self._margin)
            paths.extend(_path(stroke, shift_x, shift_y) for stroke in line)
        height = bottom + self._margin
        size = f"{widest:.4g}", f"{height:.6g}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}mm" height="{size[1]}mm" '
            f'viewBox="0 0 {size[0]} {size[1]}" style="background:#fff">\n'
            f"<title>{escape(self._title)}</title>\n"
            f'<g fill="none" stroke="#1b2440" stroke-width="{self._stroke_width:g}" stroke-linecap="round" '
            f'stroke-linejoin="round">\n' + "".join(paths) + "</g>\n</svg>\n"
        )


def _left(line: list[Stroke]) -> float:
    return min(x for stroke in line for x, _ in stroke)


def _goes_back(before: Stroke, stroke: Stroke, room: float) -> bool:
    """Whether the pen went back to begin a line, as voices do that learned from writing of several lines.

    Far to the left it did; less far, if it also went down (a dot or a bar set afterwards is above).
    """
    back = before[-1][0] - stroke[0][0]
    below = min(y for _, y in stroke) > median(y for _, y in before)
    return back > 0.35 * room or (back > 0.12 * room and below)


def _word_start(line: list[Stroke], near_end: float) -> int:
    """Return the index of the stroke that begins the next line: after the widest gap right of `near_end`."""
    best, widest, right = max(len(line) - 1, 1), -math.inf, -math.inf
    for index, stroke in enumerate(line):
        # A stroke that goes back over earlier ink (the dot of an i) has a negative gap: never a word's start.
        gap = min(x for x, _ in stroke) - right
        if index > 0 and right >= near_end and gap >= widest:
            best, widest = index, gap
        right = max(right, max(x for x, _ in stroke))
    return best


def _path(stroke: Stroke, shift_x: float, shift_y: float) -> str:
    points = [f"{x + shift_x:.2f} {y + shift_y:.2f}" for x, y in stroke]
    if len(points) == 1:
        points *= 2  # a line of no length: with round caps, a dot
    return f'<path d="M{points[0]}L{" ".join(points[1:])}"/>\n'
