"""How dimensions of a control move by themselves, a step a frame: on a ramp to somewhere, at random, or as once before.

A move knows nothing of other moves.  `step` returns where it is a frame later, [n], and `over` says whether it has got
where it goes; a copy (`copy.copy`) goes the same way once more.
"""

import copy
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Move(Protocol):
    """What all moves are."""

    @property
    def over(self) -> bool:
        """Whether it is there."""
        ...

    def step(self) -> np.ndarray:
        """Return where it is a frame later, float64 [n]."""
        ...


@dataclass
class Ramp:
    """A straight way from `start` [n] to `end` [n] in so many frames."""

    start: np.ndarray
    end: np.ndarray
    frames: int
    done: int = 0

    @property
    def over(self) -> bool:
        return self.done >= self.frames

    def step(self) -> np.ndarray:
        self.done += 1
        return self.end if self.over else self.start + (self.end - self.start) * (self.done / self.frames)


class RandomWalk:
    """A way that wanders, turned back at the ends of its range.

    Parameters
    ----------
    start : float64 array [n]
    step : float
        Standard deviation of a frame's step, of each dimension.
    low, high : float
        The range.
    seed : int
    """

    over = False

    def __init__(self, start: np.ndarray, step: float, low: float, high: float, seed: int) -> None:
        self._value = start
        self._step = step
        self._low, self._high = low, high
        self._generator = np.random.Generator(np.random.Philox(key=seed))

    def __copy__(self) -> "RandomWalk":
        twin = RandomWalk(self._value, self._step, self._low, self._high, 0)
        twin._generator = copy.deepcopy(self._generator)
        return twin

    def step(self) -> np.ndarray:
        """Return where it is a frame later."""
        value = self._value + self._step * self._generator.standard_normal(self._value.shape)
        span = self._high - self._low or 1.0
        value = self._low + np.abs((value - self._low + span) % (2 * span) - span)
        self._value = np.clip(value, self._low, self._high)  # for what rounding adds
        return self._value


@dataclass
class Along:
    """The way along `values` [T, n], over and over, in so many steps (None: without end), and then to `after` [n]."""

    values: np.ndarray
    steps: int | None
    after: np.ndarray
    done: int = 0

    @property
    def over(self) -> bool:
        return self.steps is not None and self.done > self.steps

    def step(self) -> np.ndarray:
        self.done += 1
        return self.after if self.over else self.values[(self.done - 1) % len(self.values)]
