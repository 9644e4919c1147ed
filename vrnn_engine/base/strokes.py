"""Resamples ink, lines of points (dx, dy, pen-up), and names its units of length."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "pt": 25.4 / 72, "px": 25.4 / 96}
"""Millimetres of each unit of length."""
_BLOCK = 1 << 16
"""Points that are resampled at a time: an array for each stroke takes far more memory than its points."""


def resample_strokes(line: NDArray[np.floating], ratio: float) -> NDArray[np.float32]:
    """Resample every stroke of a line linearly.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, and 1 where the pen is lifted after the point.
    ratio : float
        New rate over old rate.

    Returns
    -------
    array [m, 3]
        The first and last point of every stroke stay; the move between two strokes stays one step.
    """
    resampler = StrokeResampler(ratio)
    blocks = [resampler.push(line[first : first + _BLOCK]) for first in range(0, len(line), _BLOCK)]
    return np.concatenate([*blocks, resampler.finish()])


class StrokeResampler:
    """Resamples strokes linearly, as `resample_strokes` does, while their points arrive.

    Parameters
    ----------
    ratio : float
        New rate over old rate.

    Attributes
    ----------
    waiting : int
        Number of points of the stroke that is not complete yet; they are kept.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._read = 0  # points before those in `_rest`
        self._rest: list[NDArray[np.float64]] = []  # parts of an incomplete stroke: its points' positions, and pen-up
        self.waiting = 0
        self._position = np.zeros(2)  # of the last point read
        self._end: NDArray[np.float64] | None = None  # position of the last point written

    def push(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the strokes that are complete with the next points; float32 [m, 3].

        Parameters
        ----------
        points : array [n, 3]
            dx, dy, and 1 where the pen is lifted after the point.
        """
        path = np.cumsum(np.concatenate([self._position[np.newaxis], points[:, :2]]), axis=0, dtype=np.float64)[1:]
        if len(path):
            self._position = path[-1]
        self._rest.append(np.column_stack([path, points[:, 2]]))
        self.waiting += len(points)
        if not points[:, 2].any():
            return np.zeros((0, 3), np.float32)
        rest = np.concatenate(self._rest)
        ends = np.flatnonzero(rest[:, 2]) + 1
        made = [self._resample(rest[first:last], self._read + first) for first, last in pairwise([0, *ends])]
        self._rest, self._read = [rest[ends[-1] :].copy()], self._read + int(ends[-1])
        self.waiting = len(self._rest[0])
        return np.concatenate(made)

    def finish(self) -> NDArray[np.float32]:
        """Return the last stroke, if the pen was not lifted after it; float32 [m, 3]."""
        if not self.waiting:
            return np.zeros((0, 3), np.float32)
        return self._resample(np.concatenate(self._rest), self._read)

    def _resample(self, stroke: NDArray[np.float64], begin: int) -> NDArray[np.float32]:
        """Resample a stroke whose first point is number `begin`."""
        count = max(2, round((len(stroke) - 1) * self._ratio) + 1) if len(stroke) > 1 else 1
        known = np.arange(begin, begin + len(stroke))
        at = np.linspace(begin, begin + len(stroke) - 1, count)
        path = np.column_stack([np.interp(at, known, stroke[:, k]) for k in (0, 1)])
        moves = np.diff(path, axis=0, prepend=path[:1] if self._end is None else self._end)
        self._end = path[-1:]
        lifted = np.zeros(count)
        lifted[-1] = stroke[-1, 2]
        return np.column_stack([moves, lifted]).astype(np.float32)
