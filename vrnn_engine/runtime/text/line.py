"""Where the pen is on the line that it writes, and the moves to the beginning of the next line."""

from dataclasses import dataclass

import numpy as np

SPACE = 0.4
"""Width of a space, in line heights, between ink that the model did not generate as one sequence."""


@dataclass(frozen=True, slots=True)
class Line:
    """The line that is written. All lengths are in the unit of the voice, from the line's beginning; y grows downwards.

    Attributes
    ----------
    x, y : float
        Position of the pen.
    points : int
        Number of points of the line.
    total : float
        Sum of the y of these points.
    right : float
        Largest x of these points, at least 0.
    """

    x: float = 0.0
    y: float = 0.0
    points: int = 0
    total: float = 0.0
    right: float = 0.0

    @property
    def mean(self) -> float:
        """Mean y of the line's points; 0 before the first one."""
        return self.total / self.points if self.points else 0.0

    def drawn(self, frames: np.ndarray) -> "Line":
        """Return the line after more points.

        Parameters
        ----------
        frames : float32 array [n, 3]
            dx, dy, pen-up.
        """
        if not len(frames):
            return self
        path = np.cumsum(frames[:, :2], axis=0, dtype=np.float64) + (self.x, self.y)
        return Line(
            x=float(path[-1, 0]),
            y=float(path[-1, 1]),
            points=self.points + len(path),
            total=self.total + float(path[:, 1].sum()),
            right=max(self.right, float(path[:, 0].max())),
        )

    def added(self, ink: np.ndarray) -> np.ndarray:
        """Return strokes that are added to the line, such as the dot of an i; none if they go beyond its right edge.

        Parameters
        ----------
        ink : float32 array [n, 3]
            Strokes that the pen writes at the end of the line.
        """
        return ink if self.drawn(ink).right <= self.right else ink[:0]

    def move(self, ink: np.ndarray, spaces: int, height: float) -> tuple[float, float]:
        """Return the move (dx, dy) of the pen before ink that begins anew.

        On an empty line, the pen moves to the line's beginning. Otherwise it moves such that the ink begins a space
        behind the ink before it, and has the same mean y.

        Parameters
        ----------
        ink : float32 array [n, 3]
            One point or more, each with its move from the point before it.
        spaces : int
            Number of spaces before the ink.
        height : float
            Height of a line.
        """
        space = SPACE * height
        if not self.points:
            return spaces * space - self.x, -self.y
        alone = Line().drawn(ink)
        left = float(np.cumsum(ink[:, 0], dtype=np.float64).min())
        return self.right + max(spaces, 1) * space - left - self.x, self.mean - alone.mean - self.y

    def next(self, height: float, count: int = 1) -> "Line":
        """Return the empty line below, whose beginning is `height` below the mean y of this line.

        Parameters
        ----------
        height : float
        count : int
            Number of lines to go down, at least 1.
        """
        y = self.y - self.mean
        for _ in range(count):  # rounded for each line
            y -= height
        return Line(x=self.x, y=y)
