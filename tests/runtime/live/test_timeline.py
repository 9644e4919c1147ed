"""Timelines and performance logs: they are checked, and a log replays bit for bit."""

import threading

import msgspec
import numpy as np
import pytest
import soundfile

from vrnn_engine import Engine, RecordingError, SinkError, StreamError
from vrnn_engine.runtime.live.events import (
    Follow,
    Morph,
    Prime,
    Reset,
    Restore,
    Rewind,
    Save,
    Seed,
    Set,
    Trace,
    Walk,
)
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import Head, PerformanceLog, read_timeline
from vrnn_engine.runtime.snapshot import Tensor

SHIFT, HEAT = "latent.shift", "output.temperature"


@pytest.fixture
def saved(tmp_path):
    return SavedFolder("toy", tmp_path / "moments")


def test_the_log_contains_the_latent_of_a_morph(engine, saved):
    kept = engine.stream(4)
    kept.read(3)
    saved.write_state("there", kept.snapshot())
    noted = []
    performance = Performance(engine.stream(3), [Morph(frame=2, to="there", seconds=1.0)], noted.append, saved)
    performance.read(4)
    assert noted == [Morph(frame=2, to="there", seconds=1.0, latent=tuple(kept.latent.tolist()))]


def play(engine, saved, path, sound):
    """Play a performance with two dozen events, some from other threads; return the frames."""
    source = engine.stream(3)
    source.prime(sound)
    with PerformanceLog(path, Head.of(source)) as record:
        performance = Performance(source, record=record, saved=saved)
        made = [performance.read(9)]
        performance.send(Set(control=HEAT, value=0.3, ramp=0.4))
        performance.send(Set(control=SHIFT, value=0.4, index=2, ramp=0.1))
        performance.send(Save(name="here"))
        made.append(performance.read(13))
        writer = threading.Thread(target=lambda: performance.controls.update({SHIFT: 0.5}))
        writer.start()
        made.append(performance.read(7))
        writer.join()
        performance.send(Rewind(seconds=0.2))
        made.append(performance.read(10))
        performance.send(Seed(seed=11))
        performance.send(Restore(name="before"))
        made.append(performance.read(6))
        performance.send(Prime(file=str(sound)))
        made.append(performance.read(6))
        performance.send(Restore(name="here"))
        made.append(performance.read(6))
        performance.send(Walk(control=HEAT, speed=2.0, seed=3))
        performance.send(Morph(to="before", seconds=0.05))
        made.append(performance.read(6))
        performance.send(Reset())
        made.append(performance.read(6))
        performance.send(Trace(name="way", seconds=0.05))
        performance.send(Follow(path="way", times=2))
        made.append(performance.read(10))
        performance.send(Follow(path=str(sound)))
        made.append(performance.read(5))
    return np.concatenate(made)


def test_a_log_replays_bit_for_bit_without_the_saved_files(engine, toy_audio, saved, tmp_path):
    sound = tmp_path / "clip.wav"
    rate = engine.voice.manifest.rate
    soundfile.write(sound, 0.1 * np.random.default_rng(0).standard_normal(rate), rate)
    before = engine.stream(99)
    before.read(5)
    saved.write_state("before", before.snapshot())
    made = play(engine, saved, tmp_path / "played.jsonl", sound)

    fresh = Engine.load(toy_audio, "cpu")
    timeline = read_timeline(tmp_path / "played.jsonl", fresh.voice.manifest.frames_per_second)
    assert timeline.head.fingerprint == fresh.voice.fingerprint()
    source = fresh.stream()
    timeline.head.bring(source)
    again = Performance(source, timeline.events, saved=SavedFolder("toy", tmp_path / "none"))
    assert np.array_equal(again.read(84), made)
    kinds = {type(event) for event in timeline.events}
    assert kinds == {Set, Save, Rewind, Seed, Restore, Prime, Walk, Morph, Reset, Trace, Follow}


def test_a_log_that_cannot_be_written_ends_and_the_stream_goes_on(engine, saved, said):

    def record(event):
        raise SinkError("cannot write it: no space left")

    performance = Performance(engine.stream(3), record=record, saved=saved)
    performance.controls[HEAT] = 1.5
    performance.read(2)
    performance.controls[HEAT] = 1.0
    assert len(performance.read(3)) == 3 * 200
    assert said == ["the performance log ends at frame 0: cannot write it: no space left"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ['{"do": "set", "frame": 9, "control": "a", "value": 1}', '{"do": "seed", "second": 0.01, "seed": 1}'],
            ":2: at",
        ),
        (['{"do": "set", "frame": 9, "control": "a"}'], ":1: not an event.*value"),
        (
            ['{"do": "sett", "frame": 9}'],
            ":1: not an event: there is no event 'sett'; did you mean 'set'.*events: erase, follow, .*, write$",
        ),
        (
            ['{"do": "seed", "seconds": 9, "seed": 1}'],
            ":1: not an event: seed has no field 'seconds'; did you mean 'second'.*its fields: frame, second, seed$",
        ),
        (['{"do": 3, "frame": 9}'], ":1: not an event: Expected `str`"),
        (['{"do": "seed", "seed": 9}'], ":1: .*either a frame or a second"),
        (['{"timeline": 2, "voice": "a", "fingerprint": "b", "seed": 1, "controls": {}}'], ":1: version 2 is newer"),
        (["\xff"], ":1: not an event"),
    ],
)
def test_a_malformed_timeline_is_refused_with_the_line_number(tmp_path, lines, message):
    path = tmp_path / "timeline.jsonl"
    path.write_text("\n".join(lines), "latin-1")
    with pytest.raises(StreamError, match=message):
        read_timeline(path, 80.0)


def test_a_recording_that_is_missing_is_refused_with_the_line_number(engine, tmp_path):
    path = tmp_path / "timeline.jsonl"
    path.write_text('\n{"do": "prime", "second": 1, "file": "nope.wav"}\n')
    timeline = read_timeline(path, 80.0)
    with pytest.raises(RecordingError, match=rf"^{path}:2: prime at frame 80: nope\.wav: no such file"):
        Performance(engine.stream(3), timeline)


def test_a_rewind_beyond_the_beginning_says_how_far_it_went(engine, said):
    performance = Performance(engine.stream(3))
    performance.read(40)
    performance.send(Rewind(seconds=0.25))
    performance.read(1)
    assert said == []
    performance.send(Rewind(seconds=100.0))
    performance.read(1)
    assert said == ["rewind by 100 s: went back 0.5 s, as far as is remembered"]


def test_events_survive_a_round_trip_through_json():
    path = Follow(path="a", latents=Tensor.of(np.array([[0.1, np.pi]])))
    for event in (
        Set(frame=3, control=SHIFT, value=(0.5, 1.0), ramp=2.0),
        Restore(name="a", snapshot=b"\x00\xff"),
        path,
    ):
        line = msgspec.json.encode(event)
        assert msgspec.json.decode(line, type=type(event)) == event
