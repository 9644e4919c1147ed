"""How a control moves by itself, a step a frame: on a ramp to somewhere, at random, or as it did once."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Ramp:
    """A control on its way, each dimension by itself: all arrays are of its shape."""

    start: np.ndarray
    end: np.ndarray
    frames: np.ndarray
    done: np.ndarray

    @classmethod
    def resting(cls, value: np.ndarray) -> "Ramp":
        """Return one that is where it should be."""
        return cls(value.copy(), value.copy(), np.ones(value.shape), np.ones(value.shape))

    def aim(self, where: int | slice, start: np.ndarray, end: np.ndarray, frames: int) -> None:
        """Go elsewhere in so many frames, with one dimension or a slice of them."""
        self.start[where], self.end[where] = start[where], end[where]
        self.frames[where], self.done[where] = frames, 0

    def step(self) -> np.ndarray:
        """Return where it is a frame later."""
        self.done += 1
        way = self.start + (self.end - self.start) * (self.done / self.frames)
        return np.where(self.done >= self.frames, self.end, way)

    @property
    def over(self) -> bool:
        """Whether it is there."""
        return bool((self.done >= self.frames).all())


class RandomWalk:
    """A control that wanders, turned back at the ends of its range.

    Parameters
    ----------
    start : float64 array
        Where it is.
    where : int or slice
        The dimensions that wander.
    step : float
        Standard deviation of a frame's step.
    low, high : float
        The range.
    seed : int
    """

    over = False

    def __init__(self, start: np.ndarray, where: int | slice, step: float, low: float, high: float, seed: int) -> None:
        self._value = start
        self._where = where
        self._step = step
        self._low, self._high = low, high
        self._drawn = np.random.Generator(np.random.Philox(key=seed))

    def step(self) -> np.ndarray:
        """Return where it is a frame later."""
        value = self._value.copy()
        value[self._where] += self._step * self._drawn.standard_normal(np.shape(value[self._where]))
        span = self._high - self._low or 1.0
        value = self._low + np.abs((value - self._low + span) % (2 * span) - span)
        self._value = np.clip(value, self._low, self._high)  # for what rounding adds
        return self._value


class Along:
    """A control that goes along given values, over and over.

    Parameters
    ----------
    values : float64 array [T, ...]
    steps : int or None
        How many it makes; None: without end.
    after : float64 array
        Where it is then.
    """

    def __init__(self, values: np.ndarray, steps: int | None, after: np.ndarray) -> None:
        self._values = values
        self._steps = steps
        self._after = after
        self._done = 0

    def step(self) -> np.ndarray:
        """Return where it is a frame later."""
        self._done += 1
        return self._after if self.over else self._values[(self._done - 1) % len(self._values)]

    @property
    def over(self) -> bool:
        """Whether it is there."""
        return self._steps is not None and self._done > self._steps
