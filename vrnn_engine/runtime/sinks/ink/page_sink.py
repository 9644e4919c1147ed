"""Base class of the sinks that lay ink out in lines on pages."""

from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.ink.page import Layout, PageOptions


class PageSink(Sink):
    """Base class of sinks with pages; a subclass sets `_options`, and `_layout` when it is opened."""

    _options: PageOptions
    _layout: Layout

    def make_layout(self, format: Format) -> Layout:
        """Return the layout of the page, without lines.

        Parameters
        ----------
        format : Format
            Format of a pen voice.

        Raises
        ------
        SinkError
            The page is too small for a line, or the size of the voice's unit is unknown.
        """
        return Layout(self._options, format, self.label)

    def line_width(self, format: Format) -> float:
        """Return the width that a line of a text may have on the page, in the voice's unit.

        Parameters
        ----------
        format : Format
            Format of a pen voice.

        Raises
        ------
        SinkError
            The page is too small for a line, or the size of the voice's unit is unknown.
        """
        return self.make_layout(format).line_width

    @property
    def lines(self) -> int:  # type: ignore[override]  # read-only here
        """Number of lines of writing on the pages so far."""
        return self._layout.lines

    @property
    def pages(self) -> int:  # type: ignore[override]  # read-only here
        """Number of pages so far."""
        return self._layout.pages
