"""Draws ink as text in braille characters, each of which has 2 x 4 dots."""

from collections.abc import Sequence

import numpy as np

from vrnn_engine.runtime.sinks.ink.line_breaks import Point

_BLANK = 0x2800
# Unicode numbers the dots of a braille character down the left column, then down the right, then along the lowest row.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_MAX_STEPS = 10_000  # dots along one segment; limits the memory for a pen that has diverged


class Canvas:
    """A raster of dots that can be printed as text.

    Parameters
    ----------
    columns, rows : int
        Size in characters; the raster has 2 x `columns` by 4 x `rows` dots.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self._dots = np.zeros((4 * rows, 2 * columns), bool)

    def draw(self, stroke: Sequence[Point] | np.ndarray, scale: float, top: float = 0.0, left: float = 0.0) -> None:
        """Draw a stroke; parts outside the canvas are left out.

        Parameters
        ----------
        stroke : sequence of (float, float), or ndarray of shape [n, 2]
            Points x, y in mm; y grows downwards.
        scale : float
            Dots per mm.
        top, left : float
            Position of the canvas's upper left corner in mm.
        """
        points = (np.array(stroke) - [left, top]) * scale
        starts, ends = points[:-1], points[1:]
        reaches_in = np.maximum(starts, ends) > -1  # -1, since `astype(int)` below rounds towards 0
        visible = (reaches_in & (np.minimum(starts, ends) < self._dots.shape[::-1])).all(axis=1)
        steps = np.abs(ends - starts).max(axis=1, initial=0)
        parts = [points[:1]]
        for start, end, step in zip(starts[visible], ends[visible], steps[visible], strict=True):
            parts.append(np.linspace(start, end, min(int(step), _MAX_STEPS) + 2))
        x, y = np.concatenate(parts).astype(int).T
        inside = (x >= 0) & (x < self._dots.shape[1]) & (y >= 0) & (y < self._dots.shape[0])
        self._dots[y[inside], x[inside]] = True

    def text(self) -> str:
        """Return the canvas as lines of text, separated by newlines, without trailing spaces."""
        height, width = self._dots.shape
        cells = self._dots.reshape(height // 4, 4, width // 2, 2)
        codes = _BLANK + np.einsum("ricj,ij->rc", cells, _BITS)
        return "\n".join("".join(map(chr, row)).replace(chr(_BLANK), " ").rstrip() for row in codes)


def draw_recent(points: np.ndarray, columns: int, rows: int) -> str:
    """Draw the last points of a pen as text, scaled to the height, with the newest at the right edge.

    Parameters
    ----------
    points : ndarray, float, shape [n, 3]
        dx, dy, pen-up.
    columns, rows : int
        Size of the text in characters.

    Returns
    -------
    str
        `rows` lines, separated by newlines, without trailing spaces.
    """
    canvas = Canvas(columns, rows)
    if len(points) > 1:
        path = np.cumsum(points[:, :2], axis=0)
        low, high = np.quantile(path[:, 1], (0.02, 0.98))  # not the extremes, as one stray point would shrink the rest
        scale = (4 * rows - 1) / max(high - low, 1e-6)
        # Offset by half a dot, since `draw` rounds down.
        top, left = low - 0.5 / scale, path[-1, 0] - (2 * columns - 0.5) / scale
        for stroke in np.split(path, np.flatnonzero(points[:-1, 2] > 0.5) + 1):
            canvas.draw(stroke, scale, top, left)
    return canvas.text()
