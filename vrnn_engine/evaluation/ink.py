"""Statistics of ink: length and curvature of strokes, slant, size, and how constant a writer's style stays.

Ink is lines of points [n, 3]: dx and dy in millimetres (or another unit, and the results are in that one), y growing
downwards, and whether the pen is lifted after the point.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.strokes import ink_height
from vrnn_engine.errors import DataError

Ink = NDArray[np.floating]
Values = NDArray[np.float64]

PIECE = 150
"""Points of a piece of a line, whose style is measured: three seconds at 50 points a second, a word or two."""


@dataclass(frozen=True)
class Spread:
    """Where the middle half of some values lies.  NaN where there are none."""

    median: float
    iqr: float
    """Difference of the quartiles."""


@dataclass(frozen=True)
class InkStatistics:
    """What of some ink can be held against other ink."""

    length: Spread
    """Of the path of a stroke, mm."""
    curvature: Spread
    """Of a stroke: sum of its absolute turning angles over its length, rad/mm; 1 / r for an arc of radius r."""
    slant: Spread
    """Of the long downstrokes of pieces, degrees: 0 upright, positive where the top leans to the right."""
    size: Spread
    """Of pieces: sd of the ink about its baseline, mm."""
    lifted: float
    """Share of the points after which the pen is lifted: strokes per point."""

    def to_dict(self) -> dict[str, dict[str, float] | float]:
        """Return the values by name."""
        return asdict(self)


@dataclass(frozen=True)
class Constancy:
    """Of three measures of style: 0, as constant within a sample as can be; 1, a sample has no style of its own.

    Each is an sd within samples over the sd of all pieces, see `constancy`.  NaN where nothing varies.
    """

    slant: float
    size: float
    curvature: float

    def to_dict(self) -> dict[str, float]:
        """Return the values by name."""
        return asdict(self)


def describe_ink(lines: Sequence[Ink], piece: int = PIECE) -> InkStatistics:
    """Measure the lines of one sample.

    `piece` is the number of points of a piece, for slant and size: by pieces the one long line of a generated stream,
    whose baseline wanders, is measured as are the short ones of a writer.
    """
    parts = [stroke for line in lines for stroke in strokes(line)]
    return InkStatistics(
        length=_spread([_length(moves) for moves in parts]),
        curvature=_spread(_curvatures(parts)),
        slant=_spread([angle for part in pieces(lines, piece) for angle in slants(part)]),
        size=_spread([ink_height(part) for part in pieces(lines, piece)]),
        lifted=float(np.mean(np.concatenate([line[:, 2] for line in lines]) > 0.5)),
    )


def constancy(samples: Sequence[Sequence[Ink]], piece: int = PIECE) -> Constancy:
    """Measure how constant the style stays within a sample, when samples may differ.

    Every sample's lines are cut into pieces of equal length, and each piece gets its median slant, its size and its
    median curvature.  For each of the three, with n samples of m_i pieces and N pieces in all,

        sqrt(sum_ij (x_ij - mean of sample i)^2 / (N - n)) / sqrt(sum_ij (x_ij - mean of all)^2 / (N - 1))

    which is sqrt(1 - the intraclass correlation) but for small numbers.

    Parameters
    ----------
    samples : sequence of sequences of arrays [n, 3]
        The lines of each writer, or the one long line of each generated stream.
    piece : int
        Points of a piece.  What is left of a line after its last whole piece is not looked at.

    Raises
    ------
    DataError
        Fewer than two samples that have two pieces.
    """
    cut = [list(pieces(lines, piece)) for lines in samples]
    cut = [parts for parts in cut if len(parts) >= 2]
    if len(cut) < 2:
        raise DataError(f"constancy of style needs two samples with two pieces of {piece} points")
    found = [np.array([_style(part) for part in parts]) for parts in cut]
    slant, size, curvature = (_within_over_all([values[:, k] for values in found]) for k in range(3))
    return Constancy(slant=slant, size=size, curvature=curvature)


def strokes(line: Ink) -> Iterator[Values]:
    """Give the moves [n, 2] of each stroke of a line, without those in the air.  A dot has none, and is left out."""
    ends = np.flatnonzero(line[:, 2] > 0.5) + 1
    for first, last in pairwise(np.unique(np.concatenate([[0], ends, [len(line)]]))):
        moves = np.asarray(line[first + 1 : last, :2], np.float64)
        moves = moves[np.any(moves != 0, axis=1)]
        if len(moves):
            yield moves


def slants(part: Ink) -> list[float]:
    """Return the slant of each long downstroke of a piece of a line, degrees.

    A downstroke is an unbroken run of points of a stroke that each lie lower than the one before; its slant is that of
    the straight line from its first point to its last.  It is long if it falls by at least the piece's `ink_height`,
    a third of a tall letter.
    """
    least, found = ink_height(part), []
    for moves in strokes(part):
        edges = np.flatnonzero(np.diff(moves[:, 1] > 0, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2):
            across, down = moves[first:last].sum(0)
            if down >= least:
                found.append(float(np.degrees(np.arctan2(-across, down))))
    return found


def pieces(lines: Sequence[Ink], piece: int) -> Iterator[Ink]:
    """Cut lines into pieces of so many points."""
    for line in lines:
        for first in range(0, len(line) - piece + 1, piece):
            yield line[first : first + piece]


def _length(moves: Values) -> float:
    return float(np.hypot(*moves.T).sum())


def _curvatures(parts: Sequence[Values]) -> list[float]:
    """Of each stroke that can turn: of two moves or more."""
    return [float(np.abs(_turns(moves)).sum() / _length(moves)) for moves in parts if len(moves) > 1]


def _turns(moves: Values) -> Values:
    before, after = moves[:-1].T, moves[1:].T
    return np.arctan2(before[0] * after[1] - before[1] * after[0], (before * after).sum(0))


def _style(part: Ink) -> tuple[float, float, float]:
    return _spread(slants(part)).median, ink_height(part), _spread(_curvatures(list(strokes(part)))).median


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(np.nan, np.nan)
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(high - low))


def _within_over_all(samples: Sequence[Values]) -> float:
    """Sd within samples over the sd of all; a piece that has no value (NaN) is left out."""
    known = [values[~np.isnan(values)] for values in samples]
    known = [values for values in known if len(values) >= 2]
    together = np.concatenate(known) if known else np.zeros(0)
    if len(known) < 2 or not np.ptp(together) > 0:
        return np.nan
    within = sum(float(np.square(values - values.mean()).sum()) for values in known)
    return float(np.sqrt(within / (len(together) - len(known))) / together.std(ddof=1))
