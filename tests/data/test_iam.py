"""IAM-OnDB as distributed: lines from XML, the official split, and files that cannot be read."""

import numpy as np
import pytest

from vrnn_engine.data.iam import load_line_strokes
from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.errors import DataError

HEAD = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<WhiteboardCaptureSession><WhiteboardDescription/><StrokeSet>'
TAIL = "</StrokeSet></WhiteboardCaptureSession>"


def write_line(folder, identity, strokes):
    form = identity.rpartition("-")[0]
    path = folder / "lineStrokes" / identity[:3] / form[:7] / f"{identity}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    xml = "".join(
        f'<Stroke colour="black">{"".join(f"""<Point x="{x}" y="{y}" time="0.1"/>""" for x, y in stroke)}</Stroke>'
        for stroke in strokes
    )
    path.write_text(HEAD + xml + TAIL)
    return path


def scribble(seed, points=30):
    moves = np.random.default_rng(seed).integers(-20, 40, (points, 2))
    path = 1000 + np.cumsum(moves, axis=0)
    return [path[: points // 2].tolist(), path[points // 2 :].tolist()]


@pytest.fixture
def corpus(tmp_path):
    """Folder of forty forms with two lines each."""
    for form in range(40):
        for line in (1, 2):
            write_line(tmp_path, f"a{form // 10:02d}-{form:03d}u-{line:02d}", scribble(10 * form + line))
    return tmp_path


def write_lists(folder):
    parts = {"trainset": range(6), "testset_v": [6], "testset_t": [7], "testset_f": [8, 9]}
    (folder / "task1").mkdir()
    for name, forms in parts.items():
        text = "\n".join(f" a{form // 10:02d}-{form:03d}u" for form in forms)
        (folder / "task1" / f"{name}.txt").write_text(text + "\n")


def pen(path, **options):
    return PenCorpus(
        path, PenData(rows=4, chunk=10, rate=50, authors_normalisation=True, split_by_form=True), **options
    )


def test_line_has_its_points_in_order(tmp_path):
    write_line(tmp_path, "a01-000u-01", [[(5, 7), (8, 6)], [(20, 6)], [(21, 9), (21, 4)]])
    table, skipped = load_line_strokes(tmp_path)
    assert table["dxy"].tolist() == [[0, 0], [3, -1], [12, 0], [1, 3], [0, -5]]
    assert table["eos"].tolist() == [0, 1, 1, 0, 1]
    assert table["offsets"].tolist() == [0, 5]
    assert table["ids"].tolist() == ["a01-000u-01"]
    assert "split" not in table
    assert skipped == []


def test_official_lists_decide_the_split_and_leave_out_other_forms(corpus):
    write_lists(corpus)
    table, _ = load_line_strokes(corpus)
    where = {}
    for identity, split in zip(table["ids"], table["split"], strict=True):
        where.setdefault(str(split), []).append(int(identity[4:7]))
    assert where == {"train": sorted([*range(6)] * 2), "valid": [6, 6, 7, 7], "test": [8, 8, 9, 9]}
    lines = pen(corpus).lines
    assert {split: len(found) for split, found in lines.items()} == {"train": 12, "valid": 4, "test": 4}


def test_lists_may_begin_with_a_byte_order_mark(corpus):
    write_lists(corpus)
    before = load_line_strokes(corpus)[0]["split"]
    for path in corpus.rglob("*set*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    np.testing.assert_array_equal(load_line_strokes(corpus)[0]["split"], before)


def test_lines_of_a_form_stay_together_without_lists(corpus):
    whole = pen(corpus)
    assert sum(map(len, whole.lines.values())) == 80
    assert all(len(lines) % 2 == 0 for lines in whole.lines.values())
    assert whole.lines["train"][0].shape == (30, 3)


def test_unreadable_file_is_left_out_or_refused_by_strict(corpus):
    broken = write_line(corpus, "a01-011u-01", scribble(0))
    broken.write_text(broken.read_text()[:300])
    empty = write_line(corpus, "a01-012u-01", [])
    odd = write_line(corpus, "a01-013u-01", [[(1, 2), ("left", 3)]])
    far = write_line(corpus, "a01-014u-01", [[(1, 2), (99999999999, 3)]])
    found = pen(corpus)
    assert sum(map(len, found.lines.values())) == 76
    assert [line.partition(": ")[0] for line in found.skipped] == [str(broken), str(empty), str(odd), str(far)]
    with pytest.raises(DataError, match=r"a01-011u-01\.xml: not a line of IAM-OnDB"):
        pen(corpus, strict=True)


def test_strict_refuses_a_coordinate_out_of_range(corpus):
    far = write_line(corpus, "a01-014u-01", [[(1, 2), (99999999999, 3)]])
    with pytest.raises(DataError, match=f"{far}: not a line of IAM-OnDB"):
        pen(corpus, strict=True)


def test_list_that_is_not_text_raises_one_line(corpus):
    write_lists(corpus)
    (corpus / "task1" / "testset_v.txt").write_bytes(b"a00-006u\xff\xfe\n")
    with pytest.raises(DataError, match=r"testset_v\.txt: this list of forms is not text in UTF-8") as caught:
        pen(corpus)
    assert "\n" not in str(caught.value)


def test_line_of_one_point_is_left_out(corpus):
    write_line(corpus, "a01-011u-01", [[(1, 2)]])
    assert sum(map(len, pen(corpus).lines.values())) == 79


def test_folder_without_lines_raises_one_line(tmp_path):
    with pytest.raises(DataError, match="no lines of ink in this folder; does it contain lineStrokes"):
        pen(tmp_path)
    broken = write_line(tmp_path, "a01-011u-01", [])
    with pytest.raises(DataError, match=f"the first file that cannot be read: {broken}: it has no strokes"):
        pen(tmp_path)


def test_npz_may_contain_the_split(corpus, tmp_path):
    write_lists(corpus)
    table, _ = load_line_strokes(corpus)
    np.savez(tmp_path / "lines.npz", **table)
    for one, other in zip(pen(corpus).lines.values(), pen(tmp_path / "lines.npz").lines.values(), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    table["split"][0] = "exam"
    np.savez(tmp_path / "odd.npz", **table)
    with pytest.raises(DataError, match="split must be train, valid, test, not 'exam'"):
        pen(tmp_path / "odd.npz")


PAGES = ("original/a00/a00-000/strokesz.xml", "original/b01/b01-000/strokesw.xml")


def write_page(folder, name):
    """Write a whole page, in the format of a line."""
    (folder / name).parent.mkdir(parents=True)
    line = write_line(folder, "a00-099u-01", scribble(1, 900))
    line.rename(folder / name)


def test_whole_pages_beside_the_lines_are_not_lines(corpus):
    write_lists(corpus)
    alone, _ = load_line_strokes(corpus)
    for name in PAGES:
        write_page(corpus, name)
    (corpus / "original" / "a00-001u-01.xml").write_text("<Transcription/>")
    beside, skipped = load_line_strokes(corpus)
    assert skipped == []
    assert all(np.array_equal(beside[name], alone[name]) for name in alone)


def test_folder_of_pages_alone_has_no_lines(tmp_path):
    for name in PAGES:
        write_page(tmp_path, name)
    with pytest.raises(DataError, match="no lines of ink in this folder; does it contain lineStrokes"):
        load_line_strokes(tmp_path / "original")


@pytest.mark.parametrize("name", ["trainset", "testset_v", "testset_t", "testset_f"])
def test_missing_list_is_refused_and_named(corpus, name):
    write_lists(corpus)
    (corpus / "task1" / f"{name}.txt").unlink()
    with pytest.raises(DataError, match=rf"but not {name}\.txt; .* add .*, or remove all of them") as caught:
        load_line_strokes(corpus)
    assert "\n" not in str(caught.value)


def test_hidden_copies_of_macos_are_ignored(corpus):
    write_lists(corpus)
    alone, _ = load_line_strokes(corpus)
    for path in [*corpus.rglob("*.xml"), *corpus.rglob("*.txt")]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    copied, skipped = load_line_strokes(corpus, strict=True)
    assert skipped == []
    assert np.array_equal(copied["ids"], alone["ids"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('x="5"', ""), "a point has no attribute x"),
        (('y="7"', ""), "a point has no attribute y"),
        (('x="5"', 'x="1000.5"'), "a coordinate must be a whole number, not '1000.5'"),
        (('x="5"', 'x="99999999999"'), "a coordinate is out of range"),
    ],
)
def test_line_that_cannot_be_read_is_explained_in_words(tmp_path, change, message):
    path = write_line(tmp_path, "a01-000u-01", [[(5, 7), (8, 6)]])
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(DataError) as caught:
        load_line_strokes(tmp_path, strict=True)
    assert str(caught.value) == f"{path}: not a line of IAM-OnDB: {message}"


def write_transcript(folder, form, lines):
    path = folder / "ascii" / form[:3] / form[:7] / f"{form}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("OCR:\n\nwRong Text\n\nCSR: \n\n" + "\n".join(lines) + "\n\n")
    return path


def test_lines_get_their_texts_by_number(tmp_path):
    for identity in ("a01-000u-01", "a01-000u-02", "a01-000u-03", "a01-001u-01"):
        write_line(tmp_path, identity, scribble(1))
    assert "texts" not in load_line_strokes(tmp_path)[0]
    path = write_transcript(tmp_path, "a01-000u", ["A move to stop", "Mr. Gaitskell"])
    table, _ = load_line_strokes(tmp_path)
    assert table["texts"].tolist() == ["A move to stop", "Mr. Gaitskell", "", ""]
    path.write_bytes(b"CSR:\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"a01-000u\.txt: this transcript is not text in UTF-8"):
        load_line_strokes(tmp_path)


def test_a_folder_with_transcripts_is_a_corpus_of_texts(corpus):
    for form in range(40):
        write_transcript(corpus, f"a{form // 10:02d}-{form:03d}u", ["bad bed", "a face"] if form % 2 else ["bad bed"])
    text = TextLines(min_points=1.0, max_points=90.0)
    found = TextCorpus(corpus, "abcdef ", PenData(rows=4, chunk=99, rate=30, resample=True, height_mm=1.8, text=text))
    assert found.left_out == {"without text": 20}
    assert sum(map(len, found.lines.values())) == 60
    assert {one for writers in found.writers.values() for one in writers} == {
        f"a{k // 10:02d}-{k:03d}u" for k in range(40)
    }
    assert set(found.texts["train"]) == {"bad bed", "a face"}


def test_times_of_points_give_the_mean_rate_of_a_line(tmp_path):
    path = write_line(tmp_path, "a01-000u-01", [[(5, 7), (8, 6), (9, 9)], [(20, 6)], [(21, 9), (21, 4)]])
    assert "points_per_second" not in load_line_strokes(tmp_path)[0]
    times = iter(("10.00", "10.01", "10.04", "11.00", "12.00", "12.02"))
    parts = path.read_text().split('time="0.1"')
    path.write_text("".join(part + f'time="{time}"' for part, time in zip(parts, times, strict=False)) + parts[-1])
    table, _ = load_line_strokes(tmp_path)
    assert table["points_per_second"].tolist() == [50.0]  # three steps in 0.06 s
    path.write_text(path.read_text().replace('time="12.02"', 'time="1e12"'))
    with pytest.raises(DataError, match=r"its points are 3e-12 a second; are its times in seconds\?"):
        load_line_strokes(tmp_path, strict=True)
