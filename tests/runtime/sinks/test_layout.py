"""Layout of ink: where lines and pages end, and that nothing leaves the page."""

import numpy as np
import pytest
from support.pen_helpers import PEN, assert_same_shapes, lay_out, shapes, words, writing

from vrnn_engine.runtime.sinks.ink.line_breaks import MAX_LINE_POINTS
from vrnn_engine.runtime.sinks.ink.page import Layout, PageOptions


@pytest.mark.parametrize("seed", range(4))
def test_strokes_keep_their_shapes_and_stay_between_the_margins(seed: int) -> None:
    ink = writing(3000, seed)
    lines = lay_out(ink, width=150, height=100, margin=8)
    strokes = [np.array(stroke) for line in lines for stroke in line.strokes]
    assert_same_shapes(strokes, shapes(ink), 1e-9)
    everything = np.concatenate(strokes)
    assert (everything >= 8 - 1e-9).all()
    assert (everything <= [142 + 1e-9, 92 + 1e-9]).all()
    assert [line.page for line in lines] == sorted(line.page for line in lines)
    assert lines[-1].page > 0


def test_layout_does_not_depend_on_the_size_of_the_blocks() -> None:
    ink = writing(2000)
    assert lay_out(ink, 1) == lay_out(ink, 777)


def test_lines_and_pages_are_filled() -> None:
    lines = lay_out(words(120, climb=0.5), width=180, height=120, margin=12)
    assert [len(line.strokes) for line in lines[:-1]] == [7] * (len(lines) - 1)
    per_page = [sum(line.page == page for line in lines) for page in range(lines[-1].page + 1)]
    assert set(per_page[:-1]) == {per_page[0]}
    assert per_page[0] >= 7
    tops = [min(y for stroke in line.strokes for _, y in stroke) for line in lines]
    for before, line, top in zip(lines, lines[1:], tops[1:], strict=False):
        assert top > before.bottom if line.page == before.page else top == pytest.approx(12)


def test_unfinished_returns_what_finish_would_and_changes_nothing() -> None:
    ink = writing(400)
    asked, plain = Layout(PageOptions(), PEN, "a"), Layout(PageOptions(), PEN, "b")
    for point in ink:
        expected = plain.add(point[None])
        assert asked.add(point[None]) == expected
        seen = asked.unfinished()
    assert seen == plain.finish() == asked.finish()
    assert asked.unfinished() == []


def test_an_endless_stroke_is_cut_at_the_margin_and_continues_on_the_next_line() -> None:
    ink = np.tile(np.float32([[0.5, 0, 0]]), (1000, 1))
    strokes = [stroke for line in lay_out(ink, width=100, margin=10) for stroke in line.strokes]
    assert [len(stroke) for stroke in strokes[:-1]] == [161] * 6
    assert sum(len(stroke) - 1 for stroke in strokes) == 999
    assert {stroke[0][0] for stroke in strokes} == {10.0}
    tall = np.tile(np.float32([[0, 0.5, 0]]), (1000, 1))
    lines = lay_out(tall, width=100, height=50, margin=10)
    assert max(y for line in lines for stroke in line.strokes for _, y in stroke) == 40
    assert sum(len(stroke) - 1 for line in lines for stroke in line.strokes) == 999


def test_a_move_larger_than_the_page_is_not_drawn() -> None:
    ink = np.array([[0, 0, 0], [1, 0, 0], [500, 0, 0], [1, 0, 1]], np.float32)
    strokes = [stroke for line in lay_out(ink) for stroke in line.strokes]
    assert [len(stroke) for stroke in strokes] == [2, 2]


def test_a_pen_that_never_advances_is_drawn_after_a_limited_number_of_points() -> None:
    """Otherwise a plotter would wait for the end of the line for ever."""
    circle = np.column_stack(
        [np.cos(np.arange(MAX_LINE_POINTS * 3)), np.sin(np.arange(MAX_LINE_POINTS * 3)), np.zeros(MAX_LINE_POINTS * 3)]
    )
    layout = Layout(PageOptions(), PEN, "here")
    lines = layout.add(circle.astype(np.float32))
    assert sum(len(stroke) for line in lines for stroke in line.strokes) >= MAX_LINE_POINTS
    assert layout.pending <= 2 * MAX_LINE_POINTS
