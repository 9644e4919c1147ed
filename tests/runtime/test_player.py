"""The player writes every sample in order, passes errors to the caller, and finishes the sink when it is stopped."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from vrnn_engine import Engine, Player
from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.sinks import Format


class Collector:
    """Sink that keeps the blocks; the write after `full` blocks fails."""

    def __init__(self, full: int | None = None) -> None:
        self.blocks: list[np.ndarray] = []
        self.events: list[str] = []
        self.full_after = full
        self.some = threading.Event()

    def open(self, format: Format) -> None:
        self.events.append(f"open {format.name}")

    def write(self, block: np.ndarray) -> None:
        if self.full_after is not None and len(self.blocks) == self.full_after:
            raise SinkError("it is full")
        self.blocks.append(block.copy())
        if len(self.blocks) == 3:
            self.some.set()

    def close(self) -> None:
        self.events.append("close")

    def abort(self) -> None:
        self.events.append("abort")


def test_player_writes_what_the_stream_yields(toy_audio: Path) -> None:
    engine = Engine.load(toy_audio, device="cpu", rows=2)
    sink = Collector()
    with Player(engine.stream(seed=3), to=sink, seconds=0.51) as player:
        assert player.wait()
        assert not player.running
    got = np.concatenate(sink.blocks)
    assert len(got) == 8160
    assert np.array_equal(got, engine.stream(seed=3).read(41)[:8160])
    assert sink.events == ["open toy-audio", "close"]
    assert player.seconds_played == pytest.approx(0.51)
    assert player.underruns == player.clipped == 0
    assert player.speed > 0


def test_seconds_of_a_pen_are_counted_in_points(toy_pen: Path) -> None:
    engine, sink = Engine.load(toy_pen, device="cpu"), Collector()
    with Player(engine.stream(seed=3), to=sink, seconds=1.234) as player:
        player.wait()
    assert np.concatenate(sink.blocks).shape == (123, 3)


def test_end_of_the_stream_finishes_the_sink() -> None:
    manifest = SimpleNamespace(
        modality="audio", rate=16000, frame_size=200, unit="full scale", name="brief", text=None, channels=1
    )
    left = 30

    def read(frames: int) -> np.ndarray:
        nonlocal left
        left -= (made := min(frames, left))
        return np.ones(made * 200, np.float32)

    sink = Collector()
    with Player(SimpleNamespace(read=read, voice=SimpleNamespace(manifest=manifest)), to=sink) as player:
        assert player.wait(30)
    assert len(np.concatenate(sink.blocks)) == 6000
    assert sink.events == ["open brief", "close"]


def test_only_a_sound_device_has_a_volume(toy_audio: Path) -> None:
    player = Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to="null")
    with pytest.raises(SinkError, match="null has no volume; only a sound device has one"):
        player.volume = -3
    player = Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to="speakers")
    player.volume = -3
    assert player.volume == -3.0
    with pytest.raises(SinkError, match="at most 20"):
        player.volume = 30


def test_stop_leaves_a_valid_file_of_all_frames_read(toy_audio: Path, tmp_path: Path) -> None:
    stream = Engine.load(toy_audio, device="cpu").stream(seed=3)
    with Player(stream, to=tmp_path / "a.wav") as player:
        assert player.running
        while player.seconds_played < 0.5:
            assert not player.wait(timeout=0.01)
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert len(samples) == round(player.seconds_played * 16000) == stream.frame * 200
    expected = Engine.load(toy_audio, device="cpu").stream(seed=3).read(40)
    assert np.abs(samples[:8000] - expected).max() < 1e-4


def test_an_interrupt_while_the_thread_starts_leaves_a_valid_file(
    toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Player(Engine.load(toy_audio, device="cpu").stream(seed=7), to=tmp_path / "take.wav")
    start = player._thread.start

    def interrupted() -> None:
        start()
        while not player.seconds_played:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(player._thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), player:
        pass
    assert player.started
    assert not player.running
    assert len(soundfile.read(tmp_path / "take.wav")[0]) == round(player.seconds_played * 16000)


def test_error_of_the_sink_is_raised_once_in_the_caller(toy_audio: Path) -> None:
    stream, sink = Engine.load(toy_audio, device="cpu").stream(seed=3), Collector(full=2)
    with Player(stream, to=sink) as player, pytest.raises(SinkError, match="it is full"):
        player.wait()
    assert sink.events == ["open toy-audio", "abort"]


def test_error_is_raised_on_leaving_if_nobody_waited(toy_audio: Path) -> None:
    stream, sink = Engine.load(toy_audio, device="cpu").stream(seed=3), Collector(full=0)
    with pytest.raises(SinkError, match="it is full"), Player(stream, to=sink):
        pass


def test_error_of_the_stream_is_raised_and_leaves_no_file(toy_audio: Path, tmp_path: Path) -> None:
    stream = Engine.load(toy_audio, device="cpu").stream(seed=3)
    stream.close()
    with pytest.raises(StreamError, match="closed"), Player(stream, to=tmp_path / "a.wav", seconds=1) as player:
        player.wait()
    assert list(tmp_path.glob("*")) == []


def test_sink_of_another_modality_is_refused_on_entering(toy_audio: Path, tmp_path: Path) -> None:
    stream = Engine.load(toy_audio, device="cpu").stream(seed=3)
    with pytest.raises(SinkError, match="takes ink"), Player(stream, to=tmp_path / "a.svg"):
        pytest.fail("entered")
    assert list(tmp_path.glob("*")) == []


def test_error_of_the_caller_comes_first(toy_audio: Path) -> None:
    stream, sink = Engine.load(toy_audio, device="cpu").stream(seed=3), Collector(full=3)
    with pytest.raises(KeyError), Player(stream, to=sink):
        sink.some.wait(10)
        raise KeyError


def test_controls_take_effect_during_playing(toy_audio: Path) -> None:
    engine, sink = Engine.load(toy_audio, device="cpu"), Collector()
    stream = engine.stream(seed=3)
    with Player(stream, to=sink):
        assert sink.some.wait(10)
        stream.controls["output.temperature"] = 0.0
        stream.controls["latent.temperature"] = 0.0
        count = len(sink.blocks)
        while len(sink.blocks) < count + 40:
            pass
    # Without randomness the recurrence settles: two late frames are nearly the same.
    late = np.concatenate(sink.blocks)[-400:].reshape(2, 200)
    early = np.concatenate(sink.blocks)[:400].reshape(2, 200)
    assert np.abs(np.diff(late, axis=0)).max() < 0.1 * np.abs(np.diff(early, axis=0)).max()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_seconds_must_be_positive(toy_audio: Path, seconds: float) -> None:
    with pytest.raises(StreamError, match="seconds"):
        Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to="null", seconds=seconds)


def test_live_sinks_get_small_blocks() -> None:
    asked: list[int] = []
    manifest = SimpleNamespace(
        modality="audio", rate=16000, frame_size=200, unit="full scale", name="still", text=None, channels=1
    )

    def read(frames: int) -> np.ndarray:
        asked.append(frames)
        return np.zeros(frames * 200, np.float32)

    for live, most in [(True, 4), (False, 100)]:
        asked.clear()
        sink = Collector()
        sink.live = live  # type: ignore[attr-defined]
        stream = SimpleNamespace(read=read, voice=SimpleNamespace(manifest=manifest))
        with Player(stream, to=sink, seconds=2, latency=1.0) as player:
            player.wait()
        assert sum(asked) == 160
        assert max(asked) <= most
    assert max(asked) > 4


def test_waiting_for_a_player_that_was_not_entered_is_an_error(toy_audio: Path) -> None:
    player = Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to="null")
    with pytest.raises(StreamError, match="with Player"):
        player.wait()
    assert not player.running
    player.stop()


def test_full_sink_ends_the_player(toy_audio: Path) -> None:
    sink = Collector()
    write = sink.write

    def fill(block: np.ndarray) -> None:
        write(block)
        sink.full = len(sink.blocks) == 3

    sink.full, sink.write = False, fill  # type: ignore[assignment, method-assign]
    with Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to=sink) as player:
        assert player.wait(60)
        assert player.full
    assert len(sink.blocks) == 3
    assert sink.events == ["open toy-audio", "close"]


def test_stop_interrupts_a_sink_that_waits(toy_audio: Path) -> None:
    class Slow(Collector):
        patience = 60.0

        def __init__(self) -> None:
            super().__init__()
            self.asked, self.waiting = threading.Event(), threading.Event()

        def write(self, block: np.ndarray) -> None:
            self.waiting.set()
            assert self.asked.wait(60)

        def interrupt(self) -> None:
            self.events.append("interrupt")
            self.asked.set()

    sink = Slow()
    with Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to=sink) as player:
        assert sink.waiting.wait(60)
        player.stop()
    assert sink.events == ["open toy-audio", "interrupt", "close"]


def test_sink_that_never_returns_is_reported_after_its_patience(toy_audio: Path) -> None:
    class Stuck(Collector):
        patience = 0.1
        label = "a wall"
        over = threading.Event()

        def write(self, block: np.ndarray) -> None:
            self.over.wait(60)

    player = Player(Engine.load(toy_audio, device="cpu").stream(seed=3), to=Stuck()).__enter__()
    with pytest.raises(SinkError, match=r"a wall did not finish within 0\.1 s of the stop"):
        player.stop()
    Stuck.over.set()
    assert player.wait(60)
