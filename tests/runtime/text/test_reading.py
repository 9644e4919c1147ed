"""The window of characters: whatever the attention can reach is in it, and nothing behind the end of the line."""

import math

import numpy as np
import pytest

from vrnn_engine.runtime.text.reading import reach, shift, visible

WINDOW = 22


def test_window_contains_what_the_attention_reaches() -> None:
    """All characters less than ten from the position, also after a step of two characters."""
    offset = 0
    for position in np.arange(-0.5, 100, 0.37):
        offset += shift(position - offset, WINDOW)
        near = range(max(int(np.floor(position - reach(WINDOW))) + 1, 0), int(np.ceil(position + 2 + reach(WINDOW))))
        assert offset <= near[0]
        assert near[-1] < offset + WINDOW


def test_window_moves_by_whole_characters_to_the_same_place() -> None:
    assert [shift(position, WINDOW) for position in (-0.5, 9.99, 10.0, 10.7, 15.2)] == [0, 0, 1, 1, 6]


def test_a_position_that_no_text_has_moves_the_window_by_a_limited_number_of_characters() -> None:
    found = [shift(position, WINDOW) for position in (-math.inf, math.nan, 1e38, math.inf)]
    assert found[:2] == [0, 0]
    assert found[2] == found[3] < 2**31


@pytest.mark.parametrize(
    ("text", "start", "offset", "end", "shown"),
    [
        ("abc", 0, 0, None, "abc\n"),  # an end is shown behind a text without one
        ("abc\nde", 0, 0, None, "abc\n"),
        ("abc\nde", 4, 4, None, "de\n"),
        ("abcdefgh", 0, 2, None, "cdef"),  # the window has four characters
        ("abcd", 0, 0, None, "abcd"),
        ("ab cd", 0, 0, 2, "ab\n"),  # the line is broken
        ("a  ", 0, 0, None, "a\n"),  # spaces before an end are not shown
        ("a  \nb", 0, 0, None, "a\n"),
        ("  ", 0, 0, None, "\n"),
        ("abc", 0, 3, None, "\n"),
        ("abc\nd", 0, 4, None, ""),  # behind the end
        ("abc", 0, 5, None, ""),
    ],
)
def test_window_shows_the_line(text: str, start: int, offset: int, end: int | None, shown: str) -> None:
    assert visible(text, start, offset, end, 4) == shown
