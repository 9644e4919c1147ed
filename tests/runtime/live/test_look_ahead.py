"""Frames that are observed before they are due have the results of frames that are observed one by one."""

import itertools
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from vrnn_engine import Engine, ProviderError, StreamError
from vrnn_engine.runtime.live.listening import look_ahead
from vrnn_engine.runtime.live.listening.look_ahead import MOST_AHEAD, LookAhead
from vrnn_engine.runtime.live.listening_stream import ListeningStream
from vrnn_engine.runtime.observation import Observation
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.stream_group import StreamGroup

FRAMES = (0.3 * np.random.default_rng(7).standard_normal((60, 200))).clip(-1, 1).astype(np.float32)


class Frames:
    """An input of given frames, of which the first `arrived` are there already."""

    label, live, seconds, delay, dropped, conversions = "frames", False, 0.75, 0.0, 0, ()

    def __init__(self, frames: np.ndarray, arrived: int = 1000) -> None:
        self._left = deque(frames)
        self.left_to_arrive = len(frames) - arrived

    @property
    def ready(self) -> bool:
        return len(self._left) > max(0, self.left_to_arrive)

    @property
    def left(self) -> int:
        return len(self._left)

    def read(self) -> np.ndarray | None:
        return self._left.popleft() if self._left else None

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def set_clock(monkeypatch: pytest.MonkeyPatch, times: Iterator[float]) -> None:
    """Let observations take the same time on every machine."""
    monkeypatch.setattr(look_ahead, "time", SimpleNamespace(perf_counter=lambda: next(times)))


@pytest.mark.parametrize(("seconds", "rows"), [(0.0, [1, 2, 4, 8, 16, 16, 13]), (1 / 80, [1] * 60)])
def test_as_many_frames_are_observed_in_a_row_as_take_the_time_of_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, seconds: float, rows: list[int]
) -> None:
    set_clock(monkeypatch, itertools.count(0, seconds))
    listener, alone = engine.stream(3), engine.stream(3)
    ahead = LookAhead(listener, given := Frames(FRAMES))
    reached = [0]
    for frame in FRAMES:
        expected = alone.observe([frame[np.newaxis]])
        assert ahead.wait()
        seen = ahead.next()
        assert np.array_equal(seen.latent, expected.latents[0])
        assert seen[1:] == (expected.kl[0], expected.log_likelihood[0])
        reached.append(listener.frame)
    assert not ahead.wait()
    assert given.left == 0
    assert np.diff(sorted(set(reached))).tolist() == rows
    assert max(rows) <= MOST_AHEAD


def test_going_back_repeats_only_what_is_not_due_yet(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, itertools.repeat(0.0))
    listener, alone = engine.stream(3), engine.stream(3)
    ahead = LookAhead(listener, Frames(FRAMES))
    for at, frame in enumerate(FRAMES):
        if at in (0, 1, 5, 6, 20, 33):
            ahead.go_back()
            assert listener.frame == at
            listener.reseed(at)
            alone.reseed(at)
        assert ahead.wait()
        assert np.array_equal(ahead.next().latent, alone.observe([frame[np.newaxis]]).latents[0])
    assert not ahead.wait()


def test_no_frame_is_waited_for_before_it_is_due(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, itertools.repeat(0.0))
    ahead = LookAhead(engine.stream(3), given := Frames(FRAMES, arrived=20))
    for due in range(1, 30):
        assert ahead.wait()
        ahead.next()
        assert 60 - given.left <= max(20, due)


def test_the_frames_before_one_that_cannot_be_observed_are_played(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, itertools.repeat(0.0))
    broken = FRAMES.copy()
    broken[23] = np.nan
    listening = ListeningStream(engine.stream(3), Frames(broken), "resynthesise")
    whole = ListeningStream(engine.stream(3), Frames(FRAMES), "resynthesise")
    for _ in range(23):
        assert np.array_equal(listening.read(1), whole.read(1))
    with pytest.raises(StreamError, match="is not finite while observing"):
        listening.read(1)
    assert listening.heard == 23


class FailingStream(Stream):
    """A stream whose observation of several frames fails once."""

    def __init__(self, stream: Stream, error: BaseException) -> None:
        super().__init__(stream.stepper, stream.state, StreamGroup())
        self.error: BaseException | None = error

    def observe(self, frames, trace: bool = True, text: str | None = None) -> Observation:
        blocks = list(frames)
        if self.error is not None and sum(map(len, blocks)) > 1:
            error, self.error = self.error, None
            raise error
        return super().observe(blocks, trace, text)


@pytest.mark.parametrize("error", [ProviderError("the device failed"), KeyboardInterrupt()])
def test_frames_are_not_lost_if_their_observation_is_stopped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    set_clock(monkeypatch, itertools.repeat(0.0))
    ahead, alone = LookAhead(FailingStream(engine.stream(3), error), Frames(FRAMES)), engine.stream(3)
    failures = 0
    for frame in FRAMES:
        assert ahead.wait()
        try:
            seen = ahead.next()
        except type(error):
            failures += 1
            assert ahead.wait()
            seen = ahead.next()
        assert np.array_equal(seen.latent, alone.observe([frame[np.newaxis]]).latents[0])
    assert not ahead.wait()
    assert failures == 1


def test_another_seed_changes_resynthesis_from_the_next_frame_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, itertools.repeat(0.0))
    listening = ListeningStream(engine.stream(3), Frames(FRAMES), "resynthesise")
    listener, speaker = engine.stream(3), engine.stream(3)
    for at, frame in enumerate(FRAMES):
        if at in (9, 12):
            for one in (listening, listener, speaker):
                one.reseed(at)
        latent = listener.prime(frame).latents[0]
        speaker.controls.update({"latent.hold": 1.0, "latent.target": np.clip(latent, -3, 3)})
        assert np.array_equal(listening.read(1), speaker.read(1))
