"""Lines of ink with their texts: transcripts, lines left out, smoothing, joining, batches."""

import numpy as np
import pytest
from support import text_models

from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.data.text.lines import join_lines, smooth_strokes, wraps
from vrnn_engine.data.text.transcripts import clean_transcript
from vrnn_engine.errors import DataError

LINES = TextLines(max_characters=20, min_points=2.0, max_points=8.0, rest=5)


def open_corpus(path, lines=LINES):
    options = PenData(
        rows=16, chunk=200, rate=30, resample=True, height_mm=1.8, max_points=200, max_move=30.0, text=lines
    )
    return TextCorpus(path, text_models.ALPHABET, options)


@pytest.fixture
def ink(tmp_path):
    return text_models.write_ink(tmp_path / "ink.npz")


def changed(path, **arrays):
    table = dict(np.load(path)) | arrays
    np.savez(path, **table)
    return path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('He said , \\"no\\" .', 'He said, "no".'),
        ("1 2 : 0 5", "12:05"),
        ("( 4 5 6 ) 7 8 9 - 0 1", "(456)789-01"),
        ("A B C", "A B C"),
        ("always well - kept", "always well-kept"),
        ("who 've decided ?", "who've decided?"),
        ('\\" dog \\"', '"dog"'),
        ("( krud < 0 ) break ;", "(krud < 0) break;"),
        ("two  spaces ", "two spaces"),
    ],
)
def test_transcripts_are_cleaned(given, expected):
    assert clean_transcript(given) == expected


def test_lines_that_are_left_out_are_counted_by_reason(ink, logged):
    table = dict(np.load(ink))
    texts, dxy, ends = table["texts"].astype("<U60"), table["dxy"], table["offsets"]
    texts[3], texts[4], texts[5] = "", "what?", "abcdefgh" * 3
    texts[6] = "ab"  # its ink has at least 24 points
    texts[7] = "a" * 20
    row = slice(ends[8], ends[9])
    middle = (ends[8] + ends[9]) // 2 + 1
    back = dxy[row, 0].sum()
    dxy[middle] = (-back, 800)
    dxy[ends[9] + 20] = (3000, 0)
    lines = TextLines(max_characters=20, min_points=2.0, max_points=5.5)
    corpus = open_corpus(changed(ink, texts=texts, dxy=dxy), lines)
    assert corpus.left_out == {
        "without text": 1,
        "with characters outside the alphabet": 1,
        "whose text is too short or too long": 1,
        "whose points do not fit their text": 2,
        "with a second row": 1,
        "with a move of more than 30": 1,
    }
    assert sum(map(len, corpus.lines.values())) == 240 - 7
    assert len(logged) == 1
    assert (
        "left out 7 of 240 lines, with the first one of each kind in parentheses: 2 whose points do not fit "
        in logged[0]
    )
    assert "1 with characters outside the alphabet (w4.dat#4)" in logged[0]


def test_the_split_of_a_line_does_not_depend_on_the_other_lines(ink):
    corpus = open_corpus(ink)
    texts = dict(np.load(ink))["texts"].astype("<U60")
    texts[::2] = "?"
    other = open_corpus(changed(ink, texts=texts))
    for split in corpus.texts:
        assert set(other.texts[split]) <= set(corpus.texts[split])


def test_an_array_split_decides_the_split_of_a_line(ink):
    splits = np.array(["train", "train", "valid", "test"] * 60)
    corpus = open_corpus(changed(ink, split=splits))
    assert [len(corpus.texts[split]) for split in ("train", "valid", "test")] == [120, 60, 60]
    with pytest.raises(DataError, match="texts must have one value for each of the 240 lines"):
        open_corpus(changed(ink, texts=np.array(["abc"] * 239)))


def test_a_file_without_usable_texts_is_refused(ink):
    table = dict(np.load(ink))
    with pytest.raises(
        DataError, match=r"train split has no lines with a text that fits; .*left out were 240 with characters"
    ):
        open_corpus(changed(ink, texts=np.array(["?"] * 240)))
    del table["texts"]
    np.savez(ink, **table)
    with pytest.raises(DataError, match="lacks texts, which a text-conditioned model needs"):
        open_corpus(ink)


def test_batches_contain_texts_with_an_end_and_ink_with_a_rest(ink):
    corpus = open_corpus(ink)
    plain = list(corpus.epoch("train", None))
    assert sum(batch.mask.shape[1] for batch in plain) == len(corpus.lines["train"])
    again = list(corpus.epoch("train", None))
    for batch, other in zip(plain, again, strict=True):
        assert np.array_equal(batch.signal, other.signal)
        assert batch.fresh
        for row, text in enumerate(batch.text):
            length = int(batch.mask[:, row].sum())
            used = text[text > 0]
            assert used[-1] == corpus.end
            assert (used[:-1] < corpus.end).all()
            written = "".join(corpus.alphabet[index - 1] for index in used[:-1])
            assert written in corpus.texts["train"]
            rest = batch.signal[length - 5 : length, row]
            assert (rest[:, 2] == 1).all()
            assert 0 < np.abs(rest[:, :2]).max() < 0.6
            assert not batch.signal[length:, row].any()


def test_the_generator_decides_which_texts_are_dropped_and_lines_joined(ink):
    corpus = open_corpus(ink, TextLines(max_characters=20, min_points=2.0, rest=5, drop=0.3, join=0.5))
    first, again, other = ([*corpus.epoch("train", np.random.default_rng(seed))] for seed in (1, 1, 2))
    assert all(np.array_equal(a.signal, b.signal) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].signal, other[0].signal)
    texts = [text for batch in first for text in batch.text]
    without = np.mean([not text.any() for text in texts])
    assert 0.2 < without < 0.4
    space = corpus.index[" "]
    joined = np.mean([space in text for text in texts if text.any()])
    assert 0.3 < joined < 0.6


def test_lines_with_rare_characters_are_repeated(ink):
    texts = dict(np.load(ink))["texts"].astype("<U60")
    corpus = open_corpus(ink)
    rare = next(k for k, text in enumerate(texts) if text in corpus.texts["train"])
    texts[rare] = "," + texts[rare][1:]
    corpus = open_corpus(changed(ink, texts=texts), TextLines(max_characters=20, min_points=2.0, oversample=4.0))
    corpus._copies[:] = np.where(["," in text for text in corpus.texts["train"]], 4, 1)
    comma = corpus.index[","]
    rows = [text for batch in corpus.epoch("train", np.random.default_rng(0)) for text in batch.text]
    assert sum(comma in row for row in rows) >= 2


def test_joined_lines_share_a_baseline_and_have_a_gap():
    t = np.linspace(0, 8 * np.pi, 100)
    path = np.column_stack([t, np.cos(t)])
    first = np.column_stack([np.diff(path, axis=0, prepend=path[:1]), np.zeros(100)]).astype(np.float32)
    second = first.copy()
    second[0, :2] = 4, 9  # where it was on its own page
    whole = join_lines(first, second, 2.0)
    place = np.cumsum(whole[:, :2], axis=0)
    assert whole[99, 2] == 1
    assert place[100:, 0].min() - place[:100, 0].max() == pytest.approx(2.0, abs=1e-3)
    assert place[100:, 1].max() == pytest.approx(place[:100, 1].max(), abs=0.05)


def test_a_second_row_is_found_but_a_late_dot_is_not_one():
    t = np.linspace(0, 12 * np.pi, 200)
    row = np.column_stack([np.diff(t, prepend=0), np.diff(np.sin(t), prepend=0), np.zeros(200)]).astype(np.float32)
    row[-1, 2] = 1
    assert not wraps(row)
    below = row.copy()
    below[0, :2] = -12 * np.pi, 5
    assert wraps(np.concatenate([row, below]))
    dots = np.array([[-30, -1.5, 0], [0.1, 0.1, 1]] * 2, np.float32)
    assert not wraps(np.concatenate([row, dots]))


def test_smoothing_keeps_the_ends_of_strokes_and_removes_noise():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 4, 60)
    clean_path = np.column_stack([t, np.sin(t)])
    path = clean_path + rng.normal(0, 0.05, clean_path.shape)
    line = np.column_stack([np.diff(path, axis=0, prepend=path[:1] * 0), np.zeros(60)]).astype(np.float32)
    line[29, 2] = line[-1, 2] = 1
    smooth = np.cumsum(smooth_strokes(line, 1.5)[:, :2], axis=0)
    for end in (0, 29, 30, 59):
        assert np.allclose(smooth[end], path[end], atol=1e-4)
    assert np.abs(smooth - clean_path).mean() < 0.7 * np.abs(path - clean_path).mean()
    assert np.array_equal(smooth_strokes(line, 1.5)[:, 2], line[:, 2])
    dot = np.array([[3, 4, 1]], np.float32)
    assert np.array_equal(smooth_strokes(dot, 1.5), dot)
