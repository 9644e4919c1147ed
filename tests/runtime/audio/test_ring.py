"""The ring buffer: samples come out in order, each once; zeros where there are too few."""

import threading
import time

import numpy as np
import pytest

from vrnn_engine.runtime.audio.ring import Ring


def test_random_reads_and_writes_keep_the_order() -> None:
    rng = np.random.default_rng(1)
    ring, sent = Ring(37), np.arange(1, 5001, dtype=np.float32)
    got: list[np.ndarray] = []
    put = 0
    while ring.taken < len(sent):
        put += ring.write(sent[put : put + int(rng.integers(0, 50))])
        out = np.full(int(rng.integers(1, 50)), -1.0, np.float32)
        count = ring.read_into(out)
        assert (out[count:] == 0).all()
        got.append(out[:count].copy())
    assert np.array_equal(np.concatenate(got), sent)


def test_a_full_ring_accepts_only_what_fits() -> None:
    ring = Ring(5)
    assert ring.write(np.arange(4, dtype=np.float32)) == 4
    assert ring.write(np.arange(4, dtype=np.float32)) == 1
    assert ring.write(np.arange(4, dtype=np.float32)) == 0
    assert (ring.filled, ring.written, ring.taken) == (5, 5, 0)


def test_an_empty_ring_returns_silence() -> None:
    ring, out = Ring(5), np.ones(3, np.float32)
    assert ring.read_into(out) == 0
    assert out.tolist() == [0, 0, 0]


def test_reads_into_a_strided_column() -> None:
    """PortAudio's buffer is [frames, channels]."""
    ring, out = Ring(8), np.ones((6, 2), np.float32)
    ring.write(np.array([1, 2, 3], np.float32))
    ring.read_into(out[:, 0])
    assert out[:, 0].tolist() == [1, 2, 3, 0, 0, 0]
    assert out[:, 1].tolist() == [1] * 6


def test_two_threads_neither_lose_nor_repeat_samples() -> None:
    ring, sent = Ring(64), np.arange(1, 100_001, dtype=np.float32)
    got: list[np.ndarray] = []

    def take() -> None:
        total = 0
        while total < len(sent):
            out = np.empty(23, np.float32)
            count = ring.read_into(out)
            got.append(out[:count])
            total += count
            if not count:
                time.sleep(0)  # let the other thread run

    taker = threading.Thread(target=take)
    taker.start()
    put = 0
    while put < len(sent):
        count = ring.write(sent[put : put + 17])
        put += count
        if not count:
            time.sleep(0)
    taker.join()
    assert np.array_equal(np.concatenate(got), sent)


def test_a_ring_without_capacity_is_an_error() -> None:
    with pytest.raises(ValueError, match="room"):
        Ring(0)
