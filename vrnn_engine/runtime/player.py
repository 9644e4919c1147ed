"""Plays a stream into a sink, in the background.

Threads: the caller's thread makes the player, enters it (the sink is opened there, so that its errors surface there),
waits, stops and leaves.  One producer thread does all of `stream.read`, `sink.write` and `sink.close`.  Controls may
be set from any thread meanwhile; anything else on the stream must wait until the player has ended.
"""

import contextlib
import os
import threading
import time
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.sinks import Format, Sink, SinkLike, as_sink
from vrnn_engine.runtime.voice.manifest import Manifest

FILE_FRAMES = 20
"""Frames read at a time where nobody listens."""
LIVE_FRAMES = 4
"""Most frames read at a time where somebody does: a control turned now is at most this much late."""


class Player:
    """Pumps a stream into a sink; a context manager.

    Parameters
    ----------
    stream
        What to play: a `Stream`, or anything with its `read(frames)` and `voice.manifest`.
    to
        A target string (see `make_sink`), a `Sink`, or any object with `open`, `write` and `close` (see `as_sink`).
    latency
        Seconds that a sound device buffers.
    seconds
        How much to play; None plays until `stop`, or until the stream has ended.  Sound is cut to the sample.

    Raises
    ------
    SinkError
        On entering: the target is unknown, cannot be opened, or does not fit the voice's modality.

    Examples
    --------
    >>> with Player(stream, to="speakers") as player:  # doctest: +SKIP
    ...     stream.controls["latent.temperature"] = 0.7
    ...     player.wait(timeout=10)
    """

    def __init__(
        self,
        stream: "Readable",
        to: str | os.PathLike[str] | Sink | SinkLike = "speakers",
        latency: float = 0.05,
        seconds: float | None = None,
    ) -> None:
        if seconds is not None and not seconds > 0:
            raise StreamError(f"cannot play {seconds:g} seconds; give more than 0, or None to play until stopped")
        self.sink = as_sink(to, latency)
        """Where the stream goes."""
        self.depth = latency
        """Seconds that a sound device buffers, when its ring is full."""
        self.format = Format.of(stream.voice.manifest)
        self._stream = stream
        endless = seconds is None or seconds == float("inf")
        self._left = None if endless or seconds is None else max(1, round(seconds * self.format.rate))
        fps = self.format.rate / self.format.samples_per_frame
        # A quarter of the ring at a time, or the ring would run empty while a block is made.
        self._frames = min(max(int(latency * fps / 4), 1), LIVE_FRAMES) if self.sink.live else FILE_FRAMES
        self._ended_itself = False
        self._written = 0
        self._busy = 0.0
        self._latency = 0.0
        self._stop = threading.Event()
        # Not Thread.join: interrupted by Ctrl-C, it takes a running thread for a dead one (CPython 3.11, bpo-45274).
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="vrnn-engine player", daemon=True)

    def __enter__(self) -> Self:
        try:
            self.sink.open(self.format)
        except BaseException:
            self._abort()
            raise
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: BaseException | TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:
            with contextlib.suppress(Exception):  # the error on its way out matters more
                self.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything is played, at most `timeout` seconds; return whether it is.

        Raises
        ------
        VRNNEngineError
            What the stream or the sink raised in the background; once.
        """
        until = None if timeout is None else time.monotonic() + timeout
        if self._thread.ident is None:
            raise StreamError("a player plays inside its `with` block: with Player(...) as player: player.wait()")
        while not self._ended.is_set():
            left = 0.2 if until is None else min(until - time.monotonic(), 0.2)
            if left <= 0:
                return False
            self._ended.wait(left)  # short, so that Ctrl-C is heard on every platform
        self._raise()
        return True

    def stop(self) -> None:
        """Play or write no more than what is already made, finish the sink, and wait for that.

        A file then holds what was made so far, complete and valid.  Raises as `wait` does.
        """
        self._stop.set()
        if self._thread.ident is None:
            return
        if not self._ended.is_set():
            self.sink.interrupt()
        if not self._ended.wait(self.sink.patience):
            raise SinkError(f"{self.label} does not take what is written to it")
        self._raise()

    @property
    def running(self) -> bool:
        """Whether there is still something to play."""
        return self._thread.ident is not None and not self._ended.is_set()

    @property
    def label(self) -> str:
        """What to call the sink in messages."""
        return self.sink.label or type(self.sink).__name__

    @property
    def underruns(self) -> int:
        """How often the device found nothing to play; 0 for a file."""
        return self.sink.underruns or 0

    @property
    def clipped(self) -> int:
        """Samples that were beyond full scale, and cut to it."""
        return self.sink.clipped

    @property
    def dropped(self) -> int:
        """Samples that were made and not heard, because the device was gone."""
        return self.sink.dropped

    @property
    def volume(self) -> float:
        """Of a sound device, dB: 0 changes nothing, -inf is silence.  Any thread may set it while it plays.

        Raises
        ------
        SinkError
            The target has none, or it is set too high.
        """
        volume = self.sink.volume
        if volume is None:
            raise SinkError(f"{self.label} has no volume; only a sound device has")
        return volume

    @volume.setter
    def volume(self, volume: float) -> None:
        if self.sink.volume is None:
            raise SinkError(f"{self.label} has no volume; only a sound device has")
        self.sink.volume = volume

    @property
    def full(self) -> bool:
        """Whether the sink can take no more, e.g. because the page is full."""
        return self.sink.full

    @property
    def seconds_played(self) -> float:
        """Seconds of the stream that were heard or written."""
        return max(0, self._written - (self.sink.pending or 0) - self.dropped) / self.format.rate

    @property
    def latency(self) -> float:
        """Seconds from the making of a sound to its being heard, as it was at the last block; 0 for a file."""
        return self._latency

    @property
    def speed(self) -> float:
        """Seconds of stream made in a second of making them; below 1 it cannot be played live."""
        return self._written / self.format.rate / self._busy if self._busy else 0.0

    def _run(self) -> None:
        # The producer's thread.
        try:
            while not (self._stop.is_set() or self._ended_itself or self.full or self._left == 0):
                block = self._make()
                self.sink.write(block)
                self._written += len(block)
                self._latency = (self.sink.pending or 0) / self.format.rate + self.sink.delay
            self.sink.close()
        except BaseException as error:  # noqa: BLE001  # handed to the caller by wait() or stop()
            self._error = error
            self._abort()
        finally:
            self._ended.set()

    def _make(self) -> np.ndarray:
        frames = self._frames
        if self._left is not None:
            frames = min(frames, -(-self._left // self.format.samples_per_frame))
        started = time.perf_counter()
        block = self._stream.read(frames)
        self._busy += time.perf_counter() - started
        self._ended_itself = len(block) < frames * self.format.samples_per_frame
        if self._left is not None:
            block = block[: self._left]
            self._left -= len(block)
        return block

    def _abort(self) -> None:
        with contextlib.suppress(Exception):  # it is on its way out with an error that matters more
            self.sink.abort()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


class Readable(Protocol):
    """What a player needs of a stream."""

    @property
    def voice(self) -> "Described":
        """What made it."""
        ...

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames; fewer where it has ended."""


class Described(Protocol):
    """What a player needs of a voice."""

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""
        ...
