"""What goes wrong on stage: one line each, and the rest plays on; nothing that was played is lost."""

import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import environment
from support.steered import wait_until

from vrnn_engine import ControlError, StreamError, VRNNEngineError
from vrnn_engine.errors import NotFiniteError
from vrnn_engine.runtime.live.automation import Automation
from vrnn_engine.runtime.live.control.osc_messages import write_message
from vrnn_engine.runtime.live.events import Follow, Fork, Morph, Nudge, Reset, Restore, Rewind, Save, Set, Trace, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import Head, PerformanceLog, read_timeline

HEAT, SHIFT, HOLD, TARGET = "output.temperature", "latent.shift", "latent.hold", "latent.target"
NAN = float("nan")


@pytest.fixture
def saved(tmp_path):
    return SavedFolder("toy", tmp_path / "moments")


@pytest.mark.parametrize(
    ("event", "error", "message"),
    [
        (Set(frame=3, control="output.temprature", value=1.0), ControlError, "set at frame 3: unknown control"),
        (Set(frame=3, control=SHIFT, value=1.0, index=9), ControlError, "set at frame 3: .*no dimension 9"),
        (Walk(frame=3, control=SHIFT, speed=1.0, index=9), ControlError, "walk at frame 3: .*no dimension 9"),
        (Walk(frame=3, control=SHIFT, speed=1.0, seed=2**130), VRNNEngineError, "walk at frame 3: "),
        (Nudge(frame=3, control="x", by=1.0), ControlError, "nudge at frame 3: unknown control"),
        (Save(frame=3, name="a/b"), StreamError, "snapshot at frame 3: a saved state cannot be named"),
        (Trace(frame=3, name="a/b", seconds=1.0), StreamError, "trace at frame 3: a trajectory cannot be named"),
        (Fork(frame=3, to="x.mp3", seconds=1.0), VRNNEngineError, "fork at frame 3: unknown target 'x.mp3'"),
    ],
)
def test_a_timeline_is_refused_before_it_begins(engine, saved, event, error, message) -> None:
    with pytest.raises(error, match=message):
        Performance(engine.stream(3), [event], saved=saved)


@pytest.mark.parametrize(
    "event",
    [
        Set(control=HEAT, value=1.0, ramp=NAN),
        Set(control=HEAT, value=1.0, ramp=-1.0),
        Set(control=SHIFT, value=1.0, index=1.5),
        Morph(to="x", seconds=NAN),
        Rewind(seconds=None),
        Rewind(seconds=-5.0),
        Trace(name="x", seconds=math.inf),
        Follow(path="x", times=-1),
        Nudge(control=HEAT, by=NAN),
        Save(name=7),
        "louder",
    ],
)
def test_what_is_no_event_is_refused_where_it_is_sent(engine, saved, event) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    with pytest.raises(StreamError, match="not an event"):
        performance.send(event)
    assert np.array_equal(performance.read(5), engine.stream(3).read(5))


def test_numbers_of_numpy_are_numbers(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.send(Set(control=SHIFT, value=np.float32(0.5), index=np.int64(1)))
    performance.send(Set(control=HEAT, value=np.float64(0.25)))
    performance.read(1)
    assert performance.controls[SHIFT].tolist() == [0, 0.5, 0, 0]
    assert performance.controls[HEAT] == 0.25


def test_an_event_that_fails_in_an_unforeseen_way_is_a_line(engine, saved, said, monkeypatch) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError("by chance")

    performance = Performance(engine.stream(3), saved=saved)
    monkeypatch.setattr(Automation, "set", fail)
    performance.send(Set(control=HEAT, value=0.5))
    assert np.array_equal(performance.read(5), engine.stream(3).read(5))
    assert said == ["set at frame 0: ZeroDivisionError: by chance"]


class Weak:
    """A stream that does not stand a control, like a voice far from all it was trained on."""

    def __init__(self, stream, ever=False):
        self._stream = stream
        self._ever = ever
        self.begun = 0

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def read(self, frames):
        if self._stream.controls[HEAT] > 1.5 or (self._ever and not self.begun):
            raise NotFiniteError("not finite")
        return self._stream.read(frames)

    def continue_from(self, other):
        self.begun += 1
        self._stream.continue_from(other)


def test_a_voice_that_does_not_stand_its_controls_plays_on_with_their_defaults(engine, saved, said, tmp_path) -> None:
    stream = Weak(engine.stream(3))
    with PerformanceLog(tmp_path / "played.jsonl", Head.of(stream)) as record:
        performance = Performance(stream, record=record, saved=saved)
        performance.send(Set(control=SHIFT, value=0.5))
        performance.send(Set(control=HEAT, value=2.0, ramp=0.1))
        made = performance.read(20)
    assert said == ["frame 4 is not finite: all controls were reset to their defaults"]
    assert performance.controls[HEAT] == 1.0
    assert not performance.controls[SHIFT].any()
    timeline = read_timeline(tmp_path / "played.jsonl", engine.voice.manifest.frames_per_second)
    assert isinstance(timeline.events[-1], Reset)
    again = Performance(engine.stream(3), timeline.events, saved=saved)
    assert np.array_equal(again.read(20), made)


def test_one_that_stands_nothing_begins_anew(engine, saved, said) -> None:
    stream = Weak(engine.stream(3), ever=True)
    made = Performance(stream, saved=saved).read(3)
    assert len(made) == 600
    assert stream.begun == 1
    assert "restarts from its initial state" in said[-1]


def test_the_engine_says_that_a_frame_is_not_finite(engine) -> None:
    stream = engine.stream(3)
    arrays = {name: np.full_like(value, np.nan) for name, value in stream.state.arrays.items()}
    stream.state = replace(stream.state, arrays=arrays)
    with pytest.raises(NotFiniteError, match="not finite"):
        stream.read(1)


def test_a_fork_that_fails_is_a_line_when_it_does_and_the_recording_is_whole(
    engine, saved, said, tmp_path, tiny_disk
) -> None:
    with (
        PerformanceLog(tmp_path / "played.jsonl", Head.of(engine.stream(3))) as record,
        Performance(engine.stream(3), record=record, saved=saved) as performance,
    ):
        performance.send(Fork(to=str(tiny_disk / "fork.wav"), seconds=60.0))
        performance.read(2)
        wait_until(lambda: said)
        performance.send(Set(control=HEAT, value=0.5))
        performance.read(2)
    assert "fork at frame 0: " in said[0]
    assert len((tmp_path / "played.jsonl").read_text().splitlines()) == 3
    assert list(tiny_disk.iterdir()) == []


def test_what_was_recorded_until_something_went_wrong_is_kept(engine, tmp_path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        PerformanceLog(tmp_path / "played.jsonl", Head.of(engine.stream(3))) as record,
    ):
        record(Reset(frame=3))
        raise ZeroDivisionError
    assert len((tmp_path / "played.jsonl").read_text().splitlines()) == 2


def test_who_interrupts_does_not_wait_for_a_fork(toy_audio: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    fork = tmp_path / "fork.wav"
    words = ["--voice", str(toy_audio), "--to", "null", "--seconds", "inf", "--osc", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "vrnn_engine", "stream", *words],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert any("-> null" in line for line in process.stderr)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc:
            osc.sendto(write_message("/fork", str(fork), 1e6), ("127.0.0.1", port))
        wait_until(lambda: list(tmp_path.glob(".fork.wav.*")))
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    finally:
        process.kill()
        process.stderr.close()
    assert soundfile.info(fork).frames > 0
    assert not list(tmp_path.glob(".fork.wav.*"))


def test_a_path_after_a_path_is_let_go_as_well(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(20)
    for pause in (5, 8):  # within the first one, and where it ends
        performance.send(Trace(name="way", seconds=0.1))
        performance.send(Follow(path="way"))
        performance.read(pause)
        performance.send(Follow(path="way"))
        performance.read(9)
        assert not performance.controls[HOLD].any()


def test_a_moment_in_a_path_is_no_drone(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    performance.read(20)
    performance.send(Trace(name="way", seconds=0.1))
    performance.send(Follow(path="way", times=0))
    performance.read(5)
    performance.send(Save(name="here"))
    performance.read(5)
    assert performance.controls[HOLD].all()  # it goes on
    performance.send(Restore(name="here"))
    latents = []
    for _ in range(20):
        performance.read(1)
        latents.append(performance.stream.latent)
    assert np.std(latents, axis=0).min() > 0.1


def test_to_rewind_is_to_be_on_the_same_way_again(engine, saved) -> None:
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


def test_dimensions_wander_each_on_their_own(engine, saved) -> None:
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


def test_what_is_kept_is_found_however_soon_it_is_asked_for(engine, saved) -> None:
    """By another thread than the one that keeps it, at any moment in between."""
    performance = Performance(engine.stream(3), saved=saved)
    ended, usual = threading.Event(), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def read() -> None:
        while not ended.is_set():
            performance.read(1)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(300):
            performance.send(Save(name=f"n{number}"))
            performance.send(Restore(name=f"n{number}"))
            performance.send(Trace(name=f"n{number}", seconds=0.1))
            performance.send(Follow(path=f"n{number}"))
    finally:
        ended.set()
        reader.join()
        sys.setswitchinterval(usual)
        performance.close()


def test_a_nudge_stops_at_the_end_of_the_range(engine, saved) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    for event in (Nudge(control=HEAT, by=0.25), Nudge(control=HEAT, by=0.25), Nudge(control=SHIFT, by=-9.0, index=2)):
        performance.send(event)
    performance.read(1)
    assert performance.controls[HEAT] == 1.5
    assert performance.controls[SHIFT].tolist() == [0, 0, -3, 0]


@pytest.mark.parametrize("packet", [("/follow", "FILE"), ("/prime", "x" * 5000), ("/follow", "x" * 5000)])
def test_no_message_ends_the_others(performance, packet, tmp_path) -> None:
    from vrnn_engine.runtime.live.control.osc import Osc

    np.savez(tmp_path / "several.npz", a=np.zeros(3))
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    osc = Osc()
    osc.start(performance)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, performance.playing():
            client.settimeout(10)
            for _ in range(2):
                address, text = packet
                text = text.replace("FILE", str(tmp_path / "several.npy"))
                client.sendto(write_message(address, text), ("127.0.0.1", osc.port))
                while b"/error" not in client.recv(65536):
                    pass
            client.sendto(write_message("/control/output.temperature", 0.5), ("127.0.0.1", osc.port))
            wait_until(lambda: performance.controls[HEAT] == 0.5)
    finally:
        osc.stop()


def test_a_timeline_of_another_editor_may_begin_with_its_mark(tmp_path: Path) -> None:
    line = json.dumps({"do": "reset", "frame": 3})
    (tmp_path / "plan.jsonl").write_bytes(b"\xef\xbb\xbf" + line.encode())
    assert read_timeline(tmp_path / "plan.jsonl", 80.0).events == (Reset(frame=3),)
