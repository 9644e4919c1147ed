"""Ink as strokes of points, and its conversion to evenly spaced points (dx, dy, pen-up)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.strokes import resample_strokes
from vrnn_engine.errors import DataError

Points = NDArray[np.float64]
SHORTEST = 1e-9
"""Strokes shorter than this, in units of the ink, are dots."""
FARTHEST = 1e6
"""Largest coordinate in mm: a kilometre."""
MOST_POINTS = 1_000_000
"""Largest number of points of a stroke: hours of ink.  A damaged time or coordinate would take more than the memory."""


@dataclass(frozen=True)
class Strokes:
    """Ink of one file.

    Attributes
    ----------
    paths : sequence of float64 arrays [n, 2]
        Positions x, y of each stroke, y growing downwards.
    millimetres : float or None
        Millimetres of one unit, if the file says it.
    times : sequence of float64 arrays [n], or None
        Seconds of each point, if the file has them.
    traced : bool
        Whether the points are those of a pen at a steady rate.  Points of an outline (SVG) are not: only its shape
        counts.
    """

    paths: Sequence[Points]
    millimetres: float | None = None
    times: Sequence[Points] | None = None
    traced: bool = True


@dataclass(frozen=True)
class Conversion:
    """How ink becomes points.

    Attributes
    ----------
    rate : float
        Points per second of the result.
    scale : float or None
        Millimetres of one unit of the file; None for what the file says.
    input_rate : float or None
        Points per second of files without times; None for `rate`.
    speed : float
        Speed in mm/s with which outlines are drawn.
    flip : bool
        Whether y grows upwards in the file.
    """

    rate: float = 50.0
    scale: float | None = None
    input_rate: float | None = None
    speed: float = 60.0
    flip: bool = False


def cut(values: Points, ends: NDArray[np.integer]) -> list[Points]:
    """Cut values into strokes.

    Parameters
    ----------
    values : array [n, ...]
        One value for each point.
    ends : int array
        For each stroke, the position behind its last point; a stroke may be missing at the end.
    """
    bounds = np.unique([0, *ends.tolist(), len(values)])
    return [values[first:last] for first, last in pairwise(bounds)]


def to_points(ink: Strokes, how: Conversion, where: str) -> NDArray[np.float32]:
    """Return the points of a file as one line of ink.

    Parameters
    ----------
    ink : Strokes
        The ink.
    how : Conversion
        Rate and scale of the result.
    where : str
        The file, for error messages.

    Returns
    -------
    float32 array [T, 3]
        dx, dy in millimetres, and 1 where the pen is lifted after the point; y grows downwards.

    Raises
    ------
    DataError
        There are no points, or more than `MOST_POINTS` in a stroke; a coordinate or time is not finite, or too large;
        or the unit is not known.
    """
    paths = [np.asarray(path, np.float64).reshape(-1, 2) for path in ink.paths if len(path)]
    if not paths:
        raise DataError(f"{where}: has no strokes")
    if not all(np.isfinite(path).all() for path in paths):
        raise DataError(f"{where}: some coordinates are NaN or infinite")
    scale = how.scale if how.scale is not None else ink.millimetres
    if scale is None:
        raise DataError(
            f"{where}: does not say how long its unit is; give the scale, the millimetres of one unit", ("scale",)
        )
    with np.errstate(over="ignore"):
        paths = [path * [scale, -scale if how.flip else scale] for path in paths]
    if not all((np.abs(path) <= FARTHEST).all() for path in paths):
        raise DataError(
            f"{where}: some coordinates are above {FARTHEST:g} mm; give the scale, the millimetres of one unit"
        )
    if not ink.traced:
        return _line([_by_length(path, how.speed / how.rate, where) for path in paths])
    if ink.times is not None:
        kept = [times for path, times in zip(ink.paths, ink.times, strict=True) if len(path)]
        return _line([_by_time(path, times, how.rate, where) for path, times in zip(paths, kept, strict=True)])
    line = _line(paths)
    return line if how.input_rate in (None, how.rate) else resample_strokes(line, how.rate / (how.input_rate or 1.0))


def _by_length(path: Points, step: float, where: str) -> Points:
    """Return points of a path at distances of about `step`, ends included."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    if along[-1] < SHORTEST:
        return path[:1]
    at = np.linspace(0, along[-1], max(2, _point_count(along[-1] / step, where)))
    return np.column_stack([np.interp(at, along, path[:, axis]) for axis in (0, 1)])


def _by_time(path: Points, times: Points, rate: float, where: str) -> Points:
    """Return points of a path at even times, ends included."""
    if not np.isfinite(times).all() or (times[1:] < times[:-1]).any():
        raise DataError(f"{where}: the times of a stroke must be finite and must not decrease")
    with np.errstate(over="ignore"):
        steps = (times[-1] - times[0]) * rate
    count = max(2, _point_count(steps, where)) if len(path) > 1 else 1
    at = np.linspace(times[0], times[-1], count)
    return np.column_stack([np.interp(at, times, path[:, axis]) for axis in (0, 1)])


def _point_count(steps: float, where: str) -> int:
    """Return the number of points of a stroke of some steps."""
    if not steps < MOST_POINTS:
        raise DataError(f"{where}: a stroke would have {steps:.3g} points, more than {MOST_POINTS}; is its unit right?")
    return round(steps) + 1


def _line(paths: Sequence[Points]) -> NDArray[np.float32]:
    """Return strokes as one line, whose first point does not move."""
    points = np.concatenate(paths)
    up = np.zeros(len(points))
    up[np.cumsum([len(path) for path in paths]) - 1] = 1
    return np.column_stack([np.diff(points, axis=0, prepend=points[:1]), up]).astype(np.float32)
