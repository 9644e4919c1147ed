"""Movements of a control's values, one step per frame: a ramp, a random walk, or a given trajectory.

A copy (`copy.copy`) of a movement repeats the same steps.
"""

import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np


class Move(Protocol):
    """The interface of every movement."""

    @property
    def over(self) -> bool:
        """Whether the last step has been made."""
        ...

    def step(self) -> np.ndarray:
        """Return the values of the next frame, float64 [n]."""
        ...


@dataclass
class Ramp:
    """A straight line from one value to another.

    Attributes
    ----------
    start, end : float64 array [n]
    frames : int
        Steps from start to end.
    done : int
        Steps made.
    """

    start: np.ndarray
    end: np.ndarray
    frames: int
    done: int = 0

    @property
    def over(self) -> bool:
        """Whether the last step has been made."""
        return self.done >= self.frames

    def step(self) -> np.ndarray:
        """Return the values of the next frame, float64 [n]."""
        self.done += 1
        return self.end if self.over else self.start + (self.end - self.start) * (self.done / self.frames)


@dataclass
class RandomWalk:
    """A random walk with normally distributed steps, reflected at the ends of the range.  It never ends.

    Attributes
    ----------
    value : float64 array [n]
        Values of the last frame.
    deviation : float
        Standard deviation of each dimension of one step.
    low, high : float
        The range.
    generator : numpy.random.Generator
        Draws the steps; see `seeded`.
    """

    value: np.ndarray
    deviation: float
    low: float
    high: float
    generator: np.random.Generator
    over: ClassVar[bool] = False

    def __copy__(self) -> "RandomWalk":
        return replace(self, generator=copy.deepcopy(self.generator))

    def step(self) -> np.ndarray:
        """Return the values of the next frame, float64 [n]."""
        value = self.value + self.deviation * self.generator.standard_normal(self.value.shape)
        span = self.high - self.low or 1.0
        value = self.low + np.abs((value - self.low + span) % (2 * span) - span)
        self.value = np.clip(value, self.low, self.high)  # rounding may leave the range by a bit
        return self.value


def seeded(seed: int) -> np.random.Generator:
    """Return the generator of a random walk.

    Parameters
    ----------
    seed : int
    """
    return np.random.Generator(np.random.Philox(key=seed))


@dataclass
class FollowValues:
    """Given values, one per frame, repeated from the start when they end.

    Attributes
    ----------
    values : float64 array [T, n]
    steps : int or None
        Number of steps to make; None for no end.
    after : float64 array [n]
        The value that follows the last step.
    done : int
        Steps made.
    """

    values: np.ndarray
    steps: int | None
    after: np.ndarray
    done: int = 0

    @property
    def over(self) -> bool:
        """Whether the last step has been made."""
        return self.steps is not None and self.done > self.steps

    def step(self) -> np.ndarray:
        """Return the values of the next frame, float64 [n]."""
        self.done += 1
        return self.after if self.over else self.values[(self.done - 1) % len(self.values)]
