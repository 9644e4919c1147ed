"""Corpora: splits that do not leak, batches that carry on, resampling and scaling of ink."""

import numpy as np
import pytest
import soundfile
from support.corpora import circle, make_ink, make_speech

from vrnn_engine.data.batches import lane_chunks, line_chunks, split_by_hash
from vrnn_engine.data.layouts import find_recordings
from vrnn_engine.data.pen import PenCorpus, ink_height, resample_strokes
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.errors import DataError


def test_lanes_walk_the_whole_signal_in_order():
    blocks = np.arange(101, dtype=np.float32)[:, None]
    read = lambda first, count: blocks[first : first + count]  # noqa: E731
    batches = list(lane_chunks(read, len(blocks), lanes=2, chunk=10, carry=2, context=1))
    assert [batch.fresh for batch in batches] == [True, False, True, False, True]
    first_lane = np.concatenate([batch.signal[1:, 0, 0] for batch in batches])
    assert np.array_equal(first_lane, np.arange(1, 51))
    for batch in batches:
        assert batch.signal[0, 1, 0] == batch.signal[1, 1, 0] - 1  # the context is the frame before
    assert np.array_equal(np.concatenate([batch.signal[1:, 1, 0] for batch in batches]), np.arange(51, 101))


def test_lines_are_padded_masked_and_cut():
    lines = [np.full((n, 3), n, np.float32) for n in (3, 5, 7)]
    batches = list(line_chunks(lines, rows=2, chunk=4))
    assert [(batch.fresh, batch.signal.shape[:2]) for batch in batches] == [
        (True, (4, 2)),
        (False, (1, 2)),
        (True, (4, 1)),
        (False, (3, 1)),
    ]
    assert batches[0].mask[:, 0].tolist() == [1, 1, 1, 0]
    assert sum(batch.mask.sum() for batch in batches) == 15
    assert all((batch.signal[batch.mask == 0] == 0).all() for batch in batches)


def test_hash_split_is_about_nine_to_one_and_stable():
    splits = [split_by_hash(f"prompt-{i}") for i in range(4000)]
    shares = {split: splits.count(split) / 4000 for split in ("train", "valid", "test")}
    assert shares["train"] == pytest.approx(0.9, abs=0.02)
    assert shares["test"] == pytest.approx(0.05, abs=0.015)
    assert split_by_hash("prompt-0") == splits[0]


def test_takes_of_one_prompt_stay_in_one_split(tmp_path):
    names = [f"arctic_a{i:04d}_take{k}.wav" for i in range(60) for k in range(3)]
    files = find_recordings(make_speech(tmp_path, names, seconds=0.01))
    where = {}
    for split, paths in files.items():
        for path in paths:
            where.setdefault(path.stem.rsplit("_", 1)[0], set()).add(split)
    assert sum(map(len, files.values())) == 180
    assert all(len(splits) == 1 for splits in where.values())
    assert all(files.values())


def test_speech_is_normalised_by_one_mean_and_sd(tmp_path):
    folder = make_speech(tmp_path, [f"{s}/{i}.wav" for s in ("train", "valid", "test") for i in range(4)], channels=2)
    corpus = SpeechCorpus(folder, 8000, 20, lanes=2, chunk=5, carry=2, context=1)
    signal = corpus.fitting_signal()
    assert signal.mean() == pytest.approx(0, abs=1e-3)
    assert signal.std() == pytest.approx(1, abs=1e-3)
    assert corpus.std[0] == pytest.approx(0.1 / np.sqrt(2), rel=0.02)  # two channels, averaged
    one, two = (list(corpus.epoch("train", np.random.default_rng(s))) for s in (1, 1))
    other = next(iter(corpus.epoch("train", np.random.default_rng(2))))
    assert np.array_equal(one[0].signal, two[0].signal)
    assert not np.array_equal(one[0].signal, other.signal)


def test_speech_of_another_rate_is_resampled(tmp_path):
    folder = make_speech(tmp_path, [f"{s}/a.wav" for s in ("train", "valid", "test")], rate=16000, seconds=1)
    corpus = SpeechCorpus(folder, 8000, 20, lanes=2, chunk=5, carry=2, context=0)
    assert len(corpus.parts["train"].samples) == 8000


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no such folder"),
        (["train/a.wav", "valid/a.wav", "test/readme.wav.txt"], "test: no recordings .* in this folder"),
        (["train/a.wav", "valid/a.wav", "test/a.wav"], "fewer than"),
    ],
)
def test_unusable_speech_is_one_clear_line(tmp_path, names, message):
    folder = tmp_path / "speech"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".wav"):
            make_speech(folder, [name], seconds=0.05)
        else:
            (folder / name).write_text("no sound")
    with pytest.raises(DataError, match=message) as caught:
        SpeechCorpus(folder, 8000, 20, lanes=8, chunk=50, carry=2, context=1)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_recording_is_named(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.wav").write_bytes(b"not a wav")
    with pytest.raises(DataError, match=r"none of its 3 recordings .*train/a\.wav: not a readable recording"):
        SpeechCorpus(tmp_path, 8000, 20, 2, 5, 2, 1)


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


OPTIONS = {
    "rows": 8,
    "chunk": 20,
    "points_per_second": 50,
    "height_mm": 1.8,
    "authors_normalisation": False,
    "max_points": 500,
    "max_move": None,
    "split_by_form": True,
}


def test_ink_is_brought_to_one_height_and_rate(tmp_path):
    corpus = PenCorpus(make_ink(tmp_path / "ink.npz"), **OPTIONS)
    heights = [ink_height(line) for line in corpus.lines["train"]]
    assert np.median(heights) == pytest.approx(1.8, rel=0.1)
    assert max(heights) / min(heights) < 1.4  # though one tablet has twice the points of the other
    assert {len(line) for line in corpus.lines["train"]} == {42}
    signal = corpus.fitting_signal()
    assert np.allclose(signal[:, :2].std(0), 1, atol=1e-3)
    assert set(np.unique(signal[:, 2])) == {0, 1}


def test_the_authors_normalisation_is_one_scalar_over_both_columns(tmp_path):
    corpus = PenCorpus(make_ink(tmp_path / "ink.npz"), **(OPTIONS | {"authors_normalisation": True}))
    moves = np.concatenate(corpus.lines["train"])[:, :2].astype(np.float64)
    assert corpus.mean == pytest.approx([moves.sum() / len(moves)] * 2)
    assert corpus.std == pytest.approx([np.sqrt(((moves - corpus.mean[0]) ** 2).sum() / len(moves))] * 2)


def test_lines_of_one_form_stay_in_one_split_and_forms_and_tables_are_left_out(tmp_path):
    path = make_ink(tmp_path / "ink.npz")
    corpus = PenCorpus(path, **OPTIONS)
    assert all(len(lines) % 4 == 0 for lines in corpus.lines.values())
    with pytest.raises(DataError, match=r"no lines .*; left out were 400 with a move of more than 0\.01"):
        PenCorpus(path, **(OPTIONS | {"max_move": 0.01}))
    with pytest.raises(DataError, match=r"no lines .*; left out were 400 of more than 10 points"):
        PenCorpus(path, **(OPTIONS | {"max_points": 10}))


def test_lines_left_out_are_counted_and_said_once(tmp_path, logged):
    table = dict(np.load(make_ink(tmp_path / "ink.npz")))
    ends = table["offsets"]
    table["dxy"][ends[3] + 5] = 10_000
    # The line before is one point now, and the one before that has the others.
    ends[7] = ends[8] - 1
    np.savez(tmp_path / "ink.npz", **table)
    options = OPTIONS | {"points_per_second": None, "height_mm": None, "max_points": 100, "max_move": 5000.0}
    corpus = PenCorpus(tmp_path / "ink.npz", **options)
    assert sum(map(len, corpus.lines.values())) == 397
    reasons = "1 with a move of more than 5000, 1 of more than 100 points, 1 of fewer than 2 points"
    assert logged == [f"{tmp_path / 'ink.npz'}: left out 3 of 400 lines: {reasons}"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, r"their form \(the id up to its last dash\), 2 of them: give more, or an array `split`"),
        ({"split_by_form": False}, "by a hash of their id, 8 of them"),
        ({"split": ["train"] * 7 + ["test"]}, "no lines for its valid part; the array `split`"),
    ],
)
def test_a_part_without_lines_says_what_the_split_goes_by(tmp_path, change, message):
    table = dict(np.load(make_ink(tmp_path / "ink.npz", lines=8)))
    if "split" in change:
        table["split"] = np.array(change.pop("split"))
    np.savez(tmp_path / "ink.npz", **table)
    with pytest.raises(DataError, match=message) as caught:
        PenCorpus(tmp_path / "ink.npz", **(OPTIONS | change))
    assert "\n" not in str(caught.value)


def test_epochs_shuffle_and_dequantise_only_with_a_generator(tmp_path):
    corpus = PenCorpus(make_ink(tmp_path / "ink.npz"), **OPTIONS)
    plain = [list(corpus.epoch("train", None)) for _ in range(2)]
    assert all(np.array_equal(a.signal, b.signal) for a, b in zip(*plain, strict=True))
    noisy = list(corpus.epoch("train", np.random.default_rng(0)))
    total = lambda batches: sum(batch.mask.sum() for batch in batches)  # noqa: E731
    assert total(noisy) == total(plain[0]) == 42 * len(corpus.lines["train"])
    assert not np.array_equal(noisy[0].signal, plain[0][0].signal)


def test_a_file_that_is_no_ink_is_named(tmp_path):
    path = tmp_path / "ink.npz"
    with pytest.raises(DataError, match="not a readable"):
        PenCorpus(path, **OPTIONS)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="not a readable"):
        PenCorpus(path, **OPTIONS)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="not a readable"):
        PenCorpus(path, **OPTIONS)
    np.savez(path, dxy=np.zeros((2, 2)))
    with pytest.raises(DataError, match="lacks eos, ids, offsets"):
        PenCorpus(path, **OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("points_per_second"), "lacks points_per_second, which resampling needs"),
        (lambda t: t.pop("contributor"), "lacks contributor, which scaling"),
        (lambda t: t.update(ids=t["ids"][:-1]), "offsets must be 400 integers"),
        (lambda t: t.update(offsets=t["offsets"].astype(float)), "offsets must be 401 integers"),
        (lambda t: t.update(dxy=t["dxy"][:, 0]), "dxy must be"),
        (lambda t: t.update(points_per_inch=np.float32(500)), "one value for each of the 400 lines"),
        (lambda t: t["offsets"].__setitem__(7, t["offsets"][5]), "offsets must rise"),
        (lambda t: t["offsets"].__setitem__(7, t["offsets"][6]), "offsets must rise"),
        (lambda t: t["offsets"].__setitem__(7, 10**9), "offsets must rise"),
        (lambda t: t.update(dxy=t["dxy"].astype(str)), "dxy must be finite numbers"),
        (lambda t: t.update(dxy=np.where(t["dxy"] == 3, np.nan, t["dxy"])), "dxy must be finite numbers"),
        (lambda t: t["eos"].__setitem__(3, 2), "eos must be 0 or 1"),
        (lambda t: t.update(eos=np.full(len(t["eos"]), "up")), "eos must be 0 or 1"),
        (lambda t: t["points_per_second"].__setitem__(3, 0), "points_per_second must be finite numbers above 0"),
        (lambda t: t["points_per_inch"].__setitem__(3, np.inf), "points_per_inch must be finite numbers above 0"),
    ],
)
def test_ink_of_the_wrong_shape_is_one_clear_line(tmp_path, change, message):
    path = make_ink(tmp_path / "ink.npz")
    table = dict(np.load(path))
    change(table)
    np.savez(path, **table)
    with pytest.raises(DataError, match=message) as caught:
        PenCorpus(path, **OPTIONS)
    assert "\n" not in str(caught.value)


def test_silence_and_too_little_are_refused(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
        soundfile.write(tmp_path / split / "a.wav", np.zeros(8000), 8000)
    with pytest.raises(DataError, match="silent"):
        SpeechCorpus(tmp_path, 8000, 20, 2, 5, 2, 1)
    make_speech(tmp_path, [f"{split}/a.wav" for split in ("train", "valid", "test")], seconds=(2 * 5 + 2) * 20 / 8000)
    corpus = SpeechCorpus(tmp_path, 8000, 20, 2, 5, 2, 1)
    assert all(len(list(corpus.epoch("train", np.random.default_rng(seed)))) == 1 for seed in range(20))


@pytest.mark.parametrize("known", [True, False])
def test_each_line_has_its_writer_or_else_its_form(tmp_path, known):
    path = make_ink(tmp_path / "ink.npz")
    if not known:
        table = {name: values for name, values in np.load(path).items() if name != "contributor"}
        np.savez(path, **table)
    corpus = PenCorpus(path, **(OPTIONS | ({} if known else {"height_mm": None})))
    assert all(len(corpus.writers[split]) == len(lines) for split, lines in corpus.lines.items())
    writers = {writer for names in corpus.writers.values() for writer in names}
    assert writers == ({"a", "b"} if known else {f"form{i}" for i in range(100)})
