"""Keeps the last good state of a stream without a history, at the cost of one copy of its state in each window.

Only the thread that reads the performance may use this module.
"""

from dataclasses import dataclass, replace

import numpy as np

from vrnn_engine.runtime.live.safety.level_watch import LevelWatch
from vrnn_engine.runtime.snapshot import Snapshot, encode
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.stream_state import StreamState

_Moment = tuple[int, StreamState, dict[str, np.ndarray]]
"""The number of a frame, the state before it, and the controls, which do not change within its block."""


@dataclass(frozen=True)
class _Kept:
    """The state at the checkpoint of a window, which is `ahead` frames after `state`."""

    window: int
    """First frame of the window."""
    state: StreamState
    controls: dict[str, np.ndarray]
    ahead: int


class GoodState:
    """Keeps the states at the checkpoints of the last windows of a `LevelWatch`.

    The checkpoint of a window is the last multiple of `interval` up to its first frame, as in a `History`.  If it lies
    within a block of frames, the state before the block is kept, and `restore` computes the frames in between again.

    Parameters
    ----------
    stream : Stream
    watch : LevelWatch
        Hears the stream, and says which windows were good.
    interval : int
        Frames from one checkpoint to the next.
    """

    def __init__(self, stream: Stream, watch: LevelWatch, interval: int) -> None:
        self._stream = stream
        self._watch = watch
        self._interval = interval
        self._table: object = None  # the last table of the controls; each write makes a new one
        self._values: dict[str, np.ndarray] = {}
        self._last: _Moment | None = None
        self._kept: list[_Kept] = []  # the last good one, and those of windows that have not ended
        self._window = 0  # first frame of the next window whose checkpoint is kept
        self._due = 0  # that checkpoint

    def follow(self, frame: int) -> None:
        """Take note of the state before a block is read.

        Parameters
        ----------
        frame : int
            Number of the first frame of the block.
        """
        table = self._stream.controls.table
        if table is not self._table:
            self._table, self._values = table, self._stream.controls.snapshot()
        moment = frame, self._stream.state, self._values
        if frame >= self._due:
            self._keep(moment)
        self._last = moment

    def restore(self) -> None:
        """Bring the stream to the checkpoint of the last good window; to the oldest one if no window was good."""
        kept = [one for one in self._kept if one.window <= self._watch.good][-1]
        stream = self._stream
        stream.restore(encode(Snapshot.of(kept.state, kept.controls, stream.voice.name, stream.fingerprint)))
        stream.read(kept.ahead)

    def _keep(self, now: _Moment) -> None:
        """Keep the states at the checkpoints that were reached, and forget those of windows that were not good."""
        frame, size, good = now[0], self._watch.window, self._watch.good
        if self._last is None:  # a performance may begin at any frame
            self._last = now
            self._kept = [_kept(0, now, frame)]
            self._window = (frame // size + 1) * size
            self._due = self._checkpoint()
        while frame >= self._due:
            before = now if frame == self._due else self._last
            good_one = [one for one in self._kept if one.window <= good][-1:]
            later = [one for one in self._kept if good < one.window and frame < one.window + size]
            self._kept = [*good_one, *later, _kept(self._window, before, self._due)]
            self._window += size
            self._due = self._checkpoint()

    def _checkpoint(self) -> int:
        """Return the checkpoint of the next window."""
        return self._window - self._window % self._interval


def _kept(window: int, moment: _Moment, checkpoint: int) -> _Kept:
    """Copy a state out of the arrays of its batch, so that the states of other streams do not stay in memory."""
    frame, state, controls = moment
    state = replace(state, arrays=state.copied_arrays())
    return _Kept(window, state, controls, max(0, checkpoint - frame))
