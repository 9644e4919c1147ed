"""What goes wrong in a performance is one line; the stream goes on, and nothing that was played is lost."""

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

from vrnn_engine import ControlError, Stream, StreamError, VRNNEngineError
from vrnn_engine.errors import NotFiniteError
from vrnn_engine.runtime.live.automation import Automation
from vrnn_engine.runtime.live.control.osc_messages import write_message
from vrnn_engine.runtime.live.events import Follow, Fork, Morph, Nudge, Reset, Restore, Rewind, Save, Set, Trace, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import Head, PerformanceLog, read_timeline
from vrnn_engine.runtime.stream_group import StreamGroup

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
def test_a_wrong_event_of_a_timeline_is_refused_before_it_plays(engine, saved, event, error, message) -> None:
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
def test_what_is_not_an_event_is_refused_when_it_is_sent(engine, saved, event) -> None:
    performance = Performance(engine.stream(3), saved=saved)
    with pytest.raises(StreamError, match="not an event"):
        performance.send(event)
    assert np.array_equal(performance.read(5), engine.stream(3).read(5))


def test_an_unexpected_error_in_an_event_is_logged(engine, saved, said, monkeypatch) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError("by chance")

    performance = Performance(engine.stream(3), saved=saved)
    monkeypatch.setattr(Automation, "set", fail)
    performance.send(Set(control=HEAT, value=0.5))
    assert np.array_equal(performance.read(5), engine.stream(3).read(5))
    assert said == ["set at frame 0: ZeroDivisionError: by chance"]


class FragileStream(Stream):
    """A stream whose frames are not finite at high temperatures, like those of a voice far from its training data."""

    def __init__(self, stream, always=False):
        super().__init__(stream.stepper, stream.state, StreamGroup())
        self._always = always
        self.restarts = 0

    def read(self, frames):
        if self.controls[HEAT] > 1.5 or (self._always and not self.restarts):
            raise NotFiniteError("not finite")
        return super().read(frames)

    def continue_from(self, other):
        self.restarts += 1
        super().continue_from(other)


def test_a_frame_that_is_not_finite_resets_the_controls(engine, saved, said, tmp_path) -> None:
    stream = FragileStream(engine.stream(3))
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


def test_if_that_does_not_help_the_stream_restarts(engine, saved, said) -> None:
    stream = FragileStream(engine.stream(3), always=True)
    made = Performance(stream, saved=saved).read(3)
    assert len(made) == 600
    assert stream.restarts == 1
    assert "restarts from its initial state" in said[-1]


def test_the_engine_raises_if_a_frame_is_not_finite(engine) -> None:
    stream = engine.stream(3)
    arrays = {name: np.full_like(value, np.nan) for name, value in stream.state.arrays.items()}
    stream.state = replace(stream.state, arrays=arrays)
    with pytest.raises(NotFiniteError, match="not finite"):
        stream.read(1)


def test_a_failing_fork_is_logged_and_the_performance_log_is_complete(engine, saved, said, tmp_path, tiny_disk) -> None:
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


def test_the_log_is_kept_after_an_error(engine, tmp_path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        PerformanceLog(tmp_path / "played.jsonl", Head.of(engine.stream(3))) as record,
    ):
        record(Reset(frame=3))
        raise ZeroDivisionError
    assert len((tmp_path / "played.jsonl").read_text().splitlines()) == 2


def test_an_interrupt_ends_a_fork(toy_audio: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    fork = tmp_path / "fork.wav"
    words = [
        "--voice",
        str(toy_audio),
        "--to",
        "null",
        "--seconds",
        "inf",
        "--osc",
        str(port),
        "--allow",
        str(tmp_path),
    ]
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


def test_a_state_can_be_restored_right_after_it_is_saved(engine, saved) -> None:
    """Also from another thread than the one that reads, at any time in between."""
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


@pytest.mark.parametrize("packet", [("/follow", "FILE"), ("/prime", "x" * 5000), ("/follow", "x" * 5000)])
def test_no_message_stops_the_osc_source(performance, packet, tmp_path) -> None:
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


def test_a_timeline_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    line = json.dumps({"do": "reset", "frame": 3})
    (tmp_path / "plan.jsonl").write_bytes(b"\xef\xbb\xbf" + line.encode())
    assert read_timeline(tmp_path / "plan.jsonl", 80.0).events == (Reset(frame=3),)
