"""Draws smooth curves through the points of a stroke: cubic splines, as Bezier curves or short steps."""

import math

import numpy as np

from vrnn_engine.runtime.sinks.ink.line_breaks import Box, Point, Stroke

TOLERANCE = 0.02
"""Largest distance in mm between a curve and the steps that replace it; less than an HPGL unit."""

_REVERSAL = 0.3
"""The pen turns back where the cosine of its turn is less than this number above -1."""


def bezier_curves(stroke: Stroke, room: Box | None = None) -> np.ndarray:
    """Return cubic Bezier curves that pass smoothly through all points of a stroke.

    The spline is the natural cubic spline in time [1]_: a voice's points are equally spaced in time, and its curvature
    has no jumps, so the points are not visible even if the ink is enlarged.  (On strokes of UNIPEN with 30 points per
    second, it is half as far from the full recording as a centripetal Catmull-Rom spline.)  Its tangents are shortened
    where a move is much shorter than its neighbour, which would make a loop; where the pen turns back, so that the turn
    is at a point, where programs draw it round; and where it would leave `room`.

    Parameters
    ----------
    stroke : list of (float, float)
        Points in mm.  A point that repeats the previous point adds no curve.
    room : Box, optional
        Area that the curve may use besides the bounding box of the points, such as the page within its margins.

    Returns
    -------
    ndarray, float, shape [curves, 4, 2]
        Start, two control points and end of each curve; empty for a dot.

    References
    ----------
    .. [1] R. Bartels, J. Beatty, B. Barsky: An introduction to splines for use in computer graphics and geometric
       modeling (1987), chapter 3.
    """
    points = np.array(stroke, float)
    points = points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))]
    if len(points) < 2:
        return np.empty((0, 4, 2))
    tangents = _natural_tangents(points)
    moves = np.diff(points, axis=0)
    lengths = np.hypot(*moves.T)
    longest = 3 * np.minimum(np.append(lengths, np.inf), np.append(np.inf, lengths))
    straightness = (moves[:-1] * moves[1:]).sum(axis=1) / (lengths[:-1] * lengths[1:])  # cosine of the turn
    longest[1:-1] *= np.clip((1 + straightness) / _REVERSAL, 0, 1)
    tangents *= np.minimum(longest / np.maximum(np.hypot(*tangents.T), 1e-12), 1)[:, None]
    least, most = points.min(axis=0), points.max(axis=0)
    if room is not None:
        least, most = np.minimum(least, (room.left, room.top)), np.maximum(most, (room.right, room.bottom))
    low, high = 3 * (points - least), 3 * (most - points)
    tangents[:-1] = np.clip(tangents[:-1], -low[:-1], high[:-1])
    tangents[1:] = np.clip(tangents[1:], -high[1:], low[1:])
    first, second = points[:-1] + tangents[:-1] / 3, points[1:] - tangents[1:] / 3
    return np.stack([points[:-1], first, second, points[1:]], axis=1)


def _natural_tangents(points: np.ndarray) -> np.ndarray:
    """Return the derivatives [n, 2] of the natural cubic spline with one unit of time between two points [n, 2]."""
    after, before = np.append(points[1:], points[-1:], axis=0), np.append(points[:1], points[:-1], axis=0)
    right = 3 * (after - before)
    # Gaussian elimination of a tridiagonal system: rows 2 1, then 1 4 1, and last 1 2.
    last = len(points) - 1
    ratios = np.empty(last + 1)
    ratios[0], right[0] = 0.5, right[0] / 2
    for row in range(1, last + 1):
        ratios[row] = 1 / ((4 if row < last else 2) - ratios[row - 1])
        right[row] = (right[row] - right[row - 1]) * ratios[row]
    for row in range(last - 1, -1, -1):
        right[row] -= ratios[row] * right[row + 1]
    return right


def short_steps(stroke: Stroke, room: Box | None = None, tolerance: float = TOLERANCE) -> list[list[Point]]:
    """Replace the smooth curves through a stroke with short straight steps.

    Parameters
    ----------
    stroke : list of (float, float)
        Points in mm.
    room : Box, optional
        As for `bezier_curves`.
    tolerance : float
        Largest distance from the curve in mm.

    Returns
    -------
    list of list of (float, float)
        For each curve, the ends of its steps.  The last end is exactly a point of the stroke.
    """
    steps = []
    for curve in bezier_curves(stroke, room):
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


def straight_steps(stroke: Stroke, room: Box | None = None) -> list[list[Point]]:
    """Return each point after the first as the end of one straight step; form and arguments are as in `short_steps`."""
    return [[point] for point in stroke[1:]]
