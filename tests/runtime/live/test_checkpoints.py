"""A performance continues from a checkpoint of another one, bit for bit, with its movements and coming events."""

import numpy as np
import pytest

from vrnn_engine.runtime.live.events import Follow, Set, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.snapshot import Tensor

SHIFT, HEAT = "latent.shift", "output.temperature"


def timeline(latents):
    """Return a ramp, a walk and a trajectory, and a change after them."""
    size = latents.size
    trajectory = np.linspace(-1, 1, 7 * size, dtype=np.float32).reshape(7, size)
    return [
        Set(frame=2, control=HEAT, value=0.0, ramp=0.5),
        Walk(frame=3, control=SHIFT, speed=0.5, index=1, seed=4),
        Follow(frame=5, path="given", times=3, latents=Tensor.of(trajectory)),
        Set(frame=60, control=SHIFT, value=0.5),
    ]


@pytest.mark.parametrize("frame", [0, 2, 3, 6, 15, 26, 27, 41, 61])
def test_the_frames_after_a_checkpoint_are_the_same_bits(engine, frame):
    events = timeline(engine.stream(3).latent)
    whole = Performance(engine.stream(3), events).read(80).reshape(80, -1)
    first = Performance(engine.stream(3), events)
    first.read(frame)
    second = Performance(engine.stream(9), first.upcoming)
    second.continue_from(first.checkpoint())
    assert np.array_equal(second.read(80 - frame).reshape(80 - frame, -1), whole[frame:])
    assert np.array_equal(first.read(80 - frame).reshape(80 - frame, -1), whole[frame:])


def test_values_written_before_the_checkpoint_is_adopted_are_dropped(engine):
    first = Performance(engine.stream(3))
    first.read(4)
    second = Performance(engine.stream(3))
    second.controls[HEAT] = 0.25
    second.continue_from(first.checkpoint())
    assert second.controls[HEAT] == 1.0
    assert np.array_equal(second.read(4), first.read(4))


def test_events_that_are_sent_wait_until_the_frames_that_are_repeated_have_passed(engine):
    first = Performance(engine.stream(3))
    first.read(4)
    second = Performance(engine.stream(3))
    second.continue_from(first.checkpoint(), repeated=9)
    second.send(Set(control=HEAT, value=0.0))
    first.read(5)
    first.send(Set(control=HEAT, value=0.0))
    expected = first.read(3)
    assert np.array_equal(second.read(8)[-len(expected) :], expected)
