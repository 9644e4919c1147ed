"""Frames arrive in order and once, and the server is never given more credit than the reader needs."""

import numpy as np
import pytest

from vrnn_engine import RemoteError
from vrnn_engine.client.frame_buffer import FrameBuffer


def frames(first, count):
    """Return frames of two samples, which are their number."""
    return np.repeat(np.arange(first, first + count, dtype="<f4"), 2).tobytes()


@pytest.fixture
def buffer():
    buffer = FrameBuffer(10, 2, "f32le", window=40)
    buffer.expect(1)
    assert buffer.credit() == 40
    return buffer


def test_before_the_first_read_there_is_no_credit():
    buffer = FrameBuffer(10, 2, "f32le", window=40)
    assert buffer.credit() == buffer.credit(least=True) == 0
    buffer.expect(3)
    assert buffer.credit() == 40


def test_blocks_are_read_in_any_size(buffer):
    for first in (10, 13, 16):
        buffer.add(first, frames(first, 3))
    assert buffer.waiting == 9
    read = [buffer.take(count) for count in (1, 4, 9)]
    assert [len(block) for block in read] == [1, 4, 4]
    assert np.array_equal(np.concatenate(read)[:, 0], np.arange(10, 19))
    assert (buffer.read, buffer.received) == (19, 19)


def test_frames_that_arrive_again_are_dropped(buffer):
    buffer.add(10, frames(10, 6))
    assert not len(buffer.add(12, frames(12, 2)))
    assert np.array_equal(buffer.add(14, frames(14, 4))[:, 0], [16, 17])
    assert np.array_equal(buffer.take(99)[:, 1], np.arange(10, 18))


def test_frames_that_are_missing_are_an_error(buffer):
    with pytest.raises(RemoteError, match="left out the frames from 10 to 11"):
        buffer.add(12, frames(12, 2))


def test_more_than_one_message_beyond_the_credit_is_an_error(buffer):
    buffer.add(10, frames(10, 39))
    buffer.add(49, frames(49, 20))  # 40 frames were given
    assert not len(buffer.add(49, frames(49, 20)))  # they arrive again
    with pytest.raises(RemoteError, match="the server sent frame 69, for which it had no credit"):
        buffer.add(69, frames(69, 1))
    assert buffer.waiting == 59


def test_half_a_frame_is_an_error(buffer):
    with pytest.raises(RemoteError, match="not whole frames of 2 samples"):
        buffer.add(10, frames(10, 2)[:-4])


def test_samples_of_16_bits_are_scaled_to_full_scale():
    buffer = FrameBuffer(0, 2, "s16le", window=40)
    buffer.add(0, np.array([-32768, 0, 16384, 32767], "<i2").tobytes())
    assert np.array_equal(buffer.take(2), np.array([[-1, 0], [0.5, 32767 / 32768]], np.float32))


def test_credit_is_given_when_half_of_the_window_is_read(buffer):
    assert buffer.credit() == 0
    buffer.add(10, frames(10, 40))
    given = []
    for _ in range(40):
        buffer.take(1)
        given.append(buffer.credit())
    assert [count for count in given if count] == [20, 20]
    assert given.index(20) == 19


def test_who_reads_much_at_once_gets_twice_as_much_credit(buffer):
    buffer.expect(100)
    assert buffer.credit() == 160
    assert buffer.credit() == 0
    buffer.add(10, frames(10, 200))
    buffer.take(100)
    assert buffer.credit() == 100


def test_a_new_connection_gets_credit_for_what_is_missing(buffer):
    buffer.add(10, frames(10, 15))
    buffer.take(5)
    buffer.reconnected()
    assert buffer.credit(least=True) == 30  # ten frames wait, forty may
    assert buffer.credit(least=True) == 0


def test_dropped_frames_are_skipped(buffer):
    buffer.add(10, frames(10, 15))
    buffer.skip_to(60)
    assert (buffer.waiting, buffer.read) == (0, 60)
    buffer.add(60, frames(60, 2))
    assert np.array_equal(buffer.take(9)[:, 0], [60, 61])
