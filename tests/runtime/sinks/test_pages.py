"""Pages of ink: where lines and pages end, that nothing leaves the page, and that every file holds the same strokes."""

import dataclasses
import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from support.pen_helpers import PEN, read_gcode, read_hpgl, shapes, words, writing

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.sinks.ink.line_breaks import MAX_LINE_POINTS
from vrnn_engine.runtime.sinks.ink.page import Layout, Line, PageOptions

SVG = "{http://www.w3.org/2000/svg}"
LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"


def lay_out(points: np.ndarray, block: int = 20, **sheet: float) -> list[Line]:
    layout = Layout(PageOptions(**sheet), PEN, "here")
    lines = [line for start in range(0, len(points), block) for line in layout.add(points[start : start + block])]
    return lines + layout.finish()


def send(target: object, *blocks: np.ndarray, format: Format = PEN) -> None:
    sink = make_sink(str(target))
    sink.open(format)
    for block in blocks:
        sink.write(block)
    sink.close()


def read_svg(path: Path) -> tuple[list[np.ndarray], tuple[float, float]]:
    """Return strokes and size in mm, y downwards."""
    root = ET.parse(path).getroot()
    found = [node.attrib["d"] for node in root.iter(f"{SVG}path")]
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    assert (root.attrib["width"], root.attrib["height"]) == (f"{width:g}mm", f"{height:g}mm")
    return [np.array([float(n) for n in re.findall(r"-?[\d.]+", d)]).reshape(-1, 2) for d in found], (width, height)


def same_shapes(found: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - one[0] - other).max() <= tolerance


@pytest.mark.parametrize("name", ["page.svg", "page.hpgl", "page.gcode"])
def test_ink_of_a_unit_without_a_size_is_drawn_at_the_one_that_is_given(tmp_path: Path, name: str) -> None:
    ink, tablet = writing(300), dataclasses.replace(PEN, unit="tablet units")
    hint = re.escape(f"give its size in mm, e.g. {tmp_path / name}?scale=0.01")
    with pytest.raises(SinkError, match=f"the unit of voice 'toy' is 'tablet units', whose size is unknown; {hint}$"):
        send(tmp_path / name, ink, format=tablet)
    assert list(tmp_path.iterdir()) == []
    send(tmp_path / name, ink)
    expected = (tmp_path / name).read_bytes()
    send(f"{tmp_path / name}?scale=0.25", ink * [4, 4, 1], format=tablet)
    assert (tmp_path / name).read_bytes() == expected


@pytest.mark.parametrize("seed", range(4))
def test_strokes_keep_their_shapes_and_stay_between_the_margins(seed: int) -> None:
    ink = writing(3000, seed)
    lines = lay_out(ink, width=150, height=100, margin=8)
    strokes = [np.array(stroke) for line in lines for stroke in line.strokes]
    same_shapes(strokes, shapes(ink), 1e-9)
    everything = np.concatenate(strokes)
    assert (everything >= 8 - 1e-9).all()
    assert (everything <= [142 + 1e-9, 92 + 1e-9]).all()
    assert [line.page for line in lines] == sorted(line.page for line in lines)
    assert lines[-1].page > 0


def test_layout_does_not_depend_on_the_size_of_the_blocks() -> None:
    ink = writing(2000)
    assert lay_out(ink, 1) == lay_out(ink, 777)


def test_lines_are_full_and_pages_too() -> None:
    lines = lay_out(words(120, climb=0.5), width=180, height=120, margin=12)
    assert [len(line.strokes) for line in lines[:-1]] == [7] * (len(lines) - 1)
    per_page = [sum(line.page == page for line in lines) for page in range(lines[-1].page + 1)]
    assert set(per_page[:-1]) == {per_page[0]}
    assert per_page[0] >= 7
    tops = [min(y for stroke in line.strokes for _, y in stroke) for line in lines]
    for before, line, top in zip(lines, lines[1:], tops[1:], strict=False):
        assert top > before.bottom if line.page == before.page else top == pytest.approx(12)


def test_what_is_unfinished_is_what_finish_would_give_and_changes_nothing() -> None:
    ink = writing(400)
    asked, plain = Layout(PageOptions(), PEN, "a"), Layout(PageOptions(), PEN, "b")
    for point in ink:
        expected = plain.add(point[None])
        assert asked.add(point[None]) == expected
        seen = asked.unfinished()
    assert seen == plain.finish() == asked.finish()
    assert asked.unfinished() == []


def test_a_stroke_without_end_is_cut_at_the_margin_and_goes_on() -> None:
    ink = np.tile(np.float32([[0.5, 0, 0]]), (1000, 1))
    strokes = [stroke for line in lay_out(ink, width=100, margin=10) for stroke in line.strokes]
    assert [len(stroke) for stroke in strokes[:-1]] == [161] * 6
    assert sum(len(stroke) - 1 for stroke in strokes) == 999
    assert {stroke[0][0] for stroke in strokes} == {10.0}
    tall = np.tile(np.float32([[0, 0.5, 0]]), (1000, 1))
    lines = lay_out(tall, width=100, height=50, margin=10)
    assert max(y for line in lines for stroke in line.strokes for _, y in stroke) == 40
    assert sum(len(stroke) - 1 for line in lines for stroke in line.strokes) == 999


def test_a_leap_beyond_the_page_is_not_drawn() -> None:
    ink = np.array([[0, 0, 0], [1, 0, 0], [500, 0, 0], [1, 0, 1]], np.float32)
    strokes = [stroke for line in lay_out(ink) for stroke in line.strokes]
    assert [len(stroke) for stroke in strokes] == [2, 2]


def test_a_pen_that_stays_where_it_is_is_drawn_in_time() -> None:
    """Else a plotter would wait for the end of the line for ever."""
    circle = np.column_stack(
        [np.cos(np.arange(MAX_LINE_POINTS * 3)), np.sin(np.arange(MAX_LINE_POINTS * 3)), np.zeros(MAX_LINE_POINTS * 3)]
    )
    layout = Layout(PageOptions(), PEN, "here")
    lines = layout.add(circle.astype(np.float32))
    assert sum(len(stroke) for line in lines for stroke in line.strokes) >= MAX_LINE_POINTS
    assert layout.pending <= 2 * MAX_LINE_POINTS


@pytest.mark.parametrize("target", ["a.svg", "a.hpgl", "a.gcode"])
def test_a_page_too_small_is_one_line_and_no_file(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for options in ("width=30", "height=30", "margin=100", "pitch=100"):
        with pytest.raises(SinkError, match=rf"^{target}: a page .* has no room for lines .* a larger width"):
            make_sink(f"{target}?{options}").open(PEN)
    assert list(tmp_path.iterdir()) == []


def test_ink_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "a.gcode")
    sink.open(PEN)
    with pytest.raises(SinkError, match="has diverged"):
        sink.write(np.float32([[0, np.nan, 0]]))
    sink.abort()  # type: ignore[attr-defined]


def test_hpgl_and_gcode_draw_what_the_layout_says(tmp_path: Path) -> None:
    ink = writing(4000)
    options = "width=150&height=100&margin=8"
    send(f"{tmp_path}/a.hpgl?{options}&pen=2", ink[:1500], ink[1500:])
    send(f"{tmp_path}/a.gcode?{options}", ink[:1500], ink[1500:])
    lines = lay_out(ink, width=150, height=100, margin=8)
    pages = [[np.array(s) for line in lines if line.page == page for s in line.strokes] for page in range(20)]
    pages = [page for page in pages if page]
    assert len(pages) > 1
    for found, tolerance in ((read_hpgl(tmp_path / "a.hpgl"), 0.5 / 40), (read_gcode(tmp_path / "a.gcode"), 0.005)):
        assert len(found) == len(pages)
        for strokes, expected in zip(found, pages, strict=True):
            assert len(strokes) == len(expected)
            for one, other in zip(strokes, expected, strict=True):
                flipped = other * [1, -1] + [0, 100]
                assert np.abs(one[[0, -1]] - flipped[[0, -1]]).max() <= tolerance + 1e-9
                # Points that fall on the one before are drawn once.
                distances = np.abs(flipped[:, None] - one[None]).max(axis=2).min(axis=1)
                assert distances.max() <= tolerance + 1e-9
    assert (tmp_path / "a.hpgl").read_text().startswith("IN;\nSP2;")


@pytest.mark.parametrize(("settle", "line"), [("0.00001", None), ("0.00051", "G4 P0.001"), ("12.3456", "G4 P12.346")])
def test_gcode_has_no_exponents(tmp_path: Path, settle: str, line: str | None) -> None:
    send(f"{tmp_path}/a.gcode?settle={settle}&width=99999&height=1e5", words(2))
    lines = (tmp_path / "a.gcode").read_text().splitlines()
    assert not any(re.search(r"\de", one) for one in lines)
    assert [one for one in lines if one.startswith("G4")] == ([line] * 6 if line else [])


def test_gcode_goes_at_the_speed_of_the_pen_and_no_faster_than_it_may(tmp_path: Path) -> None:
    slow, fast = np.float32([[1, 0, 0], [0.1, 0, 0], [0.1, 0, 1]]), np.float32([[1, 0, 0], [9, 0, 0], [9, 0, 1]])
    send(f"{tmp_path}/a.gcode?feed=1200&down=G1 Z-1 F300;G4 P0.5&up=G0 Z3&settle=0&start=$H&origin=top", slow, fast)
    assert (tmp_path / "a.gcode").read_text().splitlines() == [
        *("$H", "G21", "G90", "G94", "G0 Z3"),
        *("G0 X12.00 Y12.00", "G1 Z-1 F300", "G4 P0.5", "G1 X12.10 Y12.00 F600", "G1 X12.20 Y12.00 F600", "G0 Z3"),
        *("G0 X13.20 Y12.00", "G1 Z-1 F300", "G4 P0.5", "G1 X22.20 Y12.00 F1200", "G1 X31.20 Y12.00 F1200", "G0 Z3"),
        *("G0 Z3", "G0 X0 Y0"),
    ]


def test_vpype_reads_the_strokes_and_a_layer_for_each_line(tmp_path: Path) -> None:
    vpype = pytest.importorskip("vpype", reason="vpype comes with the extra `dev`")
    ink = writing(2000)
    send(f"{tmp_path}/a.svg?width=120&margin=5", ink)
    document = vpype.read_multilayer_svg(str(tmp_path / "a.svg"), quantization=0.1)
    millimetre = 96 / 25.4
    lines = lay_out(ink, width=120, margin=5)
    assert sorted(document.layers) == list(range(1, len(lines) + 1))
    assert document.page_size[0] / millimetre == pytest.approx(120)
    assert document.page_size[1] / millimetre == pytest.approx(lines[-1].bottom + 5, abs=1e-3)
    for number, line in enumerate(lines, start=1):
        found = [np.column_stack([one.real, one.imag]) / millimetre for one in document.layers[number].lines]
        expected = [np.array(stroke) for stroke in line.strokes]
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert np.abs(one - (other if len(other) > 1 else other + [[0, 0], [0.02, 0]])).max() < 0.006
        assert document.layers[number].property("vp_name") == f"{number} line"


def test_svg_lifts_the_pen_after_the_point(tmp_path: Path) -> None:
    points = [[1, 0, 0], [2, 1, 1], [5, 0, 0], [0, 3, 0], [1, 0, 1], [4, -3, 1]]
    send(tmp_path / "a.svg", np.array(points, np.float32))
    first, second, dot = read_svg(tmp_path / "a.svg")[0]
    assert np.allclose(np.diff(first, axis=0), [[2, 1]])
    assert np.allclose(np.diff(second, axis=0), [[0, 3], [1, 0]])
    assert np.allclose(second[0] - first[-1], [5, 0])
    assert np.allclose(dot, second[-1] + [4, -3], atol=0.021)
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.attrib["width"] == "180mm"
    assert root.attrib["viewBox"].split()[:3] == ["0", "0", "180"]


def test_svg_wraps_between_words_and_stays_on_the_page(tmp_path: Path) -> None:
    send(tmp_path / "a.svg", words(60, climb=1.0))
    found = read_svg(tmp_path / "a.svg")[0]
    assert len(found) == 60
    root = ET.parse(tmp_path / "a.svg").getroot()
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    assert width == 180
    for stroke in found:
        assert (stroke >= 10).all()
        assert (stroke <= [width - 10, height - 10]).all()
    starts = [index for index in range(1, 60) if found[index][0, 0] < found[index - 1][0, 0]]
    assert len(starts) >= 6
    # Each line starts afresh at the same margin, below the one before, though the ink climbs all the time.
    assert np.ptp([found[index][0, 0] for index in [0, *starts]]) < 0.05
    lows = [found[index][0, 1] for index in [0, *starts]]
    assert (np.diff(lows) > 8).all()
    # Within a line, dy is kept as it is.
    assert found[1][0, 1] - found[0][0, 1] == pytest.approx(-1.0, abs=0.02)


def test_svg_breaks_lines_where_words_do(tmp_path: Path) -> None:
    letter, dot = [(0, 4, 0), (2, 0, 1)], [(-1, -6, 1), (1, 2, 0)]
    word = [(6, 0, 0), *letter, (1, -4, 0), *letter, *dot, (1, 0, 0), *letter, (0, -4, 1)]
    send(tmp_path / "a.svg", np.array(word * 40, np.float32))
    found = read_svg(tmp_path / "a.svg")[0]
    per_word = len(found) // 40
    starts = [i for i in range(1, len(found)) if found[i][0, 0] < found[i - 1][0, 0] - 50]
    assert len(starts) >= 2
    assert [start % per_word for start in starts] == [0] * len(starts)


def test_svg_takes_a_pen_that_goes_back_for_a_new_line(tmp_path: Path) -> None:
    """Voices that learned from several lines of writing do; only part of a line must not end up on the next."""
    stroke = [(6, 3, 0), (6, -3, 1)]
    far = [(-100, 1, 0), *stroke]  # all the way
    near = [(-40, 8, 0), *stroke]  # and down
    dot = [(-30, -8, 1), (30, 8, 0)]  # the dot of an i, set afterwards: no new line
    send(tmp_path / "a.svg", np.array([*stroke * 9, *far, *stroke * 3, *near, *stroke * 3, *dot], np.float32))
    found = read_svg(tmp_path / "a.svg")[0]
    assert [i for i in range(1, len(found)) if abs(min(found[i][:, 0]) - 12) < 0.1] == [9, 13]


def test_svg_knows_units(tmp_path: Path) -> None:
    sent = np.array([[0, 0, 0], [1, 0, 1]], np.float32)
    send(tmp_path / "a.svg", sent, format=Format("pen", 100, 3, "in", "toy"))
    assert np.ptp(read_svg(tmp_path / "a.svg")[0][0][:, 0]) == pytest.approx(25.4)
    with pytest.raises(SinkError, match="furlong"):
        make_sink(tmp_path / "b.svg").open(Format("pen", 100, 3, "furlong", "toy"))


def test_an_empty_page_is_still_a_page(tmp_path: Path) -> None:
    send(tmp_path / "a.svg")
    assert read_svg(tmp_path / "a.svg")[0] == []


def test_layers_may_be_of_strokes(tmp_path: Path) -> None:
    send(f"{tmp_path}/a.svg?layers=stroke&ink=0.5", words(9))
    root = ET.parse(tmp_path / "a.svg").getroot()
    groups = root.findall(f"{SVG}g")
    assert [group.attrib[LABEL] for group in groups] == [f"{n} stroke" for n in range(1, 10)]
    assert all(len(group) == 1 for group in groups)
    assert root.attrib["stroke-width"] == "0.5"


def test_a_growing_page_is_whole_after_every_write(tmp_path: Path) -> None:
    ink, path = writing(1500), tmp_path / "a.svg"
    path.write_text("before")
    expected = shapes(ink)
    sink = make_sink(f"{path}?width=120")
    sink.open(PEN)
    assert path.read_text() == "before"
    counts = []
    for start in range(0, len(ink), 10):
        sink.write(ink[start : start + 10])
        strokes, size = read_svg(path)
        counts.append(len(strokes))
        # The last may go on.
        for stroke, shape in zip(strokes[:-1], expected, strict=False):
            assert np.abs(stroke - stroke[0] - shape).max() < 0.021
        assert (np.concatenate(strokes) <= size).all()
        drawn = (ink[: start + 10, 2] > 0.5).sum()
        assert drawn * 0.96 - 1 <= len(strokes) <= drawn + 1
    assert counts == sorted(counts)
    assert len(set(counts)) > 50
    sink.close()
    assert len(read_svg(path)[0]) == len(expected)
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]


def test_whoever_opens_a_growing_page_finds_it_whole(tmp_path: Path) -> None:
    path, over, torn, reads = tmp_path / "a.svg", threading.Event(), [], [0]
    send(path, words(1))

    def read() -> None:
        while not over.is_set():
            try:
                ET.fromstring(path.read_bytes())
            except (ET.ParseError, OSError) as error:
                torn.append(error)
            reads[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    ink = writing(3000)
    send(path, *(ink[start : start + 4] for start in range(0, len(ink), 4)))
    over.set()
    reader.join()
    assert not torn
    assert reads[0] > 1


def test_an_error_leaves_the_page_as_far_as_it_was_drawn(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    sink = make_sink(path)
    sink.open(PEN)
    assert not path.exists()
    sink.write(words(3))
    assert len(read_svg(path)[0]) == 3


def test_further_pages_of_svg_are_further_files(tmp_path: Path) -> None:
    ink = words(60)
    sink = make_sink(f"{tmp_path}/a.svg?height=60")
    sink.open(PEN)
    for start in range(0, len(ink), 30):
        sink.write(ink[start : start + 30])
        for file in tmp_path.iterdir():
            strokes, _ = read_svg(file)
            assert len({tuple(stroke[0]) for stroke in strokes}) == len(strokes)  # none belongs to another page
    sink.close()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["a-2.svg", "a-3.svg", "a.svg"]
    pages = [read_svg(tmp_path / name) for name in ("a.svg", "a-2.svg", "a-3.svg")]
    assert {size for _, size in pages} == {(180.0, 60.0)}
    same_shapes([stroke for strokes, _ in pages for stroke in strokes], shapes(ink), 0.021)
    assert sink.label == f"{tmp_path}/a.svg ... {tmp_path}/a-3.svg"  # type: ignore[attr-defined]


def test_a_full_disk_leaves_the_last_page_that_fitted(tiny_disk: Path) -> None:
    sink = make_sink(tiny_disk / "a.svg")
    sink.open(PEN)
    with pytest.raises(SinkError, match="No space left on device"):
        for _ in range(1000):
            sink.write(words(10))
    assert len(read_svg(tiny_disk / "a.svg")[0]) > 10
    assert [file.name for file in tiny_disk.iterdir()] == ["a.svg"]
