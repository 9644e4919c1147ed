"""A performance whose stream is read as one of a batch: `steer`, `steady_frames` and `accept` in place of `read`."""

import numpy as np
import pytest

from vrnn_engine.runtime.live.events import Rewind, Set, Trace, Walk
from vrnn_engine.runtime.live.performance import Performance

EVENTS = [
    Set(frame=3, control="output.temperature", value=0.2, ramp=0.1),
    Walk(frame=20, control="latent.shift", speed=2.0),
    Set(frame=31, control="latent.shift", value=0.5),
    Set(frame=34, control="latent.temperature", value=0.5),
]


def read_in_a_batch(engine, performances, frames, most):
    """Read performances together, each up to `most` frames at a time; return the frames of each."""
    made = [[] for _ in performances]
    while any(one.frame < frames for one in performances):
        for performance in performances:
            performance.steer()
        count = min(one.steady_frames(min(most, frames - one.frame)) for one in performances)
        blocks = engine.read(count, [one.stream for one in performances])
        for performance, block, done in zip(performances, blocks, made, strict=True):
            performance.accept(block, count)
            done.append(block)
    return [np.concatenate(one) for one in made]


@pytest.mark.parametrize("most", [1, 2, 7])
def test_frames_read_in_a_batch_are_those_of_read(engine, most):
    alone = [Performance(engine.stream(seed), EVENTS).read(50) for seed in (1, 2)]
    together = [Performance(engine.stream(seed), EVENTS, memory=0) for seed in (1, 2)]
    for expected, found in zip(alone, read_in_a_batch(engine, together, 50, most), strict=True):
        assert np.array_equal(expected, found)


def test_several_frames_are_steady_only_while_nothing_moves_and_no_event_is_due(engine):
    performance = Performance(engine.stream(1), EVENTS, memory=0)
    steady = []
    for frame in range(36):
        performance.steer()
        steady.append(performance.steady_frames(8))
        performance.accept(performance.stream.read(1), 1)
        assert performance.frame == frame + 1
    assert steady[:4] == [3, 2, 1, 1]  # a ramp starts at frame 3
    assert steady[31:] == [3, 2, 1, 8, 8]
    assert set(steady[20:31]) == {1}


def test_without_memory_nothing_is_kept_or_rewound(engine, caplog):
    performance = Performance(engine.stream(1), memory=0)
    performance.read(4)
    performance.send(Rewind(seconds=1))
    performance.send(Trace(name="one", seconds=1))
    assert performance.waiting == 2
    performance.read(1)
    assert performance.waiting == 0
    assert not performance.recent
    assert np.array_equal(performance.read(3), engine.stream(1).read(8)[-3 * 200 :])
