"""Lines of one writer, trained on as one that goes on and on."""

import numpy as np
import pytest
from test_data import OPTIONS, make_ink

from vrnn_engine.data.joined import join_lines
from vrnn_engine.data.pen import PenCorpus

SPACE = 9.0


def word(width, level, letters=3):
    """Zigzags of ink `level` below where the pen is put down, and wide spaces between; ends with a stroke back left."""
    letter = [[1, level + 2, 0], [1, -4, 0], [1, 4, 0], [width, -level - 2, 1], [SPACE, 0, 0]]
    return np.array([[0, 0, 0], *letter * letters, [1, level, 0], [-3, 0, 0]], np.float32)


def ink(line):
    """Return the positions of a line's points."""
    return np.cumsum(line[:, :2], axis=0)


def test_a_line_goes_on_a_space_after_the_one_before_and_at_its_height():
    one, two = word(2, 0), word(2, 30)
    [(first, joined)] = join_lines([one, two], "aa", 1000)
    assert first == 0
    assert len(joined) == len(one) + len(two)
    before, after = np.split(ink(joined), [len(one)])
    assert after[:, 0].min() - before[:, 0].max() == pytest.approx(SPACE)
    assert after[:, 1].mean() == pytest.approx(before[:, 1].mean(), abs=1e-4)
    assert joined[len(one) - 1, 2] == 1, "the pen is lifted on the way"
    assert np.array_equal(joined[len(one) + 1 :], two[1:]), "nothing else is moved"
    assert one[-1, 2] == 0, "the lines themselves stay as they are"


def test_who_never_lifts_the_pen_has_a_space_by_the_size_of_the_ink():
    line = np.array([[0, 0, 0], [2, 8, 0], [2, -8, 0]], np.float32)
    [(_, joined)] = join_lines([line, line], "aa", 6)
    assert joined[3].tolist() == [4, pytest.approx(0), 0]


def test_sequences_are_of_one_writer_and_no_longer_than_asked():
    lines = [word(2, 0, letters) for letters in (1, 1, 1, 20, 1, 1)]
    lengths = [len(line) for line in lines]
    joined = join_lines(lines, "aabbab", lengths[0] * 2)
    assert [(first, len(line)) for first, line in joined] == [(0, 16), (4, 8), (2, 8), (3, 103), (5, 8)]
    assert sum(len(line) for _, line in joined) == sum(lengths)
    assert sorted(len(line) for _, line in join_lines(lines, "aabbab", 1)) == sorted(lengths)


def test_an_epoch_joins_lines_to_train_on_and_no_others(tmp_path):
    path = make_ink(tmp_path / "ink.npz")
    table = dict(np.load(path))
    table["ids"] = np.array([f"{'ab'[i % 2]}/writer{i // 40}.dat#{i}-{i + 1}" for i in range(400)])
    np.savez(path, **table)
    options = OPTIONS | {"split_by_form": False}
    apart, joined = (PenCorpus(path, **options, join=points) for points in (None, 42 * 4))
    assert set(joined.writers["train"]) == {f"{'ab'[i % 2]}/writer{i // 40}.dat" for i in range(400)}
    for split in ("train", "valid", "test"):
        one, other = (list(corpus.epoch(split, np.random.default_rng(0))) for corpus in (apart, joined))
        assert sum(batch.mask.sum() for batch in one) == sum(batch.mask.sum() for batch in other)
        begun = [sum(batch.fresh for batch in epoch) for epoch in (one, other)]
        assert begun[1] == begun[0] if split != "train" else begun[1] < begun[0] / 3
        assert np.array_equal(one[0].signal, other[0].signal) == (split != "train")
