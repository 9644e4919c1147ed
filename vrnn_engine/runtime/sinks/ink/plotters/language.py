"""The interface of a plotter's language."""

from typing import Protocol

from vrnn_engine.runtime.sinks.ink.line_breaks import Stroke


class PlotterLanguage(Protocol):
    """Translates strokes into commands.  Each method returns lines of text without line ends."""

    def begin(self) -> list[str]:
        """Return the commands that prepare the plotter, with the pen up."""
        ...

    def draw(self, stroke: Stroke) -> list[str]:
        """Return the commands that move to a stroke, draw it and lift the pen.

        Parameters
        ----------
        stroke : list of (float, float)
            Points in mm from the page's upper left corner; y grows downwards.
        """
        ...

    def next_page(self) -> list[str]:
        """Return the commands that feed the next sheet, or let the user change the paper."""
        ...

    def take_pen(self) -> list[str]:
        """Return the commands that prepare the pen again after `park`."""
        ...

    def lift(self) -> list[str]:
        """Return the commands that lift the pen."""
        ...

    def park(self) -> list[str]:
        """Return the commands that move to the origin at the end; the pen is up."""
        ...
