"""Batches: lanes of a long signal, padded lines, and splits by hash."""

import numpy as np
import pytest

from vrnn_engine.data.batches import lane_chunks, line_chunks, split_by_hash


def test_lane_chunks_cover_the_signal_in_order():
    blocks = np.arange(101, dtype=np.float32)[:, None]
    read = lambda first, count: blocks[first : first + count]  # noqa: E731
    batches = list(lane_chunks(read, len(blocks), lanes=2, chunk=10, carry=2, context=1))
    assert [batch.fresh for batch in batches] == [True, False, True, False, True]
    first_lane = np.concatenate([batch.signal[1:, 0, 0] for batch in batches])
    assert np.array_equal(first_lane, np.arange(1, 51))
    for batch in batches:
        assert batch.signal[0, 1, 0] == batch.signal[1, 1, 0] - 1  # the context is the frame before
    assert np.array_equal(np.concatenate([batch.signal[1:, 1, 0] for batch in batches]), np.arange(51, 101))


def test_line_chunks_are_padded_and_masked():
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


def test_split_by_hash_has_its_shares_and_is_stable():
    splits = [split_by_hash(f"prompt-{i}") for i in range(4000)]
    shares = {split: splits.count(split) / 4000 for split in ("train", "valid", "test")}
    assert shares["train"] == pytest.approx(0.9, abs=0.02)
    assert shares["test"] == pytest.approx(0.05, abs=0.015)
    assert split_by_hash("prompt-0") == splits[0]
