"""The part of a text that is generated next, as a whole: a word, the end of a line, or a stroke without a text."""

from dataclasses import dataclass
from enum import Enum

from vrnn_engine.runtime.voice.text import END

LONGEST = 64
"""Largest number of characters of a part. A longer word has several parts, so that its memory is bounded."""


class Kind(Enum):
    """What ends a part."""

    WORD = "word"
    """The pen is up, and most of the attention is behind the word's last character."""
    LAST = "last"
    """The pen rests at the end of the line, behind the line's last word."""
    ENDING = "ending"
    """As LAST, but the part has no characters: it gives the strokes that the pen adds to the words before."""
    FREE = "free"
    """The pen is up. There is no text."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text. Places count the characters of the text that it is a part of.

    Attributes
    ----------
    kind : Kind
    start, stop : int
        Places of its first character without spaces before it, and of the first character behind its last one.
    end : int
        Place of the first character that is not written with it. Spaces around a word are written with it.
    line_end : int or None
        Place where the line ends, if the part ends it.
    new_line : bool
        Whether the next part begins on a new line.
    """

    kind: Kind
    start: int
    stop: int
    end: int
    line_end: int | None = None
    new_line: bool = False


FREE = Part(Kind.FREE, 0, 0, 0, None, True)
"""A stroke where there is no text."""


def ending(place: int, end: int, new_line: bool) -> Part:
    """Return the part that ends a line at a place, and with which the text up to `end` is written.

    Parameters
    ----------
    place, end : int
        Places in the text.
    new_line : bool
        Whether the next part begins on a new line.
    """
    return Part(Kind.ENDING, place, place, end, place, new_line)


def next_part(text: str, done: int) -> Part | None:
    """Return the next word of a text; None if a line ends, or all is written, before a word begins.

    The last word of the text, and of a line, ends its line, also if spaces follow it.

    Parameters
    ----------
    text : str
    done : int
        Place of the first character that is not written.
    """
    start = behind_spaces(text, done)
    if start == len(text) or text[start] == END:
        return None
    stop = start
    while stop < len(text) and text[stop] not in (" ", END) and stop - start < LONGEST:
        stop += 1
    following = behind_spaces(text, stop)
    if following == len(text):
        return Part(Kind.LAST, start, stop, following, stop)
    if text[following] == END:
        return Part(Kind.LAST, start, stop, following + 1, stop, True)
    return Part(Kind.WORD, start, stop, stop)


def behind_spaces(text: str, place: int) -> int:
    """Return the place of the first character from `place` on that is not a space; the length of the text if none is.

    Parameters
    ----------
    text : str
    place : int
    """
    while place < len(text) and text[place] == " ":
        place += 1
    return place


def behind_empty_lines(text: str, place: int) -> int:
    """Return the place behind the last line end that only spaces and line ends separate from the first one.

    Parameters
    ----------
    text : str
    place : int
        Place of the first line end.
    """
    rest = text[place:]
    blank = len(rest) - len(rest.lstrip(f" {END}"))
    return place + rest.rindex(END, 0, blank) + 1
