"""SVG files: the strokes are complete and in their places, and the file is complete at any time."""

import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from support.pen_helpers import PEN, SVG, assert_same_shapes, lay_out, read_svg, send, shapes, words, writing

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format, make_sink

LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"


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


def test_svg_breaks_lines_between_words_and_stays_on_the_page(tmp_path: Path) -> None:
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
    # Each line starts at the left margin and below the one before, although the ink climbs all the time.
    assert np.ptp([found[index][0, 0] for index in [0, *starts]]) < 0.05
    lows = [found[index][0, 1] for index in [0, *starts]]
    assert (np.diff(lows) > 8).all()
    # Within a line, dy is unchanged.
    assert found[1][0, 1] - found[0][0, 1] == pytest.approx(-1.0, abs=0.02)


def test_svg_does_not_break_a_word_of_several_strokes(tmp_path: Path) -> None:
    letter, dot = [(0, 4, 0), (2, 0, 1)], [(-1, -6, 1), (1, 2, 0)]
    word = [(6, 0, 0), *letter, (1, -4, 0), *letter, *dot, (1, 0, 0), *letter, (0, -4, 1)]
    send(tmp_path / "a.svg", np.array(word * 40, np.float32))
    found = read_svg(tmp_path / "a.svg")[0]
    per_word = len(found) // 40
    starts = [i for i in range(1, len(found)) if found[i][0, 0] < found[i - 1][0, 0] - 50]
    assert len(starts) >= 2
    assert [start % per_word for start in starts] == [0] * len(starts)


def test_svg_begins_a_line_where_the_pen_returns_to_the_left(tmp_path: Path) -> None:
    """Voices that were trained on several lines do this; no part of a line may end up on the next one."""
    stroke = [(6, 3, 0), (6, -3, 1)]
    far = [(-100, 1, 0), *stroke]  # far to the left
    near = [(-40, 8, 0), *stroke]  # less far, and down
    dot = [(-30, -8, 1), (30, 8, 0)]  # the dot of an i, added later: not a new line
    send(tmp_path / "a.svg", np.array([*stroke * 9, *far, *stroke * 3, *near, *stroke * 3, *dot], np.float32))
    found = read_svg(tmp_path / "a.svg")[0]
    assert [i for i in range(1, len(found)) if abs(min(found[i][:, 0]) - 12) < 0.1] == [9, 13]


def test_svg_converts_units_of_length(tmp_path: Path) -> None:
    sent = np.array([[0, 0, 0], [1, 0, 1]], np.float32)
    send(tmp_path / "a.svg", sent, format=Format("pen", 100, 3, "in", "toy"))
    assert np.ptp(read_svg(tmp_path / "a.svg")[0][0][:, 0]) == pytest.approx(25.4)
    with pytest.raises(SinkError, match="furlong"):
        make_sink(tmp_path / "b.svg").open(Format("pen", 100, 3, "furlong", "toy"))


def test_svg_without_ink_is_a_valid_page(tmp_path: Path) -> None:
    send(tmp_path / "a.svg")
    assert read_svg(tmp_path / "a.svg")[0] == []


def test_layers_can_be_strokes(tmp_path: Path) -> None:
    send(f"{tmp_path}/a.svg?layers=stroke&ink=0.5", words(9))
    root = ET.parse(tmp_path / "a.svg").getroot()
    groups = root.findall(f"{SVG}g")
    assert [group.attrib[LABEL] for group in groups] == [f"{n} stroke" for n in range(1, 10)]
    assert all(len(group) == 1 for group in groups)
    assert root.attrib["stroke-width"] == "0.5"


@pytest.mark.parametrize("layers", ["", "layers=pen", "layers=line", "layers=stroke"])
def test_all_layers_hold_the_same_strokes_and_a_pen_is_one_layer(tmp_path: Path, layers: str) -> None:
    ink = writing(1000)
    send(f"{tmp_path}/a.svg?width=120&{layers}".rstrip("&"), ink)
    root = ET.parse(tmp_path / "a.svg").getroot()
    groups = root.findall(f"{SVG}g")
    kind = layers.partition("=")[2] or "pen"
    lines = lay_out(ink, width=120)
    count = {"pen": 1, "line": len(lines), "stroke": sum(len(line.strokes) for line in lines)}[kind]
    assert [group.attrib[LABEL] for group in groups] == [f"{n} {kind}" for n in range(1, count + 1)]
    send(f"{tmp_path}/b.svg?width=120&layers=stroke", ink)
    assert [path.attrib["d"] for path in root.iter(f"{SVG}path")] == [
        path.attrib["d"] for path in ET.parse(tmp_path / "b.svg").getroot().iter(f"{SVG}path")
    ]


def test_vpype_reads_the_strokes_and_a_layer_for_each_line(tmp_path: Path) -> None:
    vpype = pytest.importorskip("vpype", reason="vpype comes with the extra `dev`")
    ink = writing(2000)
    send(f"{tmp_path}/a.svg?width=120&margin=5&layers=line&smooth=false", ink)
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


def test_a_growing_page_is_complete_after_every_write(tmp_path: Path) -> None:
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
        # The last one may continue.
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


def test_a_reader_never_finds_a_growing_page_incomplete(tmp_path: Path) -> None:
    path, over, incomplete, reads = tmp_path / "a.svg", threading.Event(), [], [0]
    send(path, words(1))

    def read() -> None:
        while not over.is_set():
            try:
                ET.fromstring(path.read_bytes())
            except (ET.ParseError, OSError) as error:
                incomplete.append(error)
            reads[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    ink = writing(3000)
    send(path, *(ink[start : start + 4] for start in range(0, len(ink), 4)))
    over.set()
    reader.join()
    assert not incomplete
    assert reads[0] > 1


def test_an_error_leaves_the_last_page_that_was_written(tmp_path: Path) -> None:
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
            assert len({tuple(stroke[0]) for stroke in strokes}) == len(strokes)  # no stroke is in two files
    sink.close()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["a-2.svg", "a-3.svg", "a.svg"]
    pages = [read_svg(tmp_path / name) for name in ("a.svg", "a-2.svg", "a-3.svg")]
    assert {size for _, size in pages} == {(180.0, 60.0)}
    assert_same_shapes([stroke for strokes, _ in pages for stroke in strokes], shapes(ink), 0.021)
    assert sink.label == f"{tmp_path}/a.svg ... {tmp_path}/a-3.svg"


@pytest.mark.parametrize(("pages", "older"), [(2, "a-3.svg ... {}/a-5.svg"), (4, "a-5.svg"), (5, None)])
def test_pages_of_an_earlier_longer_run_are_named(
    tmp_path: Path, said: list[str], pages: int, older: str | None
) -> None:
    for number in (2, 3, 4, 5, 7):  # 7 does not follow on 5, so it is another drawing
        (tmp_path / f"a-{number}.svg").write_text("older")
    send(f"{tmp_path}/a.svg?height=37&pitch=13", words(7 * pages))
    assert len(list(tmp_path.iterdir())) == 6
    assert [(tmp_path / f"a-{n}.svg").read_text() == "older" for n in (2, 3, 4, 5)] == [n > pages for n in (2, 3, 4, 5)]
    expected = [] if older is None else [f"{tmp_path}/{older.format(tmp_path)}: from an earlier run"]
    assert [line.partition(", not")[0] for line in said] == expected


def test_a_full_disk_leaves_the_last_page_that_was_written(tiny_disk: Path) -> None:
    sink = make_sink(tiny_disk / "a.svg")
    sink.open(PEN)
    with pytest.raises(SinkError, match="No space left on device"):
        for _ in range(1000):
            sink.write(words(10))
    assert len(read_svg(tiny_disk / "a.svg")[0]) > 10
    assert [file.name for file in tiny_disk.iterdir()] == ["a.svg"]


def test_an_animated_page_draws_all_strokes_in_the_order_and_time_of_writing(tmp_path: Path) -> None:
    ink = writing(600)
    send(f"{tmp_path}/still.svg?width=120", ink)
    send(f"{tmp_path}/moving.svg?width=120&animate=2", ink[:250], ink[250:])
    assert [stroke.tolist() for stroke in read_svg(tmp_path / "moving.svg")[0]] == [
        stroke.tolist() for stroke in read_svg(tmp_path / "still.svg")[0]
    ]
    paths = list(ET.parse(tmp_path / "moving.svg").getroot().iter(f"{SVG}path"))
    pattern = r"animation-delay:([\d.]+)s;animation-duration:([\d.]+)s"
    times = np.array([re.fullmatch(pattern, path.attrib["style"]).groups() for path in paths], float)
    assert {path.attrib["pathLength"] for path in paths} == {"1"}
    assert times[1:, 0] == pytest.approx(times[:-1].sum(axis=1), abs=0.011)
    assert times[:, 1].sum() == pytest.approx(len(ink) / 100 / 2, abs=0.01 * len(times))
    (style,) = ET.parse(tmp_path / "moving.svg").getroot().iter(f"{SVG}style")
    assert "@keyframes write" in style.text
    assert "animation" not in (tmp_path / "still.svg").read_text()
