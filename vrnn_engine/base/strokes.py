"""Resamples ink, lines of points (dx, dy, pen-up), and names its units of length."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "pt": 25.4 / 72, "px": 25.4 / 96}
"""Millimetres of each unit of length."""


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
    position = np.cumsum(line[:, :2], axis=0, dtype=np.float64)
    ends = np.flatnonzero(line[:, 2]) + 1
    bounds = np.unique(np.concatenate([[0], ends, [len(line)]]))
    points, lifted = [], []
    for first, last in pairwise(bounds):
        count = max(2, round((last - first - 1) * ratio) + 1) if last - first > 1 else 1
        at = np.linspace(first, last - 1, count)
        points.append(np.column_stack([np.interp(at, np.arange(first, last), position[first:last, k]) for k in (0, 1)]))
        lifted.append(np.arange(count) == count - 1)
    path = np.concatenate(points)
    moves = np.diff(path, axis=0, prepend=path[:1])
    up = np.concatenate(lifted).astype(np.float32)
    up[-1] = line[-1, 2]
    return np.column_stack([moves, up]).astype(np.float32)
