"""How a text is divided into words, lines and empty lines."""

import numpy as np
import pytest

from vrnn_engine.runtime.text.line import SPACE, Line
from vrnn_engine.runtime.text.part import LONGEST, Kind, Part, next_part
from vrnn_engine.runtime.text.part_run import PartRun
from vrnn_engine.runtime.text.state import WritingState

HEIGHT = 11.0
INK = np.array([[1, 1, 0], [2, 2, 0], [3, -3, 1]], np.float32)


def words(text: str) -> list[tuple[Kind, str, bool]]:
    """Return the kind and characters of each word, and whether a new line follows."""
    found, done = [], 0
    while part := next_part(text, done):
        found.append((part.kind, text[part.start : part.stop], part.new_line))
        done = part.end
    return found


def test_last_word_of_a_line_ends_it() -> None:
    assert words("a bc  def \ngh") == [
        (Kind.WORD, "a", False),
        (Kind.WORD, "bc", False),
        (Kind.LAST, "def", True),
        (Kind.LAST, "gh", False),
    ]


def test_long_words_are_divided() -> None:
    assert [len(word) for _, word, _ in words("x" * (2 * LONGEST + 5))] == [LONGEST, LONGEST, 5]


@pytest.mark.parametrize("text", ["", "  ", "\n", " \nabc"])
def test_no_word_begins_before_the_line_ends(text: str) -> None:
    assert next_part(text, 0) is None


def test_empty_lines_add_a_line_height_each() -> None:
    state = WritingState().with_text("\n \n\n  ab", HEIGHT)
    part, state = state.next(HEIGHT)
    assert part == Part(Kind.LAST, 6, 8, 8, 8)
    assert state.line == Line(y=-3 * HEIGHT)
    assert state.line.move(INK, part.start - state.done, HEIGHT) == (2 * SPACE * HEIGHT, 3 * HEIGHT)
    assert state.written == 4


def test_many_empty_lines_are_the_same_as_one_after_another() -> None:
    """Each line height is subtracted and rounded by itself, whether the lines come in one text or in many."""
    together, alone = WritingState(), WritingState()
    _, together = together.with_text(" \n" * 20_000 + "  ", HEIGHT / 7).next(HEIGHT / 7)
    for _ in range(20_000):
        _, alone = alone.with_text(" \n", HEIGHT / 7).next(HEIGHT / 7)
    _, alone = alone.with_text("  ", HEIGHT / 7).next(HEIGHT / 7)
    assert (together.line, together.spaces, together.written) == (alone.line, alone.spaces, alone.written)
    assert together.line.y != -20_000 * (HEIGHT / 7)


def test_spaces_alone_are_written_without_ink() -> None:
    part, state = WritingState().with_text("   ", HEIGHT).next(HEIGHT)
    assert part is None
    assert (state.written, state.pending, state.spaces) == (3, 0, 3)


def test_empty_lines_that_are_written_are_not_kept() -> None:
    state = WritingState()
    for _ in range(3):
        _, state = state.with_text("\n" * 4096, HEIGHT).next(HEIGHT)
        _, state = state.with_text(" \n", HEIGHT).next(HEIGHT)
    assert state.written == 3 * 4098
    assert len(state.text) <= 4096


def test_line_that_lost_its_next_word_is_ended() -> None:
    """The pen may have strokes to add to the words that are written."""
    state = WritingState(has_text=True, text="ab cd", done=2, begun=True).without_last(2)
    part, state = state.next(HEIGHT)
    assert part == Part(Kind.ENDING, 2, 2, 3, 2)
    part, _ = state.changed(text="ab \nx").next(HEIGHT)
    assert part == Part(Kind.ENDING, 2, 2, 4, 2, True)


def test_word_that_does_not_fit_ends_the_line_before_it() -> None:
    state = WritingState(has_text=True, text="ab cd", done=2, begun=True, broken=True)
    part, _ = state.next(HEIGHT)
    assert part == Part(Kind.ENDING, 2, 2, 3, 2, True)
    ended = state.changed(begun=False, line=Line(x=9.0, y=2.0, points=4, total=4.0, right=9.0))
    part, state = ended.next(HEIGHT)
    assert part == Part(Kind.LAST, 3, 5, 5, 5)
    assert state.line == Line(x=9.0, y=1.0 + 0.0 - HEIGHT)


def test_text_that_no_window_shows_is_dropped() -> None:
    state = WritingState(text="abcdef", offset=2, done=4)
    trimmed = state.trimmed()
    assert (trimmed.text, trimmed.offset, trimmed.done, trimmed.pending) == ("cdef", 0, 2, 2)
    assert state.trimmed(most=2) is state


def test_line_returns_to_its_beginning_below_the_mean_of_its_ink() -> None:
    line = Line().drawn(INK)
    assert line == Line(x=6.0, y=0.0, points=3, total=4.0, right=6.0)
    assert line.next(HEIGHT).move(INK, 0, HEIGHT) == pytest.approx((-6.0, 4 / 3 + HEIGHT))


def test_strokes_are_added_to_a_line_unless_they_go_beyond_its_ink() -> None:
    line = Line().drawn(INK)
    dot, word = np.array([[-4, -3, 1]], np.float32), np.array([[-4, -3, 0], [5, 0, 1]], np.float32)
    assert np.array_equal(line.added(dot), dot)
    assert len(line.added(word)) == 0


def test_new_ink_on_a_line_begins_a_space_behind_the_ink_before_it() -> None:
    line = Line().drawn(INK)
    more = INK - [4, 0, 0]  # goes back before it goes on
    more[0, :2] += line.move(more, 0, HEIGHT)
    after = line.drawn(more)
    assert after.mean == pytest.approx(line.mean)
    path = line.x + np.cumsum(more[:, 0])
    assert path.min() == pytest.approx(line.right + SPACE * HEIGHT)


def test_a_word_that_is_passed_over_does_not_hide_those_after_it() -> None:
    """Otherwise the window would be behind them, and could be behind the whole text, which no snapshot can restore."""
    state = WritingState(has_text=True, text="ab cd", begun=True)
    for offset, begun, place in ((1, True, 1), (9, False, 2)):
        after = state.after(PartRun(Part(Kind.WORD, 0, 2, 2), offset), INK, Line().drawn(INK), HEIGHT)
        assert (after.begun, after.offset, after.done) == (begun, place, 2)
        assert after.line.points == len(INK)
