"""Movements of controls: trajectories, random walks and ramps, saved, rewound and sent while others move."""

import numpy as np
import pytest

from vrnn_engine.runtime.live.events import Follow, Nudge, Restore, Rewind, Save, Set, Trace, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder

HEAT, SHIFT, HOLD, TARGET = "output.temperature", "latent.shift", "latent.hold", "latent.target"


@pytest.fixture
def saved(tmp_path):
    return SavedFolder("toy", tmp_path / "moments")


def test_numpy_numbers_are_accepted_in_events(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.send(Set(control=SHIFT, value=np.float32(0.5), index=np.int64(1)))
    performance.send(Set(control=HEAT, value=np.float64(0.25)))
    performance.read(1)
    assert performance.controls[SHIFT].tolist() == [0, 0.5, 0, 0]
    assert performance.controls[HEAT] == 0.25


def test_a_second_trajectory_also_ends_with_a_free_latent(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(20)
    for pause in (5, 8):  # within the first one, and at its end
        performance.send(Trace(name="way", seconds=0.1))
        performance.send(Follow(path="way"))
        performance.read(pause)
        performance.send(Follow(path="way"))
        performance.read(9)
        assert not performance.controls[HOLD].any()


def test_a_state_saved_within_a_trajectory_does_not_hold_the_latent(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(20)
    performance.send(Trace(name="way", seconds=0.1))
    performance.send(Follow(path="way", times=0))
    performance.read(5)
    performance.send(Save(name="here"))
    performance.read(5)
    assert performance.controls[HOLD].all()  # saving does not end the trajectory
    performance.send(Restore(name="here"))
    latents = []
    for _ in range(20):
        performance.read(1)
        latents.append(performance.stream.latent)
    assert np.std(latents, axis=0).min() > 0.1


def test_rewinding_restores_movements(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(16)
    performance.send(Set(control=HEAT, value=0.0, ramp=0.5))
    performance.send(Walk(control=SHIFT, speed=1.0, seed=3))
    performance.send(Trace(name="way", seconds=0.1))
    performance.send(Follow(path="way", times=2))
    made = performance.read(24).reshape(24, -1)
    performance.send(Rewind(seconds=0.2))
    again = performance.read(60).reshape(60, -1)
    assert np.array_equal(again[:16], made[8:])
    performance.send(Rewind(seconds=60 / 80 + 0.2))
    assert np.array_equal(performance.read(40).reshape(40, -1)[:16], again[:16])


def test_dimensions_move_independently_of_each_other(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.send(Walk(control=SHIFT, speed=1.0, index=3))
    performance.send(Set(control=SHIFT, value=1.0, index=0, ramp=10.0))
    performance.read(2)
    performance.send(Walk(control=SHIFT, speed=1.0, index=1))
    performance.controls[SHIFT] = performance.controls[SHIFT] + [0, 0, 2, 0]
    performance.read(1)
    before = performance.controls[SHIFT]
    performance.read(10)
    moved = performance.controls[SHIFT] - before
    assert moved[0] == pytest.approx(10 / 800)
    assert moved[2] == 0
    assert moved[1]
    assert moved[3]


def test_a_nudge_is_limited_to_the_range(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    for event in (Nudge(control=HEAT, by=0.25), Nudge(control=HEAT, by=0.25), Nudge(control=SHIFT, by=-9.0, index=2)):
        performance.send(event)
    performance.read(1)
    assert performance.controls[HEAT] == 1.5
    assert performance.controls[SHIFT].tolist() == [0, 0, -3, 0]
