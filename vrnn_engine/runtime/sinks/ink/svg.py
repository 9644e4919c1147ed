"""FILE.svg: writes ink as a page in millimetres; the file is valid at any time while the page grows."""

import logging
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import numpy as np

from vrnn_engine.base.files import AtomicFile, write_atomically
from vrnn_engine.runtime.options import Positive, split_target
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.ink.animation import STYLE, Timing
from vrnn_engine.runtime.sinks.ink.line_breaks import Stroke
from vrnn_engine.runtime.sinks.ink.page import Line, PageOptions
from vrnn_engine.runtime.sinks.ink.page_sink import PageSink
from vrnn_engine.runtime.sinks.ink.paper import read_page_options
from vrnn_engine.runtime.sinks.ink.smooth import bezier_curves

_log = logging.getLogger("vrnn_engine")

_GROWTH = 1 / 32
"""Fraction by which a page must grow before it is rewritten, so that the total cost stays proportional to the page."""

_DOT_LENGTH = 0.02
"""Length of a dot in mm; vpype omits a path without length."""


class SvgOptions(PageOptions, frozen=True, kw_only=True):
    """Options of FILE.svg."""

    ink: Positive = 0.35
    """Width of the ink in mm."""
    layers: Literal["pen", "line", "stroke"] = "pen"
    """What forms a layer: all ink of one pen, each line of writing, or each stroke."""
    animate: Positive | None = None
    """Draw the strokes in the order of writing, at this multiple of the pen's speed.  None: show the complete page."""


class SvgSink(PageSink):
    """Writes ink as SVG, one path for each stroke.

    The whole file is replaced after the first stroke, and whenever the page has grown enough.  So the file always holds
    a complete page, and a full disk or an error leaves the last one.  If the page has a height, further pages go to
    further files: FILE-2.svg and so on.

    Parameters
    ----------
    target : str
        Path of the file; `SvgOptions` may follow, as in `page.svg?width=120`.
    latency : float
        Ignored.

    Raises
    ------
    SinkError
        An option is wrong.
    """

    Options = SvgOptions
    _options: SvgOptions

    def __init__(self, target: str, latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._options = read_page_options(self.label, given, SvgOptions)
        self._path = Path(self.label)

    def open(self, format: Format) -> None:
        """Prepare the page, and check that the file can be written.

        Parameters
        ----------
        format : Format
            Format of a pen voice.

        Raises
        ------
        SinkError
            The voice is not a pen voice, its page is too small, or the file cannot be written.
        """
        format.require("pen", self.label)
        self._layout = self.make_layout(format)
        self._title = format.name
        speed = self._options.animate
        self._timing = None if speed is None else Timing(speed * format.rate)
        self._drawing, self._page, self._strokes_written = self._new_page(), 0, 0
        AtomicFile(self._path).abort()

    def write(self, block: np.ndarray) -> None:
        """Add points, and write the page if it has grown enough.

        Parameters
        ----------
        block : ndarray, float32, shape [points, 3]
            dx, dy, pen-up.

        Raises
        ------
        SinkError
            The file cannot be written, e.g. because the disk is full.
        """
        self._add(self._layout.add(block))
        growing = [line for line in self._layout.unfinished() if line.page == self._page]
        strokes = self._drawing.strokes + sum(len(line.strokes) for line in growing)
        if strokes > self._strokes_written * (1 + _GROWTH):
            current = self._drawing.copy()
            for line in growing:
                current.add(line)
            self._write_page(current, durable=False)  # it is soon written again, and the voice does not wait

    def close(self) -> None:
        """Write the complete last page."""
        self._add(self._layout.finish())
        self._write_page(self._drawing)
        self._report_older_pages()

    def _add(self, lines: list[Line]) -> None:
        for line in lines:
            if line.page != self._page:
                self._write_page(self._drawing)
                self._drawing, self._page, self._strokes_written = self._new_page(), line.page, 0
            self._drawing.add(line)

    def _new_page(self) -> "_Drawing":
        return _Drawing(self._options, self._timing)

    def _page_path(self, page: int) -> Path:
        return self._path.with_stem(f"{self._path.stem}-{page + 1}") if page else self._path

    def _report_older_pages(self) -> None:
        """Warn about pages of an earlier, longer run, which could be mistaken for pages of this run."""
        older: list[Path] = []
        while (path := self._page_path(self._page + len(older) + 1)).exists():
            older.append(path)
        if older:
            names = str(older[0]) if len(older) == 1 else f"{older[0]} ... {older[-1]}"
            _log.warning("%s: from an earlier run, not pages of this one; remove what you do not need", names)

    def _write_page(self, drawing: "_Drawing", durable: bool = True) -> None:
        path = self._page_path(self._page)
        if self._page:
            self.label = f"{self._path} ... {path}"
        write_atomically(path, drawing.document(self._title).encode(), durable=durable)
        self._strokes_written = drawing.strokes


class _Drawing:
    """The SVG text of one page, to which lines are added."""

    def __init__(self, options: SvgOptions, timing: Timing | None) -> None:
        self._options, self._timing = options, timing
        self._parts: list[str] = []
        self._bottom = options.margin
        self.strokes = 0

    def copy(self) -> "_Drawing":
        twin = _Drawing(self._options, self._timing)
        twin._parts, twin._bottom, twin.strokes = list(self._parts), self._bottom, self.strokes
        return twin

    def add(self, line: Line) -> None:
        kind = self._options.layers
        parts = [self._path(stroke) for stroke in line.strokes]
        if kind == "line":
            parts = ["".join(parts)]
        if kind != "pen":  # `document` puts the one layer of a pen around all parts
            first = len(self._parts) + 1
            parts = [_layer_element(kind, number, part) for number, part in enumerate(parts, first)]
        self._parts += parts
        self.strokes += len(line.strokes)
        self._bottom = line.bottom

    def _path(self, stroke: Stroke) -> str:
        if self._timing is None:
            return _path_element(stroke, self._options)
        attributes, self._timing = self._timing.attributes(len(stroke)), self._timing.after(len(stroke))
        return _path_element(stroke, self._options, attributes)

    def document(self, title: str) -> str:
        width, height = self._options.width, self._options.height or self._bottom + self._options.margin
        style = STYLE if self._timing is not None else ""
        content = "".join(self._parts)
        if self._options.layers == "pen":
            content = _layer_element("pen", 1, content)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
            f'width="{width:.6g}mm" height="{height:.6g}mm" viewBox="0 0 {width:.6g} {height:.6g}" fill="none" '
            f'stroke="#1b2440" stroke-width="{self._options.ink:g}" stroke-linecap="round" stroke-linejoin="round" '
            f'style="background:#fff">\n<title>{escape(title)}</title>\n{style}{content}</svg>\n'
        )


def _layer_element(kind: str, number: int, paths: str) -> str:
    # vpype and plotting software read a layer's number, and so the pen, from the beginning of its name.
    return f'<g inkscape:groupmode="layer" id="{kind}{number}" inkscape:label="{number} {kind}">\n{paths}</g>\n'


def _path_element(stroke: Stroke, options: SvgOptions, attributes: str = "") -> str:
    """Return a stroke as a path: lines, or curves through its points, or a short line for a dot."""
    points = [f"{x:.2f} {y:.2f}" for x, y in stroke]
    if len(set(points)) == 1:
        x, y = stroke[0]
        points = [points[0], f"{x + _DOT_LENGTH:.2f} {y:.2f}"]
    if options.smooth and len(points) > 2:
        curves = bezier_curves(stroke, options.room)[:, 1:].reshape(-1, 6).tolist()
        steps = " ".join("{:.2f} {:.2f} {:.2f} {:.2f} {:.2f} {:.2f}".format(*curve) for curve in curves)
        return f'<path d="M{points[0]}C{steps}"{attributes}/>\n'
    return f'<path d="M{points[0]}L{" ".join(points[1:])}"{attributes}/>\n'
