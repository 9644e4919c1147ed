"""The stepper turns states into frames and new states, and changes none of the states it is given."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine, StreamError, Voice
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.stepper import Stepper


@pytest.fixture
def stepper(toy_audio: Path) -> Stepper:
    return Stepper.load(Voice.open(toy_audio), "cpu", rows=2)


@pytest.fixture
def controls(stepper: Stepper) -> Controls:
    return Controls(stepper.voice.manifest.controls)


def test_advance_gives_the_frames_of_a_stream(stepper: Stepper, controls: Controls, toy_audio: Path) -> None:
    states = [stepper.initial_state(seed) for seed in (1, 2, 3)]  # more than rows
    blocks, states = stepper.advance(3, states, [controls] * 3)
    more, states = stepper.advance(4, states, [controls] * 3)
    engine = Engine.load(toy_audio, device="cpu")
    for seed, state, *parts in zip((1, 2, 3), states, blocks, more, strict=True):
        stream = engine.stream(seed)
        np.testing.assert_array_equal(np.concatenate(parts), stream.read(7))
        np.testing.assert_array_equal(state.latent, stream.latent)
        assert state.frame == stream.frame == 7


def test_advance_changes_no_state(stepper: Stepper, controls: Controls) -> None:
    """Two steps from one state give the same frames, even if other states were stepped in between."""
    (_,), (state,) = stepper.advance(5, [stepper.initial_state(1)], [controls])
    before = state.copied_arrays()
    (first,), (after,) = stepper.advance(5, [state], [controls])
    stepper.advance(2, [after, stepper.initial_state(9)], [controls] * 2)
    (second,), _ = stepper.advance(5, [state], [controls])
    np.testing.assert_array_equal(second, first)
    assert state.frame == 5
    for name, value in state.arrays.items():
        np.testing.assert_array_equal(value, before[name])
        assert not np.array_equal(value, after.arrays[name])


def test_observe_changes_no_state(stepper: Stepper, controls: Controls) -> None:
    state = stepper.initial_state(1)
    frames = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 200)).astype(np.float32)
    outputs, after = stepper.observe([frames], state, controls)
    again, _ = stepper.observe([frames], state, controls)
    assert (state.frame, after.frame) == (0, 4)
    assert not any(value.any() for value in state.arrays.values())
    assert outputs.keys() == {"latent", "posterior.mean", "posterior.std", "kl", "log_likelihood"}
    for name, values in outputs.items():
        assert len(values) == 4
        np.testing.assert_array_equal(values, again[name])
    np.testing.assert_array_equal(after.latent, outputs["latent"][-1])


def test_a_state_cannot_be_changed_and_reseeding_gives_another(stepper: Stepper) -> None:
    state = stepper.initial_state(1)
    with pytest.raises(FrozenInstanceError):
        state.frame = 3  # type: ignore[misc]
    other = state.reseeded(2)
    assert (state.noise.seed, other.noise.seed) == (1, 2)
    with pytest.raises(StreamError, match="seed -1"):
        state.reseeded(-1)
