"""Draws smooth curves through the points of a stroke: Catmull-Rom splines, as cubic Bezier curves or short steps."""

import math

import numpy as np

from vrnn_engine.runtime.sinks.ink.line_breaks import Point, Stroke

TOLERANCE = 0.02
"""Largest distance in mm between a curve and the steps that replace it; less than an HPGL unit."""


def bezier_curves(stroke: Stroke) -> np.ndarray:
    """Return cubic Bezier curves that pass smoothly through all points of a stroke.

    The spline is a centripetal Catmull-Rom spline, which makes no loop or cusp between two points [1]_.  Where it would
    leave the bounding box of the points, its tangents are shortened, so it never crosses a margin.

    Parameters
    ----------
    stroke : list of (float, float)
        Points in mm.  A point that repeats the previous point adds no curve.

    Returns
    -------
    ndarray, float, shape [curves, 4, 2]
        Start, two control points and end of each curve; empty for a dot.

    References
    ----------
    .. [1] C. Yuksel, S. Schaefer, J. Keyser: Parameterization and applications of Catmull-Rom curves.
       Computer-Aided Design 43 (2011).
    """
    points = np.array(stroke, float)
    points = points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))]
    if len(points) < 2:
        return np.empty((0, 4, 2))
    moves = np.diff(points, axis=0)
    times = np.sqrt(np.hypot(*moves.T))[:, None]
    speeds = moves / times
    tangents = np.concatenate([speeds[:1], np.empty((len(points) - 2, 2)), speeds[-1:]])
    before, after = times[:-1], times[1:]
    # The derivative of the spline at an inner point (Barry and Goldman 1988).
    tangents[1:-1] = speeds[:-1] + speeds[1:] - (moves[:-1] + moves[1:]) / (before + after)
    room = np.minimum(points - points.min(axis=0), points.max(axis=0) - points)[1:-1]
    limits = 3 * room / np.maximum(before, after)
    tangents[1:-1] = np.clip(tangents[1:-1], -limits, limits)
    first, second = points[:-1] + tangents[:-1] * times / 3, points[1:] - tangents[1:] * times / 3
    return np.stack([points[:-1], first, second, points[1:]], axis=1)


def short_steps(stroke: Stroke, tolerance: float = TOLERANCE) -> list[list[Point]]:
    """Replace the smooth curves through a stroke with short straight steps.

    Parameters
    ----------
    stroke : list of (float, float)
        Points in mm.
    tolerance : float
        Largest distance from the curve in mm.

    Returns
    -------
    list of list of (float, float)
        For each curve, the ends of its steps.  The last end is exactly a point of the stroke.
    """
    steps = []
    for curve in bezier_curves(stroke):
        count = 1 if _is_flat(curve, tolerance) else _count_steps(curve, tolerance)
        t = np.arange(1, count)[:, None] / count
        weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
        steps.append([(x, y) for x, y in [*(weights @ curve).tolist(), curve[3].tolist()]])
    return steps


def _is_flat(curve: np.ndarray, tolerance: float) -> bool:
    """Return whether the control points, and so the whole curve, are within the tolerance of the straight line."""
    chord, controls = curve[3] - curve[0], curve[1:3] - curve[0]
    nearest = np.clip(controls @ chord / (chord @ chord), 0, 1)[:, None] * chord
    return bool((np.hypot(*(controls - nearest).T) <= tolerance).all())


def _count_steps(curve: np.ndarray, tolerance: float) -> int:
    """Return how many steps of equal duration keep a cubic curve within the tolerance, by Wang's formula."""
    bend = np.hypot(*(curve[:2] - 2 * curve[1:3] + curve[2:]).T).max()
    return max(math.ceil(math.sqrt(0.75 * bend / tolerance)), 1)


def straight_steps(stroke: Stroke) -> list[list[Point]]:
    """Return each point after the first as the end of one straight step, in the form of `short_steps`."""
    return [[point] for point in stroke[1:]]
