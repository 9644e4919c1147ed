"""Geometry of lines of ink: smooths strokes, finds lines that wrap onto a second row, and joins two lines."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats

WRAP_RETURN = 0.4
"""Smallest move back, as a share of the width of a line, at which a second row can begin."""
WRAP_DROP = 2.5
"""Smallest distance, in heights of the ink, of the mean of the second row below that of the first."""
ENOUGH_AFTER = 0.1
"""Smallest share of a line's points in a second row: a dot or the cross of a t has fewer."""

GAP, GAP_SPREAD = 2.6, 0.3
"""Distance of two joined lines in heights of the ink: its median, and the sd of its logarithm."""


def smooth_strokes(line: Floats, std: float) -> Floats:
    """Smooth every stroke of a line by a Gaussian; the ends of strokes stay where they are.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, pen-up.
    std : float
        Standard deviation of the Gaussian, in points; 0 returns the line as it is.
    """
    if std <= 0:
        return line
    reach = max(1, round(3 * std))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    kernel /= kernel.sum()
    path = np.cumsum(line[:, :2], axis=0, dtype=np.float64)
    ends = np.flatnonzero(line[:, 2]) + 1
    for first, last in pairwise(np.unique(np.concatenate([[0], ends, [len(line)]]))):
        stroke = path[first:last]
        pad = min(reach, len(stroke) - 1)
        if pad < 1:
            continue
        # The stroke is continued by its point reflections at both ends, so that the ends stay.
        before, after = 2 * stroke[0] - stroke[pad:0:-1], 2 * stroke[-1] - stroke[-2 : -pad - 2 : -1]
        whole = np.concatenate([before, stroke, after])
        whole = np.pad(whole, ((reach - pad, reach - pad), (0, 0)), mode="edge")
        smooth = np.column_stack([np.convolve(whole[:, k], kernel, mode="valid") for k in (0, 1)])
        smooth[0], smooth[-1] = stroke[0], stroke[-1]
        path[first:last] = smooth
    moves = np.diff(path, axis=0, prepend=np.zeros((1, 2)))
    return np.column_stack([moves, line[:, 2]]).astype(np.float32)


def wraps(line: Floats) -> bool:
    """Return whether the ink of a line continues in a second row below the first.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, pen-up; y grows downwards.
    """
    x, y = np.cumsum(line[:, :2], axis=0, dtype=np.float64).T
    width = np.ptp(x)
    starts = np.flatnonzero(line[:-1, 2] > 0.5) + 1  # the first point of each stroke but the first
    for start in starts[x[starts] < np.maximum.accumulate(x)[starts] - WRAP_RETURN * width]:
        after = slice(start, None)
        if len(y[after]) < ENOUGH_AFTER * len(y):
            break
        height = min(_height(y[:start]), _height(y[after]))
        if y[after].mean() - y[:start].mean() > WRAP_DROP * height:
            return True
    return False


def _height(y: NDArray[np.float64]) -> float:
    """Return the rms height of ink about a straight baseline; infinity for fewer than four points."""
    if len(y) < 4:
        return math.inf
    steps = np.arange(len(y))
    return float((y - np.polyval(np.polyfit(steps, y, 1), steps)).std())


def join_lines(first: Floats, second: Floats, gap: float) -> Floats:
    """Join two lines of ink, such that the baseline of the second continues that of the first.

    Parameters
    ----------
    first, second : array [n, 3]
        dx, dy, pen-up.
    gap : float
        Horizontal distance between them, in the unit of the ink.

    Returns
    -------
    array [m, 3]
        One line, with the pen lifted between the two.
    """
    ends = [np.cumsum(ink[:, :2], axis=0, dtype=np.float64) for ink in (first, second)]
    across = ends[0][:, 0].max() - ends[0][-1, 0] + gap + ends[1][0, 0] - ends[1][:, 0].min()
    down = _baseline(ends[0][:, 1], last=True) - ends[0][-1, 1] + ends[1][0, 1] - _baseline(ends[1][:, 1], last=False)
    left, right = first.copy(), second.copy()
    left[-1, 2] = 1
    right[0, :2] = across, down
    return np.concatenate([left, right])


def random_gap(rng: np.random.Generator) -> float:
    """Return a distance of two joined lines, in heights of the ink.

    Parameters
    ----------
    rng : Generator
        Draws the distance.
    """
    return float(GAP * np.exp(GAP_SPREAD * rng.standard_normal()))


def _baseline(y: NDArray[np.float64], last: bool) -> float:
    """Return the baseline of the first or last half of a line: the median of its turns from down to up."""
    moves = np.diff(y)
    bottoms = y[1:-1][(moves[:-1] > 0) & (moves[1:] <= 0)]
    if len(bottoms) < 2:
        return float(y.max())
    half = max(4, len(bottoms) // 2)
    return float(np.median(bottoms[-half:] if last else bottoms[:half]))
