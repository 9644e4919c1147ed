"""What plotters' languages have in common, and files in them."""

from typing import ClassVar, Protocol

import numpy as np

from vrnn_engine.runtime.sinks.base import FileSink, Format
from vrnn_engine.runtime.sinks.ink.page import A4, Layout, Line, Stroke
from vrnn_engine.runtime.sinks.options import read_options, split_target


class Language(Protocol):
    """Says in a plotter's language what a pen does.  All answers are lines of text without their ends."""

    def begin(self) -> list[str]:
        """Get the plotter ready, the pen up."""
        ...

    def draw(self, stroke: Stroke) -> list[str]:
        """Go there, draw, lift the pen."""
        ...

    def next_page(self) -> list[str]:
        """Make room for the paper to be changed."""
        ...

    def lift(self) -> list[str]:
        """Lift the pen."""
        ...

    def park(self) -> list[str]:
        """Go to the origin, and be done; the pen is up."""
        ...


class PlotFile(FileSink):
    """A file in a plotter's language; a subclass says in which."""

    Options: ClassVar[type[A4]]

    def __init__(self, target: str, latency: float = 0.05) -> None:
        place, given = split_target(target)
        super().__init__(place, latency)
        self._options = read_options(place, given, self.Options)
        self._page = 0

    def language(self, format: Format) -> Language:
        """Return the language that the options and the voice ask for."""
        raise NotImplementedError

    def open(self, format: Format) -> None:
        """Start the file beside its final path."""
        format.require("pen", self.label)
        self._layout = Layout(self._options, format, self.label)
        self._language = self.language(format)
        self._append(self._language.begin())

    def write(self, block: np.ndarray) -> None:
        """Take points `[n, 3]`: dx, dy, pen-up."""
        self._draw(self._layout.add(block))

    def close(self) -> None:
        """Draw the last line, park the pen and give the file its name."""
        self._draw(self._layout.finish())
        self._append([*self._language.lift(), *self._language.park()])
        super().close()

    def _draw(self, lines: list[Line]) -> None:
        for line in lines:
            if line.page != self._page:
                self._append(self._language.next_page())
                self._page = line.page
            for stroke in line.strokes:
                self._append(self._language.draw(stroke))

    def _append(self, lines: list[str]) -> None:
        self.file.append("".join(f"{line}\n" for line in lines).encode())
