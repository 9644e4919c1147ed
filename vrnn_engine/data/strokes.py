"""Geometry of lines of ink: resampling, height, and the scale from tablet units to millimetres."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats

MM_PER_INCH = 25.4


def resample_strokes(line: Floats, ratio: float) -> Floats:
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


def ink_height(line: NDArray[np.floating]) -> float:
    """Return the sd of a line's ink about its baseline (a straight line fitted to it), in the line's unit.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, pen-up.
    """
    x, y = np.cumsum(line[:, :2], axis=0, dtype=np.float64).T
    if np.ptp(x) == 0:
        return float(y.std())
    return float((y - np.polyval(np.polyfit(x, y, 1), x)).std())


def millimetre_scales(
    lines: list[Floats], contributor: NDArray[Any], points_per_inch: NDArray[Any], height_mm: float
) -> NDArray[np.float64]:
    """Return the factor from tablet units to millimetres for each line.

    The factors give the lines of each contributor a median `ink_height` of `height_mm`.

    Parameters
    ----------
    lines : list of arrays [n, 3]
        In tablet units.
    contributor : array [lines]
        Who contributed each line.
    points_per_inch : array [lines]
        Resolution of the tablet.
    height_mm : float
        Target of the median `ink_height`, mm.
    """
    scales = MM_PER_INCH / points_per_inch.astype(np.float64)
    heights = np.array([ink_height(line) for line in lines]) * scales
    for name in np.unique(contributor):
        theirs = contributor == name
        scales[theirs] *= height_mm / np.median(heights[theirs])
    return scales
