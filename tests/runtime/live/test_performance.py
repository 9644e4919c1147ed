"""A performance applies events at their frame, and rewinds, saves, restores and forks."""

import numpy as np
import pytest
import soundfile

from vrnn_engine import ControlError, RecordingError, SinkError, StreamError
from vrnn_engine.runtime.live.events import (
    Fork,
    Morph,
    Prime,
    Reset,
    Restore,
    Rewind,
    Save,
    Seed,
    Set,
    Walk,
)
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder

SHIFT, HEAT = "latent.shift", "output.temperature"


@pytest.fixture
def saved(tmp_path):
    return SavedFolder("toy", tmp_path / "moments")


def frames(performance, count):
    return performance.read(count).reshape(count, -1)


def test_without_events_it_plays_the_stream_unchanged(engine):
    assert np.array_equal(Performance(engine.stream(3)).read(20), engine.stream(3).read(20))


def test_an_event_takes_effect_at_its_frame(engine, saved):
    plain = engine.stream(3).read(20).reshape(20, -1)
    made = frames(Performance(engine.stream(3), [Set(frame=7, control=HEAT, value=0.0)], saved=saved), 20)
    assert np.array_equal(made[:7], plain[:7])
    assert not np.array_equal(made[7], plain[7])


def test_a_ramp_is_linear_and_ends_at_its_value(engine, saved):
    performance = Performance(engine.stream(3), [Set(frame=2, control=HEAT, value=0.0, ramp=0.5)], saved=saved)
    steps = round(0.5 * engine.voice.manifest.frames_per_second)
    seen = []
    for _ in range(steps + 4):
        performance.read(1)
        seen.append(performance.stream.controls[HEAT])
    assert seen[:2] == [1.0, 1.0]
    assert np.allclose(seen[2 : 2 + steps], 1 - np.arange(1, steps + 1) / steps)
    assert seen[2 + steps :] == [0.0, 0.0]


def test_a_morph_moves_the_latent_linearly_to_that_of_a_saved_state(engine, saved):
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(5)
    performance.send(Save(name="here"))
    there = performance.stream.latent
    performance.read(5)
    now = performance.stream.latent
    performance.send(Morph(to="here", seconds=0.125))  # ten frames
    way = []
    for _ in range(12):
        performance.read(1)
        way.append(performance.stream.latent)
    part = np.minimum(np.arange(1, 13) / 10, 1)[:, np.newaxis]
    assert np.allclose(way, np.clip(now + (there - now) * part, -3, 3), atol=1e-6)
    performance.controls["latent.hold"] = 0.0
    performance.read(1)
    assert not np.allclose(performance.stream.latent, there)


def test_a_state_saved_before_the_first_frame_has_no_latent(engine, saved):
    performance = Performance(engine.stream(3), saved=saved)
    performance.send(Save(name="first"))
    performance.read(1)
    with pytest.raises(StreamError, match="'first' has no latent"):
        performance.send(Morph(to="first", seconds=1.0))


def test_a_random_walk_stays_in_range_and_ends_when_the_control_is_set(engine, saved):
    def walk(**options):
        performance = Performance(engine.stream(3), saved=saved)
        performance.send(Walk(control=SHIFT, speed=4.0, **options))
        seen = []
        for _ in range(600):
            performance.read(1)
            seen.append(performance.stream.controls[SHIFT])
        return performance, np.array(seen)

    performance, way = walk(seed=5)
    assert np.abs(way).max() <= 3
    assert (way.max(axis=0) > 2).any()
    assert np.mean(np.abs(way) == 3) < 0.001  # it is reflected at the ends, not clipped
    steps = np.diff(way, axis=0)[np.abs(way[1:]) < 2]  # steps without reflection
    assert steps.std() == pytest.approx(4 / np.sqrt(80), rel=0.1)
    assert np.array_equal(walk(seed=5)[1], way)
    assert not np.array_equal(walk(seed=6)[1], way)
    assert np.array_equal(performance.controls[SHIFT], way[-1])
    _, one = walk(index=2)
    assert not one[:, [0, 1, 3]].any()
    performance.send(Set(control=SHIFT, index=0, value=1.0))
    performance.read(9)
    assert performance.controls[SHIFT][0] == 1.0  # the other dimensions go on
    assert not np.isclose(performance.controls[SHIFT][1:], way[-1, 1:]).any()


def test_writing_a_control_stops_its_ramp(engine, saved):
    performance = Performance(engine.stream(3), [Set(frame=0, control=HEAT, value=0.0, ramp=5.0)], saved=saved)
    performance.read(3)
    performance.controls[HEAT] = 2.0
    performance.read(5)
    assert performance.stream.controls[HEAT] == 2.0


def test_dimensions_of_a_control_move_independently(engine, saved):
    performance = Performance(engine.stream(3), saved=saved)
    performance.send(Set(control=SHIFT, value=1.0, ramp=0.125))  # ten frames
    performance.read(2)
    performance.send(Set(control=SHIFT, index=1, value=-2.0))
    performance.send(Set(control=SHIFT, index=3, value=2.2, ramp=0.05))
    seen = []
    for _ in range(9):
        performance.read(1)
        seen.append(performance.stream.controls[SHIFT])
    assert np.allclose([value[0] for value in seen], [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1])
    assert [value[1] for value in seen] == [-2.0] * 9
    assert np.allclose([value[3] for value in seen], [0.7, 1.2, 1.7, 2.2, 2.2, 2.2, 2.2, 2.2, 2.2])
    assert np.array_equal(performance.controls[SHIFT], seen[-1])


def test_events_sent_together_are_applied_in_order(engine, saved):
    performance = Performance(engine.stream(3), saved=saved)
    for event in (
        Set(control=HEAT, value=0.5),
        Save(name="half"),
        Set(control=HEAT, value=2.0),
        Reset(),
        Set(control=SHIFT, value=1.0),
        Restore(name="half", snapshot=None),
        Set(control=SHIFT, index=0, value=0.25),
    ):
        if not isinstance(event, Restore):  # after a frame the state is in memory
            performance.send(event)
        else:
            performance.read(1)
            performance.send(event)
    performance.read(1)
    assert performance.stream.controls[HEAT] == performance.controls[HEAT] == 0.5
    assert performance.controls[SHIFT].tolist() == [0.25, 0, 0, 0]


@pytest.mark.parametrize("asked", ["by a write", "by an event"])
def test_a_write_while_a_frame_is_steered_is_not_lost(engine, saved, asked):
    first, second = "latent.temperature", HEAT

    def meanwhile(event):  # as another thread would
        if event.control == (first if asked == "by a write" else second) and event.value == 0.5:
            performance.controls[second] = 0.9

    performance = Performance(engine.stream(3), record=meanwhile, saved=saved)
    if asked == "by a write":
        performance.controls.update({first: 0.5, second: 0.6})
    else:
        performance.send(Set(control=second, value=0.5))
    performance.read(2)
    assert performance.controls[second] == performance.stream.controls[second] == 0.9


def test_recent_holds_the_last_frames(engine, saved):
    performance = Performance(engine.stream(3), saved=saved)
    made = frames(performance, 9)
    assert np.array_equal(list(performance.recent), made)
    performance.read(500)
    assert len(performance.recent) == 400


def test_rewinding_repeats_the_frames(engine, saved):
    performance = Performance(engine.stream(3), saved=saved)
    made = frames(performance, 40)
    performance.send(Rewind(seconds=0.25))
    again = frames(performance, 20)
    places = [at for at in range(40) if np.array_equal(made[at : at + 10], again[: len(made[at : at + 10])])]
    fps = engine.voice.manifest.frames_per_second
    assert places
    assert 0 <= 40 - 0.25 * fps - places[0] <= max(1, 0.1 * fps)


def test_a_fork_plays_what_the_stream_would_have(engine, saved, tmp_path):
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(5)
    seconds = 8 / engine.voice.manifest.frames_per_second
    performance.send(Fork(to=str(tmp_path / "fork.wav"), seconds=seconds))
    made = performance.read(8)
    performance.close()
    written = soundfile.read(tmp_path / "fork.wav", dtype="float32")[0]
    assert np.allclose(written, made.reshape(-1).clip(-1, 1), atol=1e-4)


@pytest.mark.parametrize(
    ("event", "error", "message"),
    [
        (Set(control="output.temprature", value=0.0), ControlError, "did you mean 'output.temperature'"),
        (Set(control=HEAT, value=99.0), ControlError, "out of range"),
        (Restore(name="nowhere"), StreamError, "no saved state 'nowhere'"),
        (Set(control=SHIFT, value=0.0, index=4), ControlError, "no dimension 4, only 0 to 3"),
        (Set(control=SHIFT, value=(0.0, 1.0, 2.0, 3.0), index=1), ControlError, "takes one number, not a list of 4"),
        (Seed(seed=-1), StreamError, "not an event: Expected `int` >= 0"),
        (Save(name="a/b"), StreamError, "cannot be named"),
        (Fork(to="nowhere.mp3", seconds=1.0), SinkError, "unknown target 'nowhere.mp3'"),
        (Restore(name="../../etc"), StreamError, "cannot be named"),
        (Prime(file="nowhere.wav"), RecordingError, "no such file"),
        (Walk(control="output.heat", speed=1.0), ControlError, "unknown control"),
        (Walk(control=SHIFT, speed=1.0, index=4), ControlError, "no dimension 4"),
        (Morph(to="nowhere", seconds=1.0), StreamError, "no saved state 'nowhere'"),
    ],
)
def test_an_impossible_event_raises_in_send_and_the_stream_goes_on(engine, saved, event, error, message):
    performance = Performance(engine.stream(3), saved=saved)
    with pytest.raises(error, match=message):
        performance.send(event)
    assert np.array_equal(performance.read(5), engine.stream(3).read(5))


def test_a_state_that_cannot_be_written_is_logged_and_the_stream_goes_on(engine, tmp_path, said):
    (tmp_path / "file").write_text("in the way")
    performance = Performance(engine.stream(3), saved=SavedFolder("toy", tmp_path / "file"))
    performance.send(Save(name="here"))
    made = performance.read(5)
    performance.close()
    assert np.array_equal(made, engine.stream(3).read(5))
    assert "cannot write the saved state 'here'" in said[0]
