"""What the controls of a performance are, frame by frame: written by anybody, or on their way by themselves.

Only the thread that reads the performance may call what is here; any thread may write `controls`.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls, Settable
from vrnn_engine.runtime.live.listening_stream import Life
from vrnn_engine.runtime.live.moves import Along, Move, Ramp, RandomWalk
from vrnn_engine.runtime.stream import Stream

HOLD, TARGET = "latent.hold", "latent.target"


@dataclass(frozen=True)
class Going:
    """Dimensions of a control on their way."""

    control: str
    where: np.ndarray
    """Which, still: bool of the control's shape."""
    own: np.ndarray
    """Those that the move was made for."""
    move: Move


class Motion:
    """Brings a stream's controls where they should be in the next frame.

    Parameters
    ----------
    stream : Stream or Life
        Whose controls they are.

    Attributes
    ----------
    controls : Controls
        To be read and written by all; the stream's own follow it.
    """

    def __init__(self, stream: Stream | Life) -> None:
        self.controls = Controls(stream.voice.manifest.controls)
        self.controls.restore(stream.controls.snapshot())
        self._stream = stream
        self._fps = stream.voice.manifest.frames_per_second
        self._going: list[Going] = []
        self._values = self.controls.snapshot()
        self._seen = dict(self._values)
        self._table = self.controls.table
        self._turned = False
        self._pushed = True

    def begin(self) -> list[tuple[str, np.ndarray]]:
        """Return what was written to `controls` since the last frame: name, value."""
        written = []
        table = self.controls.table
        if table is not self._table:  # another one after each write
            for name, value in self.controls.snapshot().items():
                turned = value != self._values[name]
                if turned.any():
                    self._stop(name, turned)
                    self._set(name, value)
                    written.append((name, value))
            self._table = table  # the one before the look: what was written since is looked at once more
        self._seen, self._turned = dict(self._values), False
        return written

    def end(self) -> None:
        """Let all that is on its way make its step, and the stream have the values."""
        for going in self._going:
            value = self._values[going.control].copy()
            value[going.where] = going.move.step()[going.where[going.own]]
            self._set(going.control, value)
        self._going = [going for going in self._going if not going.move.over]
        self.push()
        if self._turned:
            self.controls.follow(self._values, self._seen)
            self._seen = dict(self._values)

    def push(self) -> None:
        """Let the stream have the values as they are here: what others write meanwhile is for the next frame."""
        if not self._pushed:
            self._stream.controls.restore(self._values)
            self._pushed = True

    def pull(self, going: list[Going] | None = None) -> None:
        """Take over the values that the stream was brought to; what was on its way stops, or `going` goes on."""
        self._values = self._stream.controls.snapshot()
        self._going = going or []
        self._turned = self._pushed = True

    def going(self) -> list[Going]:
        """Return all that is on its way, as it is now."""
        return again(self._going)

    def snapshot(self) -> bytes:
        """Return the stream's, with the latent held as it is but for a path, which a snapshot knows nothing of."""
        path = self._path()
        if path is not None:
            self._stream.controls[HOLD] = path.after
        saved = self._stream.snapshot()
        if path is not None:
            self._stream.controls[HOLD] = self._values[HOLD]
        return saved

    def turn(self, name: str, value: Settable, index: int | None = None, ramp: float = 0.0) -> None:
        """Set a control, or one dimension of it; or bring it there in so many seconds."""
        end, where = self.controls.check(name, value, index), self._where(name, index)
        self._stop(name, where)
        if ramp:
            now = self._values[name]
            self._go(name, where, Ramp(now[where], end[where], max(1, round(ramp * self._fps))))
        else:  # at once, for what else is due before this frame
            self._set(name, np.where(where, end, self._values[name]))

    def nudge(self, name: str, by: float, index: int | None) -> None:
        """Add to a control, or to one dimension of it, as far as its range goes."""
        spec, where = self.controls.specs[name], self._where(name, index)
        moved = np.clip(self._values[name] + by, spec.minimum, spec.maximum)
        self._stop(name, where)
        self._set(name, np.where(where, moved, self._values[name]))

    def walk(self, name: str, speed: float, index: int | None, seed: int) -> None:
        """Let a control wander, so far in a second."""
        spec, where = self.controls.specs[name], self._where(name, index)
        self._stop(name, where)
        step = speed / self._fps**0.5
        self._go(name, where, RandomWalk(self._values[name][where], step, spec.minimum, spec.maximum, seed))

    def hold(self, start: np.ndarray, end: np.ndarray, seconds: float) -> None:
        """Hold the latent, and bring it from one `[Z]` to another."""
        self.turn(TARGET, self._within(start))
        self.turn(TARGET, self._within(end), ramp=seconds)
        self.turn(HOLD, 1.0)

    def follow(self, path: np.ndarray, times: int) -> None:
        """Hold the latent to a path `[T, Z]` so many times, and then as it was before; 0 times: until it is let go."""
        steps = times * len(path) or None
        earlier = self._path()
        held = self._values[HOLD] if earlier is None else earlier.after
        everywhere = np.ones(held.shape, bool)
        self._stop(TARGET, everywhere)
        self._stop(HOLD, everywhere)
        self._go(TARGET, everywhere, Along(self._within(path), steps, self._within(path[-1])))
        self._go(HOLD, everywhere, Along(np.ones((1, *held.shape)), steps, held))

    def check_latent(self) -> None:
        """Raise `StreamError` if the voice has no latent that could be held."""
        if not {HOLD, TARGET} <= self.controls.keys():
            raise StreamError(f"voice {self._stream.voice.name!r} has no latents to hold")

    def _path(self) -> Along | None:
        """Return what holds the latent to a path, if anything does."""
        moves = (going.move for going in self._going if going.control == HOLD)
        return next((move for move in moves if isinstance(move, Along)), None)

    def _go(self, name: str, where: np.ndarray, move: Move) -> None:
        self._going.append(Going(name, where, where, move))

    def _stop(self, name: str, where: np.ndarray) -> None:
        """Take dimensions of a control off their way.  Hold and target go a path together, or not at all."""
        left = []
        for going in self._going:
            if going.control == name:
                going = replace(going, where=going.where & ~where)
            if going.where.any():
                left.append(going)
        self._going = left
        paths = [going for going in left if isinstance(going.move, Along)]
        if len(paths) == 1 or not all(going.where.all() for going in paths):
            self._going = [going for going in left if not isinstance(going.move, Along)]

    def _within(self, latents: np.ndarray) -> np.ndarray:
        spec = self.controls.specs[TARGET]
        return np.clip(latents.astype(np.float64), spec.minimum, spec.maximum)

    def _where(self, name: str, index: int | None) -> np.ndarray:
        where = np.full(self._values[name].shape, index is None)
        if index is not None:
            where[index] = True
        return where

    def _set(self, name: str, value: np.ndarray) -> None:
        self._values[name] = value
        self._turned = True
        self._pushed = False


def again(going: list[Going]) -> list[Going]:
    """Return the same, to go the same ways once more."""
    return [replace(one, move=copy.copy(one.move)) for one in going]
