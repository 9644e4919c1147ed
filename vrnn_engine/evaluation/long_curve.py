"""Reduces a long curve to the points that a picture needs, while its values arrive block by block."""

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 1 << 19
"""Number of points above which a curve is reduced: half a minute of sound at 16 kHz is kept as it is."""


class LongCurve:
    """The lowest and the highest value of each short piece of a curve.

    Pieces become longer while the curve grows, so that at most `MOST_POINTS` points are kept.

    Attributes
    ----------
    length : int
        Number of values that were added.

    Examples
    --------
    >>> curve = LongCurve()
    >>> for block in blocks:
    ...     curve.add(block)
    >>> positions, values = curve.points()
    """

    def __init__(self) -> None:
        self.length = 0
        self._piece = 2  # values that are reduced to two points
        self._positions = [np.zeros(0, np.intp)]
        self._values = [np.zeros(0, np.float32)]
        self._count = 0

    def add(self, values: NDArray[np.floating]) -> None:
        """Append values to the curve.

        Parameters
        ----------
        values : array [N]
            Without NaN.
        """
        chosen = envelope(values, -(-len(values) // self._piece))
        self._positions.append(self.length + chosen)
        self._values.append(values[chosen].astype(np.float32))
        self.length += len(values)
        self._count += len(chosen)
        if self._count > MOST_POINTS:
            self._piece *= 2
            positions, kept = self.points()
            chosen = envelope(kept, self._count // 4)
            self._positions, self._values = [positions[chosen]], [kept[chosen]]
            self._count = len(chosen)

    def points(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the positions of the points, in increasing order, and their values."""
        return np.concatenate(self._positions), np.concatenate(self._values)


def envelope(values: NDArray[np.floating], columns: int) -> NDArray[np.intp]:
    """Choose the points of a long curve that are enough to draw it: the lowest and the highest of each column.

    Parameters
    ----------
    values : array [N]
        Values of the curve, without NaN.
    columns : int
        Number of pieces of equal length (the last may be shorter).

    Returns
    -------
    array [at most 2 * columns]
        Indices in increasing order; all indices if N is at most 2 * columns.
    """
    if len(values) <= 2 * columns:
        return np.arange(len(values))
    length = -(-len(values) // columns)
    starts = np.arange(0, len(values), length)
    pieces = np.pad(values, (0, -len(values) % length), mode="edge").reshape(-1, length)
    chosen = np.concatenate([starts + pieces.argmin(axis=1), starts + pieces.argmax(axis=1)])
    return np.unique(np.minimum(chosen, len(values) - 1))
