"""Plays a stream into a sink in the background.

Threading contract: the caller's thread makes the player, enters it (this opens the sink and raises its errors), waits,
stops it and leaves it. One producer thread calls `stream.read`, `sink.write` and `sink.close`. Any thread may set
controls meanwhile; other uses of the stream must wait until the player has ended.
"""

import contextlib
import os
import threading
import time
from types import TracebackType
from typing import Self

import numpy as np

from vrnn_engine.base.latch import Latch
from vrnn_engine.base.process_exit import stop_at_exit
from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.frames import check_seconds
from vrnn_engine.runtime.readable import Interruptible, Readable
from vrnn_engine.runtime.sinks import Format, Sink, SinkLike, as_sink

FILE_FRAMES = 20
"""Number of frames in a block for a sink that is not live, such as a file."""
LIVE_FRAMES = 4
"""Largest number of frames in a block for a live sink: a control takes effect at most this many frames late."""


class Player:
    """Reads a stream and writes it to a sink, in a thread of its own. Use it as a context manager.

    On entering, the player opens the sink and starts to play. On leaving, it stops, finishes the sink, and raises an
    error that its thread met.

    Parameters
    ----------
    stream : Stream, Performance or Readable
        Stream to play: any object with `read(frames)` and `voice.manifest`.
    to : str, path or Sink
        Target string (see `make_sink`), a `Sink`, or any object with `open`, `write` and `close` (see `as_sink`).
    latency : float
        Seconds that a sound device buffers.
    seconds : float, optional
        Seconds to play, exact to the sample. By default the player plays until `stop`, or until the stream ends.

    Attributes
    ----------
    sink : Sink
        Sink that the stream is written to.
    depth : float
        Seconds that a sound device buffers when its ring is full.
    format : Format
        Format of the blocks.

    Raises
    ------
    StreamError
        `stream` has no `read` and no `voice`, `latency` or `seconds` is not a number, or `seconds` is not positive.
    SinkError
        The target is unknown. On entering: the sink cannot be opened, or does not take the voice's modality.

    See Also
    --------
    Stream.read : Read frames without a player.
    Performance : Apply events to a stream while it plays.

    Examples
    --------
    >>> with vrnn.Player(stream, to="speakers") as player:
    ...     stream.controls["latent.temperature"] = 0.7
    ...     player.wait(timeout=10)
    """

    def __init__(
        self,
        stream: Readable,
        to: str | os.PathLike[str] | Sink | SinkLike = "speakers",
        latency: float = 0.05,
        seconds: float | None = None,
    ) -> None:
        if not isinstance(stream, Readable):
            raise StreamError(f"{stream!r:.60} cannot be played; give a stream, such as engine.stream()")
        check_seconds(latency, "latency")
        if seconds is not None:
            check_seconds(seconds, "seconds")
        if seconds is not None and not seconds > 0:
            raise StreamError(f"cannot play {seconds:g} seconds; give more than 0, or None to play until stopped")
        self.sink = as_sink(to, latency)
        self.depth = latency
        self.format = Format.of(stream.voice.manifest)
        self._stream = stream
        endless = seconds is None or seconds == float("inf")
        self._left = None if endless or seconds is None else max(1, round(seconds * self.format.rate))
        fps = self.format.rate / self.format.samples_per_frame
        # At most a quarter of the ring, because otherwise the ring could run empty while a block is made.
        self._frames = min(max(int(latency * fps / 4), 1), LIVE_FRAMES) if self.sink.live else FILE_FRAMES
        self._ended_itself = False
        self._written = 0
        self._busy = 0.0
        self._latency = 0.0
        self._stopping = False
        self._ended = Latch()  # Thread.join takes a running thread for an ended one after Ctrl-C (CPython, bpo-45274)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="vrnn-engine player", daemon=True)

    def __enter__(self) -> Self:
        if self.started:
            raise StreamError("this player has been entered before, and plays once; make another Player to play again")
        try:
            self.sink.open(self.format)
        except BaseException:
            self._abort()
            raise
        self._cancel_stop_at_exit = stop_at_exit(self.stop, self.label)
        try:
            self._thread.start()
        except BaseException:  # an interrupt: the thread may run already, and no one else would stop it
            with contextlib.suppress(Exception):
                self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: BaseException | TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:
            with contextlib.suppress(Exception):  # the error that is being raised matters more
                self.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything is played.

        Parameters
        ----------
        timeout : float, optional
            Longest time to wait in seconds; no limit by default.

        Returns
        -------
        bool
            True if everything has been played; False after the timeout.

        Raises
        ------
        VRNNEngineError
            An error of the stream or the sink in the player's thread; raised once.
        StreamError
            The player was not entered, or `timeout` is not a number.
        """
        if timeout is not None:
            check_seconds(timeout, "timeout")
        until = None if timeout is None else time.monotonic() + timeout
        if not self.started:
            raise StreamError("this player has not started; use it as: with Player(...) as player: player.wait()")
        while not self._ended.is_set():
            left = 0.2 if until is None else min(until - time.monotonic(), 0.2)
            if left <= 0:
                return False
            self._ended.wait(left)  # short, so that Ctrl-C interrupts it on every platform
        self._raise()
        return True

    def stop(self) -> None:
        """Stop reading, finish the sink, and wait until it has finished.

        A file is then valid and contains all frames read so far.

        Raises
        ------
        VRNNEngineError
            An error of the stream or the sink in the player's thread; raised once.
        SinkError
            The sink has not finished within its `patience`.
        """
        self._stopping = True
        if not self.started:
            return
        if not self._ended.is_set():
            self.sink.interrupt()
            if isinstance(self._stream, Interruptible):
                self._stream.interrupt()
        if not self._ended.wait(self.sink.patience):
            raise SinkError(
                f"{self.label} did not finish within {self.sink.patience:g} s of the stop; check the device"
            )
        self._raise()

    @property
    def started(self) -> bool:
        """Whether the player has started; it stays true after the end."""
        return self._thread.ident is not None

    @property
    def running(self) -> bool:
        """Whether the player has started and not ended."""
        return self.started and not self._ended.is_set()

    @property
    def label(self) -> str:
        """Name of the sink in messages."""
        return self.sink.label or type(self.sink).__name__

    @property
    def underruns(self) -> int:
        """Number of gaps in the sound, because the device had no samples to play; 0 for a file."""
        return self.sink.underruns or 0

    @property
    def clipped(self) -> int:
        """Number of samples that exceeded full scale and were clipped."""
        return self.sink.clipped

    @property
    def limited(self) -> int:
        """Number of samples that exceeded the ceiling of a sound device, and were limited."""
        return self.sink.limited

    @property
    def dropped(self) -> int:
        """Number of samples that were generated but not played, because the device was disconnected."""
        return self.sink.dropped

    @property
    def volume(self) -> float:
        """Volume of a sound device in dB: 0 changes nothing, -inf is silence. Any thread may set it during playing.

        Raises
        ------
        SinkError
            The sink has no volume, or the value is too high.
        """
        volume = self.sink.volume
        if volume is None:
            raise SinkError(f"{self.label} has no volume; only a sound device has one")
        return volume

    @volume.setter
    def volume(self, volume: float) -> None:
        if self.sink.volume is None:
            raise SinkError(f"{self.label} has no volume; only a sound device has one")
        self.sink.volume = volume

    @property
    def full(self) -> bool:
        """Whether the sink can take no more frames, for example because the page is full."""
        return self.sink.full

    @property
    def seconds_played(self) -> float:
        """Seconds of the stream that have been played or written."""
        return max(0, self._written - (self.sink.pending or 0) - self.dropped) / self.format.rate

    @property
    def latency(self) -> float:
        """Seconds between the generation and the playback of the last block; 0 for a file."""
        return self._latency

    @property
    def speed(self) -> float:
        """Seconds of stream generated per second of computation; below 1, the stream cannot be played live."""
        return self._written / self.format.rate / self._busy if self._busy else 0.0

    def _run(self) -> None:
        # Runs in the producer thread.
        try:
            while not (self._stopping or self._ended_itself or self.full or self._left == 0):
                block = self._make()
                self.sink.write(block)
                self._written += len(block)
                self._latency = (self.sink.pending or 0) / self.format.rate + self.sink.delay
            self.sink.close()
        except BaseException as error:  # noqa: BLE001  # raised in the caller by wait() or stop()
            self._error = error
            self._abort()
        finally:
            self._cancel_stop_at_exit()
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
        with contextlib.suppress(Exception):  # the error that caused this matters more
            self.sink.abort()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
