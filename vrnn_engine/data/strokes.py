"""Geometry of lines of ink: height, and the scale from tablet units to millimetres."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats

MM_PER_INCH = 25.4


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
        if median := float(np.median(heights[theirs])):  # 0 if the ink is only dots and straight lines
            scales[theirs] *= height_mm / median
    return scales
