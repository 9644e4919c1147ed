"""FILE.svg: handwriting as a page in millimetres, which can be opened at any moment while it grows."""

from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import numpy as np

from vrnn_engine.base.files import AtomicFile, write_atomically
from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.ink.page import Layout, Line, Sheet, Stroke
from vrnn_engine.runtime.sinks.options import Positive, read_options, split_target

_GROWTH = 1 / 32
"""How much longer a page gets before it is written anew: what all writing costs stays in proportion to the page."""

_DOT = 0.02
"""How long a dot is in mm: what has no length, vpype leaves out."""


class SvgOptions(Sheet, frozen=True, kw_only=True):
    """What may follow FILE.svg."""

    ink: Positive = 0.35
    """Width of the ink in mm."""
    layers: Literal["line", "stroke"] = "line"
    """What gets a layer of its own."""


class SvgSink(Sink):
    """Draws a pen voice's ink, a path for each stroke.

    The page is written whole beside its final path and takes its name at once: with the first stroke, and again
    whenever it has grown.  Who opens it finds a complete page, and a full disk or an error leaves the last one.  With
    a height, further pages are further files: FILE-2.svg and so on.
    """

    Options = SvgOptions

    def __init__(self, target: str, latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._options = read_options(self.label, given, SvgOptions)
        self._path = Path(self.label)
        self._drawing = _Drawing(self._options)
        self._page = 0
        self._published = 0

    def open(self, format: Format) -> None:
        """Get ready; find out whether the file can be written."""
        format.require("pen", self.label)
        self._layout = Layout(self._options, format, self.label)
        self._title = format.name
        AtomicFile(self._path).abort()

    def write(self, block: np.ndarray) -> None:
        """Take points `[n, 3]`: dx, dy, pen-up."""
        self._add(self._layout.add(block))
        seen = self._drawing.copy()
        for line in self._layout.unfinished():
            if line.page == self._page:
                seen.add(line)
        if seen.strokes > self._published * (1 + _GROWTH):
            self._publish(seen)

    def close(self) -> None:
        """Write the last page for the last time."""
        self._add(self._layout.finish())
        self._publish(self._drawing)

    def _add(self, lines: list[Line]) -> None:
        for line in lines:
            if line.page != self._page:
                self._publish(self._drawing)
                self._drawing, self._page, self._published = _Drawing(self._options), line.page, 0
            self._drawing.add(line)

    def _publish(self, drawing: "_Drawing") -> None:
        path = self._path
        if self._page:
            path = path.with_stem(f"{path.stem}-{self._page + 1}")
            self.label = f"{self._path} ... {path}"
        write_atomically(path, drawing.document(self._title).encode())
        self._published = drawing.strokes


class _Drawing:
    """One page as text, growing."""

    def __init__(self, options: SvgOptions) -> None:
        self._options = options
        self._layers: list[str] = []
        self._bottom = options.margin
        self.strokes = 0

    def copy(self) -> "_Drawing":
        twin = _Drawing(self._options)
        twin._layers, twin._bottom, twin.strokes = list(self._layers), self._bottom, self.strokes
        return twin

    def add(self, line: Line) -> None:
        kind = self._options.layers
        for strokes in [line.strokes] if kind == "line" else [[stroke] for stroke in line.strokes]:
            # vpype and the software of plotters go by the number that begins the name of a layer.
            number = len(self._layers) + 1
            self._layers.append(
                f'<g inkscape:groupmode="layer" id="{kind}{number}" inkscape:label="{number} {kind}">\n'
                f"{''.join(map(_path, strokes))}</g>\n"
            )
        self.strokes += len(line.strokes)
        self._bottom = line.bottom

    def document(self, title: str) -> str:
        width, height = self._options.width, self._options.height or self._bottom + self._options.margin
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
            f'width="{width:.6g}mm" height="{height:.6g}mm" viewBox="0 0 {width:.6g} {height:.6g}" fill="none" '
            f'stroke="#1b2440" stroke-width="{self._options.ink:g}" stroke-linecap="round" stroke-linejoin="round" '
            f'style="background:#fff">\n<title>{escape(title)}</title>\n{"".join(self._layers)}</svg>\n'
        )


def _path(stroke: Stroke) -> str:
    points = [f"{x:.2f} {y:.2f}" for x, y in stroke]
    if len(set(points)) == 1:
        x, y = stroke[0]
        points = [points[0], f"{x + _DOT:.2f} {y:.2f}"]
    return f'<path d="M{points[0]}L{" ".join(points[1:])}"/>\n'
