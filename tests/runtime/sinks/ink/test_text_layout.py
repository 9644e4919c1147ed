"""Layout of a voice that writes a text: its own line ends, blank lines, alignment, size; a waiting pen is no ink."""

from pathlib import Path

import numpy as np
import pytest
from support.pen_helpers import LETTER, PEN, RESTS, read_gcode, read_svg, send, words, written_text

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import make_sink
from vrnn_engine.runtime.sinks.ink.page import Layout, Line, PageOptions

TEXT = "dear anna\nthank you\n\nso long\n\n\nyours"


def lay_out(ink: np.ndarray, block: int = 20, **options: object) -> list[Line]:
    layout = Layout(PageOptions(**options), LETTER, "here")
    lines = [line for start in range(0, len(ink), block) for line in layout.add(ink[start : start + block])]
    return lines + layout.finish()


def middles(lines: list[Line]) -> list[float]:
    return [float(np.median([y for stroke in line.strokes for _, y in stroke])) for line in lines]


@pytest.mark.parametrize("drift", [-0.3, 0.0, 0.3])
def test_a_line_ends_where_the_text_does_and_blank_lines_are_kept(drift: float) -> None:
    lines = lay_out(written_text(TEXT, drift))
    assert [len(line.strokes) for line in lines] == [2, 2, 2, 1]  # a stroke for each word
    assert np.diff(middles(lines)) == pytest.approx([11, 22, 33])
    assert {min(x for stroke in line.strokes for x, _ in stroke) for line in lines} == {12.0}


def test_blank_lines_above_the_first_line_are_kept_and_those_at_the_top_of_a_further_page_are_not() -> None:
    first, second = lay_out(written_text("\n\none\n\n\n\n\ntwo"), height=70.0)
    assert (first.page, second.page) == (0, 1)
    top = [min(y for stroke in line.strokes for _, y in stroke) for line in (first, second)]
    assert top == pytest.approx([12 + 22, 12])


def test_a_short_line_ends_as_well() -> None:
    assert len(lay_out(written_text("i\nam\ni\n\ni"))) == 4


def test_strokes_that_begin_far_back_or_low_within_a_line_do_not_end_it() -> None:
    word = written_text("abcdefghijklmnopqrst")  # 80 mm
    dot = np.float32([[-77, -3, 1]])  # above the beginning of the line
    tail = np.float32([[0, 8.5, 1]])  # 0.4 line heights below it
    low = np.float32([[77, 5, 1]])  # 0.9 line heights down, but not at the beginning of the line
    assert len(lay_out(np.concatenate([word, dot, tail, low]))) == 1


def test_a_line_that_the_page_breaks_is_followed_by_the_next_line_of_the_text() -> None:
    lines = lay_out(written_text("one two three four five six\nseven"), width=100.0)
    assert [len(line.strokes) for line in lines] == [4, 2, 1]
    assert np.diff(middles(lines)) == pytest.approx([11, 11])


def test_a_line_that_is_a_little_too_wide_is_shrunk_and_not_broken() -> None:
    ink = written_text("a word and word\nthe next")  # 4 mm a character; the last point is at 59 mm
    whole, next_line = lay_out(ink, width=83.0)
    shrunk, same = lay_out(ink, width=79.0, align="right")
    assert [len(line.strokes) for line in (shrunk, same)] == [4, 2]
    x = [x for stroke in shrunk.strokes for x, _ in stroke]
    assert (min(x), max(x)) == pytest.approx((12, 67))
    for one, other in zip(shrunk.strokes, whole.strokes, strict=True):
        assert np.subtract(one, one[0]) == pytest.approx(55 / 59 * np.subtract(other, other[0]))
    for one, other in zip(same.strokes, next_line.strokes, strict=True):
        assert np.subtract(one, one[0]) == pytest.approx(np.subtract(other, other[0]))
    assert len(lay_out(ink, width=75.0)) == 3  # more than a tenth too wide


def test_layout_of_a_text_does_not_depend_on_the_size_of_the_blocks() -> None:
    ink = written_text(TEXT)
    assert lay_out(ink, 1) == lay_out(ink, 1000)


def test_a_waiting_pen_is_no_ink() -> None:
    ink = written_text(TEXT)
    half = int(np.flatnonzero(ink[:, 2])[2]) + 1  # between two words
    assert lay_out(np.concatenate([RESTS, ink[:half], RESTS, ink[half:], RESTS])) == lay_out(ink)
    dots = Layout(PageOptions(), PEN, "here")  # of a voice that writes no text, such points are dots
    assert dots.add(np.concatenate([words(1), RESTS])) == []
    assert len(dots.finish()[0].strokes) == 1 + len(RESTS)


@pytest.mark.parametrize(("align", "left"), [("left", 0.0), ("center", 0.5), ("right", 1.0)])
def test_lines_are_aligned(align: str, left: float) -> None:
    lines = lay_out(written_text(TEXT), align=align, width=180.0, margin=15.0)
    for line in lines:
        x = [x for stroke in line.strokes for x, _ in stroke]
        assert min(x) - 15 == pytest.approx(left * (150 - (max(x) - min(x))))


def test_size_is_the_height_of_an_x_and_scales_the_lines_with_it() -> None:
    usual, small = lay_out(written_text(TEXT), size=0.21 * 11), lay_out(written_text(TEXT), size=0.21 * 11 / 2)
    for one, other in zip(usual, small, strict=True):
        for whole, half in zip(one.strokes, other.strokes, strict=True):
            assert np.subtract(half, half[0]) == pytest.approx(np.subtract(whole, whole[0]) / 2)
    assert np.diff(middles(small)) == pytest.approx([5.5, 11, 16.5])
    wide = lay_out(written_text(TEXT), size=0.21 * 11 / 2, pitch=8.0)
    assert np.diff(middles(wide)) == pytest.approx([8, 16, 24])


def test_size_needs_a_voice_that_writes_a_text_and_excludes_scale() -> None:
    with pytest.raises(SinkError, match="writes no text"):
        Layout(PageOptions(size=2.0), PEN, "here")
    with pytest.raises(SinkError, match="either a size or a scale"):
        Layout(PageOptions(size=2.0, scale=1.0), LETTER, "here")


def test_lines_as_wide_as_a_sink_allows_stay_whole(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "page.svg?width=100&margin=8&scale=0.5")
    width = sink.line_width(LETTER)
    assert width == pytest.approx((84 - 0.25 * 5.5) / 0.5)
    letters = "a" * int(width / 4)
    assert len(lay_out(written_text(f"{letters}\n{letters}"), width=100.0, margin=8.0, scale=0.5)) == 2
    assert make_sink(tmp_path / "points.jsonl").line_width(LETTER) is None


def test_files_have_the_pages_of_a_long_letter_and_say_how_many(tmp_path: Path) -> None:
    ink = np.concatenate([written_text("\n".join([TEXT] * 4)), RESTS])
    for name in ("page.svg?width=100&height=80", "page.gcode?width=100&height=80"):
        sink = make_sink(tmp_path / name)
        sink.open(LETTER)
        sink.write(ink)
        sink.close()
        assert (sink.lines, sink.pages) == (16, 5)
    drawn = [tmp_path / "page.svg", *(tmp_path / f"page-{number}.svg" for number in range(2, 6))]
    strokes = [len(read_svg(path)[0]) for path in drawn]
    assert strokes == [len(page) for page in read_gcode(tmp_path / "page.gcode")]
    assert sum(strokes) == 4 * 7
    assert not (tmp_path / "page-6.svg").exists()


def test_points_of_a_waiting_pen_are_kept_in_a_file_of_points(tmp_path: Path) -> None:
    send(tmp_path / "points.jsonl", written_text("one"), RESTS, format=LETTER)
    assert len((tmp_path / "points.jsonl").read_text().splitlines()) == 12 + len(RESTS)
