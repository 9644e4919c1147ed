"""Ink as strokes of points, and its conversion to evenly spaced points (dx, dy, pen-up)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.strokes import resample_strokes
from vrnn_engine.errors import DataError

Points = NDArray[np.float64]
VOICE_RATE = 30.0
"""Points per second of the bundled voice `handwriting` and of its recipe."""
SLOWEST, FASTEST = 5.0, 2000.0
"""Points per second outside these limits are a mistake, such as times in milliseconds."""
SHORTEST = 1e-9
"""Strokes shorter than this, in units of the ink, are dots."""
FARTHEST = 1e6
"""Largest coordinate in mm: a kilometre."""
MOST_POINTS = 1_000_000
"""Largest number of points of a stroke: hours of ink.  A damaged time or coordinate would take more than the memory."""
MOST_OF_A_LINE = 10_000_000
"""Largest number of points of a line of ink: a small file may have many strokes of `MOST_POINTS`."""


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
    rate : float or None
        Points per second, if the file says it.
    """

    paths: Sequence[Points]
    millimetres: float | None = None
    times: Sequence[Points] | None = None
    traced: bool = True
    rate: float | None = None


@dataclass(frozen=True)
class Conversion:
    """How ink becomes points.

    Attributes
    ----------
    rate : float or None
        Points per second of the result; None for those of the file, see `rate_of`.
    scale : float or None
        Millimetres of one unit of the file; None for what the file says.
    input_rate : float or None
        Points per second of files that tell neither times nor a rate; None for those of the result.
    speed : float
        Speed in mm/s with which outlines are drawn.
    flip : bool
        Whether y grows upwards in the file.
    """

    rate: float | None = None
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


def mean_rate(times: Sequence[Points]) -> float | None:
    """Return the mean number of points per second within strokes, or None if it cannot be measured.

    Parameters
    ----------
    times : sequence of float64 arrays [n]
        Seconds of each point; rounding to microseconds does not change a rate that is a whole number.
    """
    strokes = [stroke for stroke in times if len(stroke)]
    steps = sum(len(stroke) - 1 for stroke in strokes)
    seconds = sum(float(stroke[-1]) - float(stroke[0]) for stroke in strokes)
    rate = steps / seconds if seconds > 0 else None
    if rate is None or not math.isfinite(rate):
        return rate  # `check_rate` refuses an infinite one
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate


def check_rate(rate: float, where: str) -> None:
    """Raise `DataError` if no pen is recorded at this number of points per second.

    Parameters
    ----------
    rate : float
        Points per second.
    where : str
        The file, for the error message.
    """
    if not SLOWEST <= rate <= FASTEST:
        raise DataError(f"{where}: its points are {rate:.3g} a second; give t in seconds, and rate in points a second")


def rate_of(ink: Strokes, how: Conversion, where: str) -> float:
    """Return the number of points per second of the result of `to_points`.

    It is that of `how`; else that at which the ink was recorded, by its times, by the file, or by `how`; else
    `VOICE_RATE`.

    Parameters
    ----------
    ink, how, where
        As for `to_points`.

    Raises
    ------
    DataError
        The times of the ink give a rate that no pen has.
    """
    if how.rate is not None:
        return how.rate
    measured = mean_rate(ink.times) if ink.times is not None else None
    if measured is not None:
        check_rate(measured, where)
    return measured or ink.rate or how.input_rate or VOICE_RATE


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
        There are no points, or more than `MOST_POINTS` in a stroke or `MOST_OF_A_LINE` in all; a coordinate
        or time is not finite, or too large;
        the unit is not known; or as `rate_of`.
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
    rate = rate_of(ink, how, where)
    if not ink.traced:
        return _line(_limited((_by_length(path, how.speed / rate, where) for path in paths), where))
    if ink.times is not None:
        kept = [times for path, times in zip(ink.paths, ink.times, strict=True) if len(path)]
        resampled = (_by_time(path, times, rate, where) for path, times in zip(paths, kept, strict=True))
        return _line(_limited(resampled, where))
    line = _line(paths)
    own_rate = ink.rate or how.input_rate or rate
    if own_rate == rate:
        return line
    if len(line) * rate / own_rate > MOST_OF_A_LINE:
        raise _too_many(where)
    return resample_strokes(line, rate / own_rate)


def _limited(strokes: Iterable[Points], where: str) -> list[Points]:
    """Return strokes that are made one by one; stop if they have too many points."""
    made: list[Points] = []
    count = 0
    for stroke in strokes:
        made.append(stroke)
        count += len(stroke)
        if count > MOST_OF_A_LINE:
            raise _too_many(where)
    return made


def _too_many(where: str) -> DataError:
    return DataError(f"{where}: would have more than {MOST_OF_A_LINE} points; are its unit and its rate right?")


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
