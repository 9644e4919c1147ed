"""What the controls of a performance are, frame by frame: written by anybody, or on their way by themselves.

Only the thread that reads the performance may call what is here; any thread may write `controls`.
"""

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.live.life import Life
from vrnn_engine.runtime.live.moves import Along, Ramp, RandomWalk
from vrnn_engine.runtime.stream import Stream

HOLD, TARGET = "latent.hold", "latent.target"


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
        self._moving: dict[str, Ramp | RandomWalk | Along] = {}
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
                if not np.array_equal(value, self._values[name]):  # somebody has turned it
                    self._stop(name)
                    self._set(name, value)
                    written.append((name, value))
            self._table = table  # the one before the look: what was written since is looked at once more
        self._seen, self._turned = dict(self._values), False
        return written

    def end(self) -> None:
        """Let all that is on its way make its step, and the stream have the values."""
        for name, move in list(self._moving.items()):
            self._set(name, move.step())
            if move.over:
                del self._moving[name]
        self.push()
        if self._turned:
            self.controls.follow(self._values, self._seen)

    def push(self) -> None:
        """Let the stream have the values as they are here: what others write meanwhile is for the next frame."""
        if not self._pushed:
            self._stream.controls.restore(self._values)
            self._pushed = True

    def pull(self) -> None:
        """Take over the values that the stream was brought to; what was on its way stops."""
        self._values = self._stream.controls.snapshot()
        self._moving.clear()
        self._turned = self._pushed = True

    def turn(self, name: str, value: float | tuple[float, ...], index: int | None = None, ramp: float = 0.0) -> None:
        """Set a control, or one dimension of it; or bring it there in so many seconds."""
        now, end = self._values[name], self.controls.check(name, value, index)
        where = _where(index)
        move = self._stop(name)
        if ramp or isinstance(move, Ramp):
            going = move if isinstance(move, Ramp) else Ramp.resting(now)
            going.aim(where, now, end, max(1, round(ramp * self._fps)))
            self._moving[name] = going
        if not ramp:  # at once, for what else is due before this frame
            new = now.copy()
            new[where] = end[where]
            self._set(name, new)

    def walk(self, name: str, speed: float, index: int | None, seed: int) -> None:
        """Let a control wander, so far in a second."""
        self._stop(name)
        spec, step = self.controls.specs[name], speed / self._fps**0.5
        self._moving[name] = RandomWalk(self._values[name], _where(index), step, spec.minimum, spec.maximum, seed)

    def hold(self, start: np.ndarray, end: np.ndarray, seconds: float) -> None:
        """Hold the latent, and bring it from one `[Z]` to another."""
        for latent, ramp in ((start, 0.0), (end, seconds)):
            self.turn(TARGET, tuple(self._within(latent).tolist()), ramp=ramp)
        self.turn(HOLD, 1.0)

    def follow(self, path: np.ndarray, times: int) -> None:
        """Hold the latent to a path `[T, Z]` so many times, and then as it was before; 0 times: until it is let go."""
        steps = times * len(path) or None
        self._moving[TARGET] = Along(self._within(path), steps, self._within(path[-1]))
        before = self._values[HOLD]
        self._moving[HOLD] = Along(np.ones((1, *before.shape)), steps, before)

    def check_latent(self) -> None:
        """Raise `StreamError` if the voice has no latent that could be held."""
        if not {HOLD, TARGET} <= self.controls.keys():
            raise StreamError(f"voice {self._stream.voice.name!r} has no latents to hold")

    def _stop(self, name: str) -> Ramp | RandomWalk | Along | None:
        """Take a control off its way, and return that.  Of a path, hold and target go or stop together."""
        move = self._moving.pop(name, None)
        if isinstance(move, Along):
            self._moving.pop(TARGET if name == HOLD else HOLD)
        return move

    def _within(self, latents: np.ndarray) -> np.ndarray:
        spec = self.controls.specs[TARGET]
        return np.clip(latents.astype(np.float64), spec.minimum, spec.maximum)

    def _set(self, name: str, value: np.ndarray) -> None:
        self._values[name] = value
        self._turned = True
        self._pushed = False


def _where(index: int | None) -> int | slice:
    return slice(None) if index is None else index
