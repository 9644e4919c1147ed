"""A user's own ink with its text: .jsonl and .npz files, `ink convert --text`, and files that do not say their rate."""

import json

import numpy as np
import pytest
from support import text_models
from support.command import run_command as run

from vrnn_engine.data.ink.convert import convert, read_texts
from vrnn_engine.data.ink.json_lines import load_json_lines
from vrnn_engine.data.ink.strokes import Conversion
from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.errors import DataError, RecordingError
from vrnn_engine.runtime.recording.ink import read_ink_file
from vrnn_engine.runtime.sinks.base import Format
from vrnn_engine.runtime.sinks.jsonl import JsonLinesEncoder

TEXT = PenData(
    rows=4, chunk=200, rate=30, resample=True, height_mm=1.8, text=TextLines(min_points=1.0, max_points=90.0, rest=2)
)
STROKE_3 = np.array([[0, 0, 0], [0, 6, 0], [4, 0, 1], [-3, 2, 0], [4, 0, 1]] * 4, np.int16)


def open_corpus(path, options=TEXT):
    return TextCorpus(path, text_models.ALPHABET, options)


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def point(dx=1, dy=2, up=0, **more):
    return {"dx": dx, "dy": dy, "pen_up": up, **more}


def test_converted_ink_with_texts_is_the_same_corpus_in_both_formats(tmp_path):
    for number in range(6):
        np.save(tmp_path / f"line{number}.npy", np.tile(STROKE_3, (number + 1, 1)))
    (tmp_path / "texts.txt").write_text("a bed\nbad,\n\nface\nhead\nég\n\n", "utf-8")
    sources = [f"line{number}.npy" for number in range(6)]
    for target in ("mine.npz", "mine.jsonl"):
        how = ("--scale", "1", "--texts", "texts.txt", "--writer", "me")
        done = run("ink", "convert", *sources, target, *how, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    one, other = (open_corpus(tmp_path / name) for name in ("mine.npz", "mine.jsonl"))
    assert one.left_out == {"without text": 1, "with characters outside the alphabet": 1}
    for split in one.texts:
        assert one.texts[split] == other.texts[split]
        assert set(one.writers[split]) == {"me"}
        assert all(np.array_equal(a, b) for a, b in zip(one.lines[split], other.lines[split], strict=True))
    assert sorted(text for texts in one.texts.values() for text in texts) == ["a bed", "bad,", "face", "head"]
    plain = PenData(rows=4, chunk=20, rate=30, resample=True, height_mm=1.8)
    assert sum(map(len, PenCorpus(tmp_path / "mine.jsonl", plain).lines.values())) == 6


def test_one_line_keeps_its_text_through_both_formats(tmp_path):
    np.save(tmp_path / "line.npy", STROKE_3)
    for name in ("line.npz", "line.jsonl"):
        run("ink", "convert", "line.npy", name, "--scale", "1", "--text", "a bed", cwd=tmp_path)
        assert len(read_ink_file(tmp_path / name)[0]) == len(STROKE_3)
    assert np.load(tmp_path / "line.npz")["texts"].tolist() == ["a bed"]
    (line,) = convert([tmp_path / "line.jsonl"], tmp_path / "again.jsonl", Conversion())
    assert (line.text, line.writer) == ("a bed", "line")
    assert (tmp_path / "line.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()


def test_generated_ink_with_a_header_can_be_read_again(tmp_path):
    points = np.column_stack([np.arange(8) / 8, np.arange(8) / 4, np.arange(8) % 4 == 3]).astype(np.float32)
    encoder = JsonLinesEncoder(Format("pen", 30, 1, "mm", "toy"))
    path = tmp_path / "ink.jsonl"
    path.write_bytes(b'{"text": "bad"}\n' + encoder.encode(points))
    (line,) = load_json_lines(path)
    assert (line.text, line.rate, line.id) == ("bad", 30.0, "ink:1")
    np.testing.assert_allclose(line.points[1:], points[1:], rtol=1e-6)


def test_headers_begin_lines_and_pass_on_unit_rate_and_writer(tmp_path):
    first = {"text": "a", "unit": "cm", "rate": 60, "writer": "me"}
    path = write_rows(tmp_path / "a.jsonl", first, point(0, 0), point(1, 0, 1), {"text": "b", "id": "two"}, point())
    one, two = load_json_lines(path)
    assert (one.id, one.text, one.writer, one.rate) == ("a:1", "a", "me", 60.0)
    assert (two.id, two.text, two.writer, two.rate) == ("two", "b", "me", 60.0)
    assert one.points.tolist() == [[0, 0, 0], [10, 0, 1]]
    with pytest.raises(RecordingError, match=r"a\.jsonl: has 2 lines of writing; give a file of one line"):
        read_ink_file(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}, point(), {"dx": "x"}], "line 3: neither a point nor a header: Expected `float | null`"),
        ([{"text": 7}, point()], "line 1: neither a point nor a header"),
        ([point(), {"dx": 1, "dy": 2}], "line 2: a point needs numbers dx and dy, and a pen_up of 0 or 1"),
        ([point(up=0.5)], "line 1: a point needs numbers dx and dy, and a pen_up of 0 or 1"),
        ([{"text": "abc"}, {"text": "d"}, point()], "line 1: the text 'abc' has no points after it"),
        ([{"unit": "ell"}, point()], "line 1: the unit 'ell' is not a length; give one of mm, cm"),
        ([point(t=k * 20.0) for k in range(3)], "line 1: its points are 0.05 a second; give t in seconds"),
        ([{"id": "a"}, point(), {"id": "b", "rate": 50}, point()], "line of writing a has neither rate nor t"),
        ([{"text": "a"}], "line 1: the text 'a' has no points after it"),
        ([{}], "has no points of ink"),
        ([point(1e300)], "line 1: neither a point nor a header"),
        ([point(t=1), point(t=1.1), point(t=1.05), point(t=1.2)], "must not decrease"),
    ],
)
def test_a_row_that_is_no_ink_is_named(tmp_path, rows, message):
    path = write_rows(tmp_path / "mine.jsonl", *rows)
    with pytest.raises(DataError) as caught:
        load_json_lines(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_texts_are_as_many_as_lines_and_in_utf_8(tmp_path):
    np.save(tmp_path / "line.npy", STROKE_3)
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    done = run("ink", "convert", "line.npy", "out.npz", "--scale", "1", "--texts", "texts.txt", cwd=tmp_path)
    assert done.stderr == "error: out.npz: number of lines of ink: 1, of texts: 2; give one text for each line\n"
    both = ("--text", "one", "--texts", "texts.txt")
    assert run("ink", "convert", "line.npy", "out.npz", "--scale", "1", *both, cwd=tmp_path).returncode == 2
    assert not (tmp_path / "out.npz").exists()
    (tmp_path / "texts.txt").write_bytes(b"one\ntw\xff\n")
    with pytest.raises(DataError, match=r"texts\.txt: line 2 is not text in UTF-8"):
        read_texts(tmp_path / "texts.txt")


def without(path, *names, **arrays):
    table = {name: values for name, values in dict(np.load(path)).items() if name not in names} | arrays
    np.savez(path, **table)
    return path


def test_a_rate_that_the_file_does_not_say_follows_from_the_speed_of_the_pen(tmp_path, logged):
    ink = text_models.write_ink(tmp_path / "ink.npz")
    for halves in (1, 2):  # a tablet of twice the rate has half the moves
        dxy = np.load(ink)["dxy"] if halves == 1 else np.repeat(np.load(ink)["dxy"], 2, axis=0) / 2
        eos, ends = np.load(ink)["eos"], np.load(ink)["offsets"] * halves
        eos = eos if halves == 1 else np.column_stack([np.zeros_like(eos), eos]).ravel()
        path = tmp_path / f"{halves}.npz"
        np.savez(path, **dict(np.load(ink)) | {"dxy": dxy, "eos": eos, "offsets": ends})
        open_corpus(without(path, "points_per_second"))
    found = [float(line.partition("points per second; ")[2].split()[0]) for line in logged if "assumed" in line]
    assert found[1] == pytest.approx(2 * found[0], rel=0.06)


def test_a_rate_at_which_nobody_writes_is_doubted(tmp_path, logged):
    ink = text_models.write_ink(tmp_path / "ink.npz")
    open_corpus(ink)
    doubts = [line for line in logged if "probably wrong" in line]
    open_corpus(without(ink, points_per_second=np.full(240, 1000.0)))
    more = [line for line in logged if "probably wrong" in line]
    assert len(more) == len(doubts) + 1


def test_a_file_of_the_required_arrays_and_texts_is_enough(tmp_path):
    ink = text_models.write_ink(tmp_path / "ink.npz", lines=4)
    path = without(ink, "contributor", "points_per_inch", "points_per_second", ids=np.array(["a", "b", "c", "d"]))
    corpus = open_corpus(path)
    assert all(corpus.lines.values())  # with few lines, too, no split is empty
    named = without(path, ids=np.array(["a-1", "a-2", "b-1", "b-2"]))
    writers = open_corpus(named).writers
    assert {writer for split in writers.values() for writer in split} == {"a", "b"}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("ink.npz", "add the array `texts`"), ("ink.jsonl", 'put a header {"text": "..."} before the points')],
)
def test_ink_without_any_text_says_how_to_add_it(tmp_path, name, remedy):
    np.save(tmp_path / "line.npy", STROKE_3)
    convert([tmp_path / "line.npy"], tmp_path / name, Conversion(scale=1.0))
    with pytest.raises(DataError, match="lacks texts, which a text-conditioned model needs; ") as caught:
        open_corpus(tmp_path / name)
    assert remedy in str(caught.value)
