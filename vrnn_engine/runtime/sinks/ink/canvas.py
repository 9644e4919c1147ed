"""A picture in characters: braille, each 2 dots wide and 4 high."""

import numpy as np

from vrnn_engine.runtime.sinks.ink.page import Stroke

_BLANK = 0x2800
# Unicode numbers the dots of a braille character down the left column, then down the right, then the lowest row.
_WEIGHTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


class Canvas:
    """Dots, `columns` x 2 of them across and `rows` x 4 down."""

    def __init__(self, columns: int, rows: int) -> None:
        self._dots = np.zeros((4 * rows, 2 * columns), bool)

    def draw(self, stroke: Stroke, scale: float, top: float) -> None:
        """Draw a stroke in mm, `scale` dots to a mm; `top` is what part of the page the canvas begins with."""
        points = (np.array(stroke) - [0, top]) * scale
        steps = np.abs(np.diff(points, axis=0)).max(axis=1, initial=0)
        lengths = [points[:1]]
        for start, end, step in zip(points[:-1], points[1:], steps, strict=True):
            lengths.append(np.linspace(start, end, int(step) + 2)[1:])
        x, y = np.concatenate(lengths).astype(int).T
        seen = (x >= 0) & (x < self._dots.shape[1]) & (y >= 0) & (y < self._dots.shape[0])
        self._dots[y[seen], x[seen]] = True

    def text(self) -> str:
        """Return the rows, each ended by a newline but the last."""
        height, width = self._dots.shape
        cells = self._dots.reshape(height // 4, 4, width // 2, 2)
        codes = _BLANK + np.einsum("ricj,ij->rc", cells, _WEIGHTS)
        return "\n".join("".join(map(chr, row)).replace(chr(_BLANK), " ").rstrip() for row in codes)
