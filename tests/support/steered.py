"""A performance that notes when its events take effect, and a device without sound that keeps time."""

import bisect
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from vrnn_engine import Engine, Player
from vrnn_engine.runtime.audio.ring import Ring
from vrnn_engine.runtime.live.events import AnyEvent, Set
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.sinks import Format

DEPTH = 0.5  # seconds in the device's ring: enough for a busy machine


class Device:
    """Takes one frame from a ring whenever it is due, like a sound device."""

    live = True
    label = "a device without sound"

    def __init__(self) -> None:
        self.underruns = 0
        self._ended = threading.Event()

    def open(self, format: Format) -> None:
        self.ring = Ring(round(DEPTH * format.rate))
        self._frame, self._due = np.zeros(format.frame_size, np.float32), format.frame_size / format.rate
        self._thread = threading.Thread(target=self._play, daemon=True)

    def write(self, block: np.ndarray) -> None:
        while len(block := block[self.ring.write(block) :]):
            if self._thread.ident is None:
                self._thread.start()
            time.sleep(0.001)

    def close(self) -> None:
        self._ended.set()

    @property
    def pending(self) -> int:
        return self.ring.filled

    def _play(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += self._due
            self.underruns += self.ring.read_into(self._frame) < len(self._frame)


class TimedPerformance(Performance):
    """Notes when each frame was started (`frame_starts`, s) and which events took effect (`applied`)."""

    def __init__(self, engine: Engine) -> None:
        self.frame_starts: list[float] = []
        self.applied: list[AnyEvent] = []
        super().__init__(engine.stream(3), record=self.applied.append)

    def read(self, frames: int) -> np.ndarray:
        made = []
        for _ in range(frames):
            self.frame_starts.append(time.monotonic())
            made.append(super().read(1))
        return np.concatenate(made)

    @contextmanager
    def playing(self) -> Iterator[Player]:
        """Play into a device, one frame at a time."""
        with Player(self, to=Device(), latency=0.05) as player:
            wait_until(lambda: player.seconds_played > 0)
            yield player

    def changes(self, control: str, index: int | None = None) -> list[Set]:
        """Return the changes of a control that took effect, in order."""
        return [one for one in self.applied if isinstance(one, Set) and (one.control, one.index) == (control, index)]

    def lateness(self, changes: Sequence[Set], sent: Sequence[float]) -> np.ndarray:
        """Return for each change how many frames it took effect after the first possible one.

        It is at most the time since it was sent, in frames: after a pause of the machine, frames are made faster than
        they are played.
        """
        frames = [change.frame for change in changes]
        after = frames - np.array([bisect.bisect_left(self.frame_starts, when) for when in sent])
        passed = (
            np.array([self.frame_starts[frame] for frame in frames]) - sent
        ) * self.voice.manifest.frames_per_second
        return np.minimum(after, passed)


def skip_unless_calm(sent: Sequence[float]) -> None:
    """Skip the rest of a test if the sender of a thousand messages a second was itself a frame late."""
    behind = np.asarray(sent) - np.arange(len(sent)) / 1000
    late = float(np.quantile(behind - behind.min(), 0.99))
    if late > 1 / 80:
        pytest.skip(f"this machine is too busy for timings: the sender was {1000 * late:.0f} ms late")


def wait_until(ready, seconds: float = 20.0) -> None:
    """Wait until `ready` returns true; fail after some seconds."""
    for _ in range(round(seconds / 0.01)):
        if ready():
            return
        time.sleep(0.01)
    raise AssertionError(f"not ready after {seconds:g} s")
