"""When a part ends, and which of its frames are given out."""

import numpy as np
import pytest

from vrnn_engine.runtime.text.part import FREE, Kind, Part, ending
from vrnn_engine.runtime.text.part_run import POINTS_PER_CHARACTER, STROKE_POINTS, PartRun
from vrnn_engine.runtime.voice.text import Text

TEXT = Text(alphabet=("", "a", "\n"), window=6, position="p", first_position=-0.5, restart=("p",), line_height=10.0)
WORD, LAST = Part(Kind.WORD, 0, 2, 2), Part(Kind.LAST, 0, 2, 3, 2, True)
DOWN, UP, DOT = [2, 0, 0], [0.1, 0, 1], [0, 2, 1]


def run(part: Part, steps: list[tuple[list[float], float]], offset: int = 0, still: int = 0) -> PartRun:
    """Run a part; each step has a frame, and the place in the text at which the attention is."""
    found = PartRun(part, offset, TEXT, still)
    for number, (frame, place) in enumerate(steps, 1):
        attention = np.exp(-((np.arange(6) + offset - place) ** 2)).astype(np.float32)
        if found.add(np.array(frame, np.float32), attention):
            assert number == len(steps), "the part ended early"
            return found
    pytest.fail("the part did not end")


def test_word_ends_where_the_pen_is_up_behind_it() -> None:
    found = run(WORD, [(UP, 0), (DOWN, 1), (UP, 1), (DOWN, 2.5), (DOWN, 3), (UP, 2)])
    assert found.is_complete
    assert len(found.ink()) == 6


def test_word_ends_at_the_same_point_wherever_the_window_is() -> None:
    assert run(WORD, [(UP, 1), (DOWN, 2), (UP, 2)], offset=1).is_complete
    assert run(WORD, [(DOWN, 3.4), (UP, 3.4)], offset=3).is_complete  # the word is before the window


def test_line_ends_where_the_pen_rests_behind_the_text() -> None:
    found = run(LAST, [(DOWN, 1), (UP, 1.9), (DOWN, 2), (UP, 2), (UP, 2), (UP, 2)])
    assert found.rests
    assert len(found.ink()) == 4


def test_dot_at_the_end_of_a_line_is_ink() -> None:
    found = run(LAST, [(DOWN, 2), (UP, 2), (DOT, 2), (UP, 2), (UP, 2)])
    assert len(found.ink()) == 3


def test_points_at_which_the_pen_waits_before_the_end_are_no_ink() -> None:
    found = run(LAST, [(DOWN, 1), (UP, 1), (UP, 1), (UP, 1), (UP, 1), (UP, 2)])
    assert len(found.ink()) == 2


def test_ending_has_no_ink_if_the_pen_rests_at_once() -> None:
    assert len(run(ending(2, 2, True), [(UP, 2), (UP, 2)], still=1).ink()) == 0


def test_ending_has_the_strokes_that_the_pen_adds() -> None:
    assert len(run(ending(2, 2, True), [(DOWN, 2), (UP, 2), (UP, 2), (UP, 2)], still=1).ink()) == 2


def test_ending_that_does_not_end_has_no_ink() -> None:
    found = run(ending(2, 2, True), [(DOWN, 2)] * 2 * POINTS_PER_CHARACTER)
    assert not found.is_complete
    assert len(found.ink()) == 0


@pytest.mark.parametrize("part", [WORD, LAST])
def test_word_that_never_ends_is_cut_with_the_pen_up(part: Part) -> None:
    found = run(part, [(DOWN, 1)] * 4 * POINTS_PER_CHARACTER)
    assert not found.is_complete
    assert found.ink()[-1].tolist() == [2, 0, 1]


def test_stroke_without_a_text_ends_with_the_pen_up() -> None:
    assert len(run(FREE, [(DOWN, 0), (DOWN, 0), (UP, 0)]).ink()) == 3
    assert len(run(FREE, [(UP, 0), (DOWN, 0), (UP, 0)], still=1).ink()) == 3  # a point between two strokes
    assert len(run(FREE, [(DOWN, 0)] * STROKE_POINTS).ink()) == STROKE_POINTS


def test_line_without_a_text_ends_where_the_pen_rests() -> None:
    found = run(FREE, [(UP, 0), (UP, 0)], still=1)
    assert found.rests
    assert len(found.ink()) == 0
