"""When a part ends, and which of its frames are given out."""

import numpy as np
import pytest

from vrnn_engine.runtime.text.part import FREE, Kind, Part, ending
from vrnn_engine.runtime.text.part_run import POINTS_PER_CHARACTER, STROKE_POINTS, PartRun
from vrnn_engine.runtime.text.part_runs import PartRuns
from vrnn_engine.runtime.voice.text import Text

TEXT = Text(alphabet=("", "a", "\n"), window=6, position="p", first_position=-0.5, restart=("p",), line_height=10.0)
WORD, LAST = Part(Kind.WORD, 0, 2, 2), Part(Kind.LAST, 0, 2, 3, 2, True)
DOWN, UP, DOT = [2, 0, 0], [0.1, 0, 1], [0, 2, 1]


def attention_at(place: float, offset: int = 0) -> np.ndarray:
    """Return the attention of a window at a place in the text."""
    return np.exp(-((np.arange(6) + offset - place) ** 2)).astype(np.float32)


def run(part: Part, steps: list[tuple[list[float], float]], offset: int = 0, still: int = 0) -> PartRun:
    """Run a part; each step has a frame, and the place in the text at which the attention is."""
    runs = PartRuns(TEXT, 1)
    runs.put(0, PartRun(part, offset, still))
    for number, (frame, place) in enumerate(steps, 1):
        if runs.add(np.array([frame], np.float32), attention_at(place, offset)[np.newaxis]):
            assert number == len(steps), "the part ended early"
            return runs.take(0)
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


def test_parts_of_many_rows_end_as_each_does_alone() -> None:
    rows = [
        (WORD, [(UP, 0), (DOWN, 1), (UP, 2)]),
        (FREE, [(DOWN, 0), (DOWN, 0), (DOWN, 0), (UP, 0)]),
        (LAST, [(DOWN, 2), (UP, 2), (UP, 2), (UP, 2)]),
    ]
    alone = [run(part, steps) for part, steps in rows]
    runs, found = PartRuns(TEXT, len(rows)), dict[int, PartRun]()
    for row, (part, _) in enumerate(rows):
        runs.put(row, PartRun(part, 0))
    for t in range(4):
        steps = [steps[min(t, len(steps) - 1)] for _, steps in rows]
        frames = np.array([frame for frame, _ in steps], np.float32)
        for row in runs.add(frames, np.stack([attention_at(place) for _, place in steps])):
            found[row] = runs.take(row)
    assert [(one.rests, one.frames.tolist()) for _, one in sorted(found.items())] == [
        (one.rests, one.frames.tolist()) for one in alone
    ]


def test_part_that_moves_to_another_batch_keeps_its_steps() -> None:
    steps = [([i, 0, 0], 0.1 * i) for i in range(100)]
    stays, moves = PartRuns(TEXT, 1), [PartRuns(TEXT, 2), PartRuns(TEXT, 1)]
    long = Part(Kind.WORD, 0, 5, 5)
    stays.put(0, PartRun(long, 0))
    moves[0].put(1, PartRun(long, 0))
    for t, (frame, place) in enumerate(steps):
        values = np.array([frame], np.float32), attention_at(place)[np.newaxis]
        stays.add(*values)
        if t < 70:
            moves[0].add(*(np.repeat(value, 2, axis=0) for value in values))
        else:
            if t == 70:
                moves[1].put(0, moves[0].take(1))
            moves[1].add(*values)
    first, second = stays.take(0), moves[1].take(0)
    assert np.array_equal(first.frames, second.frames)
    assert np.array_equal(first.attention, second.attention)
    assert len(first.offsets) == len(second.offsets) == 100


def test_window_moves_on_only_where_a_text_is_read() -> None:
    runs = PartRuns(TEXT, 3)
    for row, part in enumerate((WORD, FREE, WORD)):
        runs.put(row, PartRun(part, 4))
    assert runs.move_on(np.array([3.2, 3.2, 1.9], np.float32)) == [(0, 2)]
    assert runs.offsets.tolist() == [6, 4, 4]


@pytest.mark.parametrize("part", [WORD, LAST, FREE, ending(2, 2, True)])
def test_a_row_alone_has_the_part_of_a_row_among_others(part: Part) -> None:
    rng = np.random.default_rng(0)
    distances = np.array([0, 1, -1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    for still in (0, 1, 2) * 10:
        alone, among = PartRuns(TEXT, 1), PartRuns(TEXT, 2)
        alone.put(0, PartRun(part, 0, still))
        among.put(1, PartRun(part, 0, still))
        ended: list[int] = []
        for _ in range(100):
            frames = np.array([[*rng.choice(distances, 2), rng.integers(2)]], np.float32)
            attention = attention_at(rng.uniform(0, 4))[np.newaxis]
            ended = alone.add(frames, attention)
            assert among.add(np.repeat(frames, 2, axis=0), np.repeat(attention, 2, axis=0)) == [1] * len(ended)
            if ended:
                break
        one, other = alone.take(0), among.take(1)
        assert (one.still, one.rests, one.is_complete) == (other.still, other.rests, other.is_complete)
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.attention, other.attention)
