"""What the recogniser sees of a line of ink: its geometry, without time.

Every stroke is resampled to equal distances, in units of the height of the ink.  Ink of any pen, rate and speed of
writing gives the same values, so that generated and real ink are treated equally.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

STEP = 0.33
"""Distance of two points of a stroke, in heights of the ink."""
FEATURES = 10
"""Number of values per point."""
AROUND = 30
"""Half the width, in points, of the moving average that is the local baseline."""


def features(line: NDArray[np.floating], size: float = 1.0) -> NDArray[np.float32]:
    """Return the geometry of a line of ink, point by point.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy (y grows downwards, any unit), and 1 where the pen is lifted after the point.
    size : float
        Factor by which the ink is larger than its height would have it; for variation in training.

    Returns
    -------
    array [m, 10]
        Points at equal distances along each stroke.  For each: cosine and sine of the direction of the move to it (0
        for a move in the air), the move in the air to it in heights (its sign times the logarithm of 1 plus its size,
        0 on the paper), cosine and sine of the turn at it (0 at the ends of strokes), 1 if it begins a stroke, 1 if it
        ends one, and its height above the straight baseline of the line and above the local one.
    """
    path, lifted = _path(line)
    height = _height(path, lifted) / size
    points, last = resample_by_length(path / height, lifted, STEP)
    first = np.append(True, last[:-1])
    moves = np.diff(points, axis=0, prepend=points[:1])
    lengths = np.hypot(*moves.T)
    heading = np.where(first[:, None], 0.0, moves / np.maximum(lengths, 1e-9)[:, None])
    air = np.where(first[:, None], np.sign(moves) * np.log1p(np.abs(moves)), 0.0)
    after = np.append(heading[1:], np.zeros((1, 2)), axis=0)
    inside = ~(first | last)
    turn_cos = np.where(inside, (heading * after).sum(1), 0.0)
    turn_sin = np.where(inside, heading[:, 0] * after[:, 1] - heading[:, 1] * after[:, 0], 0.0)
    above = -_straightened(points)
    found = [heading, air, turn_cos, turn_sin, first, last, above, above - _moving_average(above, AROUND)]
    return np.column_stack(found).astype(np.float32)


def on_paper(found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether the move to each point of `features` [m, 10] is on the paper."""
    return found[:, 6] < 0.5


def resample_by_length(path: Values, lifted: NDArray[np.bool_], step: float) -> tuple[Values, NDArray[np.bool_]]:
    """Resample every stroke to equal distances along it; a dot stays one point.

    Parameters
    ----------
    path : array [n, 2]
        Positions of the points.
    lifted : array [n]
        Whether the pen is lifted after the point.
    step : float
        Distance of the new points, about; the first and last point of every stroke stay.

    Returns
    -------
    points : array [m, 2]
        New positions.
    lifted : array [m]
        Whether the pen is lifted after each.
    """
    travelled = np.append(0.0, np.cumsum(np.hypot(*np.diff(path, axis=0).T)))
    points, ends = [], []
    for first, last in pairwise(np.unique(np.concatenate([[0], np.flatnonzero(lifted) + 1, [len(path)]]))):
        along = travelled[first:last]
        length = along[-1] - along[0]
        count = max(2, round(float(length) / step) + 1) if length > step / 4 else 1
        at = np.linspace(along[0], along[-1], count)
        points.append(np.column_stack([np.interp(at, along, path[first:last, k]) for k in (0, 1)]))
        ends.append(np.arange(count) == count - 1)
    return np.concatenate(points), np.concatenate(ends)


def _path(line: NDArray[np.floating]) -> tuple[Values, NDArray[np.bool_]]:
    """Return the positions [n, 2] of a line's points, and whether the pen is lifted after each."""
    lifted = line[:, 2] > 0.5
    lifted[-1] = True
    return np.cumsum(line[:, :2], axis=0, dtype=np.float64), lifted


def _height(path: Values, lifted: NDArray[np.bool_]) -> float:
    """Return the sd of the ink about a straight baseline; each piece of ink counts by its length."""
    if len(path) < 2:
        return 1.0
    moves, middle = np.diff(path, axis=0), (path[1:] + path[:-1]) / 2
    weight = np.hypot(*moves.T) * ~lifted[:-1]
    if not weight.sum() > 0:
        return float(np.hypot(*np.ptp(path, axis=0))) or 1.0
    away = middle - np.average(middle, axis=0, weights=weight)
    # Second moments of the drawn line, not of its points; d^2 / 12 is the variance along a straight move of length d.
    (xx, xy), (_, yy) = (weight[:, None] * away).T @ away + (weight[:, None] * moves).T @ moves / 12
    height = np.sqrt(max(0.0, yy - xy**2 / xx if xx > 0 else yy) / weight.sum())
    return float(height) or float(np.hypot(*np.ptp(path, axis=0)))


def _straightened(points: Values) -> Values:
    """Return the distance [n] of points below a straight line fitted to them."""
    x, y = (points - points.mean(0)).T
    spread = float(x @ x)
    return y - (float(x @ y) / spread if spread > 0 else 0.0) * x


def _moving_average(values: Values, around: int) -> Values:
    """Return the mean over each value and its `around` neighbours on both sides, as far as there are any."""
    total = np.append(0.0, np.cumsum(values))
    place = np.arange(len(values))
    low, high = np.maximum(place - around, 0), np.minimum(place + around + 1, len(values))
    return (total[high] - total[low]) / (high - low)
