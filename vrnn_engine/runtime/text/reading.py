"""The window of characters that a step reads, and how it follows the reading position."""

import math

from vrnn_engine.runtime.voice.text import END

_FARTHEST = 1e9
"""Positions behind this one count as this one: a graph may compute any number, also infinity."""


def reach(window: int) -> int:
    """Return the distance from the position, in characters, from which on the attention is 0.

    Parameters
    ----------
    window : int
        Number of characters in the window: all within that distance of a position, and two more.
    """
    return (window - 2) // 2


def shift(position: float, window: int) -> int:
    """Return the number of characters by which the window moves on; 0 if the position is near its beginning.

    Afterwards, the position is less than the reach of the attention away from the window's first character, and a step
    may advance the position by two characters before it reads anything behind the window.

    Parameters
    ----------
    position : float
        The reading position, in characters from the window's first one.
    window : int
        Number of characters in the window.
    """
    span = reach(window)
    return math.floor(min(position, _FARTHEST)) - span + 1 if position >= span else 0


def visible(text: str, start: int, offset: int, end: int | None, window: int) -> str:
    """Return the characters that the window shows, up to the end of the line; a text without one is shown with one.

    Spaces before the end are not shown: no line that voices are trained on has them, and the pen would scribble there.

    Parameters
    ----------
    text : str
        The line that is written, and those below it.
    start : int
        Place in `text` of a character of the line: its first end of a line behind that place is the line's.
    offset : int
        Place in `text` of the window's first character.
    end : int or None
        Place in `text` where the line ends, whatever the text has there. None if only the text says so.
    window : int
        Largest number of characters that are shown.
    """
    limit = len(text) if end is None else end
    found = text.find(END, start, min(offset + window, limit))
    stop = limit if found < 0 else found
    while stop > start and text[stop - 1] == " ":
        stop -= 1
    return (text[offset : min(offset + window, stop)] + END)[:window] if offset <= stop else ""
