"""Base class of sinks that write a file in a plotter's language."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from vrnn_engine.runtime.options import split_target
from vrnn_engine.runtime.sinks.base import FileSink, Format
from vrnn_engine.runtime.sinks.ink.page import A4Options, Line
from vrnn_engine.runtime.sinks.ink.page_sink import PageSink
from vrnn_engine.runtime.sinks.ink.paper import read_page_options
from vrnn_engine.runtime.sinks.ink.plotters.language import PlotterLanguage


class PlotFileSink(PageSink, FileSink):
    """Writes ink to a file in a plotter's language; a subclass names the language and its options.

    Parameters
    ----------
    target : str
        Path of the file; options may follow.
    latency : float
        Ignored.

    Raises
    ------
    SinkError
        An option is wrong.
    """

    Options: ClassVar[type[A4Options]]

    def __init__(self, target: str, latency: float = 0.05) -> None:
        place, given = split_target(target)
        super().__init__(place, latency)
        self._options = read_page_options(place, given, self.Options)

    @abstractmethod
    def language(self, format: Format) -> PlotterLanguage:
        """Return the language, configured by the options and the voice's format."""

    def open(self, format: Format) -> None:
        """Create the file under a temporary name.

        Parameters
        ----------
        format : Format
            Format of a pen voice.

        Raises
        ------
        SinkError
            The voice is not a pen voice, its page is too small, or the file cannot be created.
        """
        format.require("pen", self.label)
        self._layout = self.make_layout(format)
        self._page = 0
        self._language = self.language(format)
        self._append(self._language.begin())

    def write(self, block: np.ndarray) -> None:
        """Add points, and write the lines that they complete.

        Parameters
        ----------
        block : ndarray, float32, shape [points, 3]
            dx, dy, pen-up.
        """
        self._draw(self._layout.add(block))

    def close(self) -> None:
        """Write the last line, park the pen and rename the file to its path."""
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
