"""Moves a stream's controls frame by frame: merges writes from other threads with ramps, walks and trajectories.

Any thread may write `Automation.controls`; only the thread that reads the performance may call the methods.

The order of calls for each frame is `take_writes`, then the frame's events (`set`, `nudge`, ...), then `advance`.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls, Settable
from vrnn_engine.runtime.live.listening_stream import LiveStream
from vrnn_engine.runtime.live.moves import FollowValues, Move, Ramp, RandomWalk, seeded

HOLD, TARGET = "latent.hold", "latent.target"


@dataclass(frozen=True)
class ActiveMove:
    """A movement of some dimensions of a control."""

    control: str
    active: np.ndarray
    """The dimensions that are still moving: bool, of the control's shape."""
    started: np.ndarray
    """The dimensions that the movement was started for: bool, of the control's shape."""
    move: Move


class Automation:
    """Keeps the values of a stream's controls, and changes them frame by frame.

    Parameters
    ----------
    stream : Stream or ListeningStream
        The stream to steer.

    Attributes
    ----------
    controls : Controls
        The controls that other threads read and write.  They are copied to the stream's own controls once per frame.
    """

    def __init__(self, stream: LiveStream) -> None:
        self.controls = Controls(stream.voice.manifest.controls)
        self.controls.restore(stream.controls.snapshot())
        self._stream = stream
        self._fps = stream.voice.manifest.frames_per_second
        self._moves: list[ActiveMove] = []
        self._values = self.controls.snapshot()
        self._seen = dict(self._values)
        """The values of `controls` when `take_writes` or `advance` last read them."""
        self._table = self.controls.table
        self._changed = False
        """Whether `controls` differs from `_values`."""
        self._pushed = True
        """Whether the stream has `_values`."""

    @property
    def moving(self) -> bool:
        """Whether a control moves in the next frame."""
        return bool(self._moves)

    def take_writes(self) -> list[tuple[str, np.ndarray]]:
        """Adopt the values written to `controls` since the last frame; return them by name."""
        written = []
        table = self.controls.table
        if table is not self._table:  # every write makes a new table
            for name, value in self.controls.snapshot().items():
                changed = value != self._values[name]
                if changed.any():
                    self._stop(name, changed)
                    self._set(name, value)
                    written.append((name, value))
            self._table = table  # read before the comparison, so that the next frame finds a write made meanwhile
        self._seen, self._changed = dict(self._values), False
        return written

    def advance(self) -> None:
        """Make one step of every active movement, and write the values to the stream and to `controls`."""
        for active in self._moves:
            value = self._values[active.control].copy()
            value[active.active] = active.move.step()[active.active[active.started]]
            self._set(active.control, value)
        self._moves = [active for active in self._moves if not active.move.over]
        self.push()
        if self._changed:
            self.controls.set_unless_changed(self._values, self._seen)
            self._seen = dict(self._values)

    def push(self) -> None:
        """Write the values to the stream, unless it has them already."""
        if not self._pushed:
            self._stream.controls.restore(self._values)
            self._pushed = True

    def reset_controls(self) -> None:
        """Set every control of the stream to its default, and stop all movements."""
        self._stream.controls.reset()
        self.pull()

    def pull(self, moves: list[ActiveMove] | None = None) -> None:
        """Adopt the stream's values, and replace the active movements with `moves`; None stops all movements."""
        self._values = self._stream.controls.snapshot()
        self._moves = moves or []
        self._changed = self._pushed = True

    def continue_from(self, moves: list[ActiveMove]) -> None:
        """Adopt the stream's values and these movements, and drop what was written to `controls` meanwhile."""
        self.pull(moves)
        self.controls.restore(self._values)
        self._table = self.controls.table

    def active_moves(self) -> list[ActiveMove]:
        """Return copies of the active movements as they are now."""
        return copy_moves(self._moves)

    def snapshot(self) -> bytes:
        """Return the stream's snapshot.

        A snapshot does not contain movements.  While the latent follows a trajectory, the snapshot contains the
        `latent.hold` from before the trajectory, so that a restored stream is not held at one point of the trajectory.
        """
        trajectory = self._trajectory()
        if trajectory is not None:
            self._stream.controls[HOLD] = trajectory.after
        snapshot = self._stream.snapshot()
        if trajectory is not None:
            self._stream.controls[HOLD] = self._values[HOLD]
        return snapshot

    def set(self, name: str, value: Settable, index: int | None = None, ramp: float = 0.0) -> None:
        """Set a control, or one dimension of it, at once or along a line of `ramp` seconds."""
        end, where = self.controls.check(name, value, index), self._where(name, index)
        self._stop(name, where)
        if ramp:
            now = self._values[name]
            self._start(name, where, Ramp(now[where], end[where], max(1, round(ramp * self._fps))))
        else:  # at once, so that the other events of this frame use the value
            self._set(name, np.where(where, end, self._values[name]))

    def nudge(self, name: str, by: float, index: int | None) -> None:
        """Add to a control, or to one dimension of it, and clip the result to the control's range."""
        spec, where = self.controls.specs[name], self._where(name, index)
        moved = np.clip(self._values[name] + by, spec.minimum, spec.maximum)
        self._stop(name, where)
        self._set(name, np.where(where, moved, self._values[name]))

    def walk(self, name: str, speed: float, index: int | None, seed: int) -> None:
        """Start a random walk; `speed` is the standard deviation of the change per second."""
        spec, where = self.controls.specs[name], self._where(name, index)
        self._stop(name, where)
        step = speed / self._fps**0.5
        walk = RandomWalk(self._values[name][where], step, spec.minimum, spec.maximum, seeded(seed))
        self._start(name, where, walk)

    def hold(self, start: np.ndarray, end: np.ndarray, seconds: float) -> None:
        """Hold the latent and move it from `start` to `end`, both [Z], along a line."""
        self.set(TARGET, self._within(start))
        self.set(TARGET, self._within(end), ramp=seconds)
        self.set(HOLD, 1.0)

    def follow(self, trajectory: np.ndarray, times: int) -> None:
        """Make the latent follow a trajectory [T, Z] `times` times, or without end if 0; then restore `latent.hold`."""
        steps = times * len(trajectory) or None
        earlier = self._trajectory()
        held = self._values[HOLD] if earlier is None else earlier.after
        everywhere = np.ones(held.shape, bool)
        self._stop(TARGET, everywhere)
        self._stop(HOLD, everywhere)
        self._start(TARGET, everywhere, FollowValues(self._within(trajectory), steps, self._within(trajectory[-1])))
        self._start(HOLD, everywhere, FollowValues(np.ones((1, *held.shape)), steps, held))

    def check_latent(self) -> None:
        """Raise `StreamError` if the voice has no latent that can be held."""
        if not {HOLD, TARGET} <= self.controls.keys():
            raise StreamError(f"voice {self._stream.voice.name!r} has no latents to hold")

    def _trajectory(self) -> FollowValues | None:
        """Return the movement of `latent.hold` while the latent follows a trajectory."""
        moves = (active.move for active in self._moves if active.control == HOLD)
        return next((move for move in moves if isinstance(move, FollowValues)), None)

    def _start(self, name: str, where: np.ndarray, move: Move) -> None:
        self._moves.append(ActiveMove(name, where, where, move))

    def _stop(self, name: str, where: np.ndarray) -> None:
        """Stop the movement of some dimensions.  A trajectory moves hold and target: if either stops, both stop."""
        left = []
        for active in self._moves:
            if active.control == name:
                active = replace(active, active=active.active & ~where)
            if active.active.any():
                left.append(active)
        self._moves = left
        trajectory = [active for active in left if isinstance(active.move, FollowValues)]
        if len(trajectory) == 1 or not all(active.active.all() for active in trajectory):
            self._moves = [active for active in left if not isinstance(active.move, FollowValues)]

    def _within(self, latents: np.ndarray) -> np.ndarray:
        """Return latents clipped to the range of `latent.target`."""
        spec = self.controls.specs[TARGET]
        return np.clip(latents.astype(np.float64), spec.minimum, spec.maximum)

    def _where(self, name: str, index: int | None) -> np.ndarray:
        where = np.full(self._values[name].shape, index is None)
        if index is not None:
            where[index] = True
        return where

    def _set(self, name: str, value: np.ndarray) -> None:
        self._values[name] = value
        self._changed = True
        self._pushed = False


def copy_moves(moves: list[ActiveMove]) -> list[ActiveMove]:
    """Return copies that will make the same steps as the originals."""
    return [replace(active, move=copy.copy(active.move)) for active in moves]
