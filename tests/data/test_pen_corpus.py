"""Handwriting corpora: scaling, resampling, splits, epochs, and errors."""

import msgspec
import numpy as np
import pytest
from support.corpora import circle, make_ink

from vrnn_engine.base.strokes import resample_strokes
from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.data.strokes import ink_height
from vrnn_engine.errors import DataError


def test_resampling_keeps_strokes_ends_and_shape():
    line = circle()
    half = resample_strokes(line, 0.5)
    assert len(half) == 42
    assert half[:, 2].sum() == 2
    ends = [np.cumsum(part[:, :2], 0)[part[:, 2] == 1] for part in (line, half)]
    assert np.allclose(*ends, atol=1e-5)
    radius = np.linalg.norm(np.cumsum(half[:21, :2], 0) - [1, 0], axis=1)
    assert np.allclose(radius, 1, atol=5e-3)
    assert np.allclose(resample_strokes(line, 1.0), line, atol=1e-5)


OPTIONS = PenData(rows=8, chunk=20, rate=50, resample=True, height_mm=1.8, max_points=500, split_by_form=True)


def test_ink_is_scaled_to_one_height_and_rate(tmp_path):
    corpus = PenCorpus(make_ink(tmp_path / "ink.npz"), OPTIONS)
    heights = [ink_height(line) for line in corpus.lines["train"]]
    assert np.median(heights) == pytest.approx(1.8, rel=0.1)
    assert max(heights) / min(heights) < 1.4  # though one tablet has twice the points of the other
    assert {len(line) for line in corpus.lines["train"]} == {42}
    signal = corpus.fitting_signal()
    assert np.allclose(signal[:, :2].std(0), 1, atol=1e-3)
    assert set(np.unique(signal[:, 2])) == {0, 1}


def test_authors_normalisation_is_one_scalar_for_both_columns(tmp_path):
    corpus = PenCorpus(make_ink(tmp_path / "ink.npz"), msgspec.structs.replace(OPTIONS, authors_normalisation=True))
    moves = np.concatenate(corpus.lines["train"])[:, :2].astype(np.float64)
    assert corpus.mean == pytest.approx([moves.sum() / len(moves)] * 2)
    assert corpus.std == pytest.approx([np.sqrt(((moves - corpus.mean[0]) ** 2).sum() / len(moves))] * 2)


def test_lines_of_one_form_stay_in_one_split_and_unfit_lines_are_left_out(tmp_path):
    path = make_ink(tmp_path / "ink.npz")
    corpus = PenCorpus(path, OPTIONS)
    assert all(len(lines) % 4 == 0 for lines in corpus.lines.values())
    with pytest.raises(DataError, match=r"has no lines; .*; left out were 400 with a move of more than 0\.01"):
        PenCorpus(path, msgspec.structs.replace(OPTIONS, max_move=0.01))
    with pytest.raises(DataError, match=r"has no lines; .*; left out were 400 of more than 10 points"):
        PenCorpus(path, msgspec.structs.replace(OPTIONS, max_points=10))


def test_lines_left_out_give_one_warning_with_counts(tmp_path, logged):
    table = dict(np.load(make_ink(tmp_path / "ink.npz")))
    ends = table["offsets"]
    table["dxy"][ends[3] + 5] = 10_000
    # The line before is one point now, and the one before that has the others.
    ends[7] = ends[8] - 1
    np.savez(tmp_path / "ink.npz", **table)
    options = msgspec.structs.replace(OPTIONS, resample=False, height_mm=None, max_points=100, max_move=5000.0)
    corpus = PenCorpus(tmp_path / "ink.npz", options)
    assert sum(map(len, corpus.lines.values())) == 397
    reasons = "1 with a move of more than 5000, 1 of more than 100 points, 1 of fewer than 2 points"
    assert logged == [f"{tmp_path / 'ink.npz'}: left out 3 of 400 lines: {reasons}"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {},
            r"by a hash of their form \(the id up to its last dash\), and there are 2 of these; give more",
        ),
        ({"split_by_form": False, "lines": 2}, "by a hash of their id, and there are 2 of these"),
        ({"split": ["train"] * 7 + ["test"]}, "its valid split has no lines; the array `split`"),
    ],
)
def test_empty_split_error_says_how_lines_are_split(tmp_path, change, message):
    change = dict(change)
    table = dict(np.load(make_ink(tmp_path / "ink.npz", lines=change.pop("lines", 8))))
    if "split" in change:
        table["split"] = np.array(change.pop("split"))
    np.savez(tmp_path / "ink.npz", **table)
    with pytest.raises(DataError, match=message) as caught:
        PenCorpus(tmp_path / "ink.npz", msgspec.structs.replace(OPTIONS, **change))
    assert "\n" not in str(caught.value)


def test_epoch_shuffles_and_dequantises_only_with_a_generator(tmp_path):
    corpus = PenCorpus(make_ink(tmp_path / "ink.npz"), OPTIONS)
    plain = [list(corpus.epoch("train", None)) for _ in range(2)]
    assert all(np.array_equal(a.signal, b.signal) for a, b in zip(*plain, strict=True))
    noisy = list(corpus.epoch("train", np.random.default_rng(0)))
    total = lambda batches: sum(batch.mask.sum() for batch in batches)  # noqa: E731
    assert total(noisy) == total(plain[0]) == 42 * len(corpus.lines["train"])
    assert not np.array_equal(noisy[0].signal, plain[0][0].signal)


def test_error_names_a_file_that_is_not_ink(tmp_path):
    path = tmp_path / "ink.npz"
    with pytest.raises(DataError, match=r"not a readable .*: No such file or directory"):
        PenCorpus(path, OPTIONS)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"not an \.npz of ink lines"):
        PenCorpus(path, OPTIONS)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"not an \.npz of ink lines"):
        PenCorpus(path, OPTIONS)
    np.savez(path, dxy=np.zeros((2, 2)))
    with pytest.raises(DataError, match="lacks eos, ids, offsets"):
        PenCorpus(path, OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("points_per_second"), "lacks points_per_second, which resampling needs"),
        (lambda t: t.pop("contributor"), "lacks contributor, which scaling"),
        (lambda t: t.update(ids=t["ids"][:-1]), "offsets must be 400 integers"),
        (lambda t: t.update(offsets=t["offsets"].astype(float)), "offsets must be 401 integers"),
        (lambda t: t.update(dxy=t["dxy"][:, 0]), "dxy must be"),
        (lambda t: t.update(points_per_inch=np.float32(500)), "one value for each of the 400 lines"),
        (lambda t: t["offsets"].__setitem__(7, t["offsets"][5]), "offsets must increase"),
        (lambda t: t["offsets"].__setitem__(7, t["offsets"][6]), "offsets must increase"),
        (lambda t: t["offsets"].__setitem__(7, 10**9), "offsets must increase"),
        (lambda t: t.update(dxy=t["dxy"].astype(str)), "dxy must be finite numbers"),
        (lambda t: t.update(dxy=np.where(t["dxy"] == 3, np.nan, t["dxy"])), "dxy must be finite numbers"),
        (lambda t: t["eos"].__setitem__(3, 2), "eos must be 0 or 1"),
        (lambda t: t.update(eos=np.full(len(t["eos"]), "up")), "eos must be 0 or 1"),
        (lambda t: t["points_per_second"].__setitem__(3, 0), "points_per_second must be finite numbers above 0"),
        (lambda t: t["points_per_second"].__setitem__(3, 1e-12), "points_per_second must be from 1 to 10000"),
        (lambda t: t["points_per_second"].__setitem__(3, 1e7), "points_per_second must be from 1 to 10000"),
        (lambda t: t["points_per_inch"].__setitem__(3, np.inf), "points_per_inch must be finite numbers above 0"),
    ],
)
def test_wrong_array_of_ink_raises_one_line(tmp_path, change, message):
    path = make_ink(tmp_path / "ink.npz")
    table = dict(np.load(path))
    change(table)
    np.savez(path, **table)
    with pytest.raises(DataError, match=message) as caught:
        PenCorpus(path, OPTIONS)
    assert "\n" not in str(caught.value)


def test_a_jump_gives_one_warning_that_names_its_line(tmp_path, logged):
    table = dict(np.load(make_ink(tmp_path / "ink.npz")))
    table["dxy"] = table["dxy"].astype(np.int32)
    table["dxy"][table["offsets"][3] + 5] = 1_000_000
    np.savez(tmp_path / "ink.npz", **table)
    options = msgspec.structs.replace(OPTIONS, resample=False, height_mm=None)
    PenCorpus(tmp_path / "ink.npz", options)
    (line,) = logged
    assert (
        "1 of 400 lines have a move over 100 times as long as 99 % of all moves, the longest is 1e+06 in line" in line
    )
    assert "form0-3; " in line
    assert "max_move" in line
    logged.clear()
    PenCorpus(tmp_path / "ink.npz", msgspec.structs.replace(options, max_move=5000.0))
    assert logged == [f"{tmp_path / 'ink.npz'}: left out 1 of 400 lines: 1 with a move of more than 5000"]


@pytest.mark.parametrize("content", ["<svg xmlns='http://www.w3.org/2000/svg'/>", "dx,dy,pen_up\n", "PK nothing"])
def test_file_that_is_no_npz_names_the_verb_that_converts(tmp_path, content):
    path = tmp_path / "page.svg"
    path.write_text(content)
    with pytest.raises(
        DataError, match=rf"{path}: not an \.npz of ink lines; convert .* vrnn-engine ink convert"
    ) as caught:
        PenCorpus(path, OPTIONS)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("known", [True, False])
def test_each_line_has_its_writer_or_else_its_form(tmp_path, known):
    path = make_ink(tmp_path / "ink.npz")
    if not known:
        table = {name: values for name, values in np.load(path).items() if name != "contributor"}
        np.savez(path, **table)
    corpus = PenCorpus(path, OPTIONS if known else msgspec.structs.replace(OPTIONS, height_mm=None))
    assert all(len(corpus.writers[split]) == len(lines) for split, lines in corpus.lines.items())
    writers = {writer for names in corpus.writers.values() for writer in names}
    assert writers == ({"a", "b"} if known else {f"form{i}" for i in range(100)})
