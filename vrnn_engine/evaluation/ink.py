"""Statistics of ink: length and curvature of strokes, slant, size, and how constant the style of a writer is.

A line of ink is an array [n, 3]: dx and dy (y grows downwards), and 1 where the pen is lifted after the point.  Lengths
are in millimetres if dx and dy are, else in their unit.
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

PIECE_SECONDS = 3.0
"""Length of a piece of a line whose style is measured: a word or two."""
PIECE = 150
"""Number of points in a piece at 50 per second."""


@dataclass(frozen=True)
class Spread:
    """Median and interquartile range of some values; NaN if there are none."""

    median: float
    iqr: float
    """Upper minus lower quartile."""


@dataclass(frozen=True)
class InkStatistics:
    """Statistics of ink that can be compared between samples."""

    length: Spread
    """Length of the path of a stroke, mm."""
    curvature: Spread
    """Sum of the absolute turning angles of a stroke over its length, rad/mm; 1 / r for an arc of radius r."""
    slant: Spread
    """Slant of the long downstrokes of pieces, degrees: 0 is upright, positive leans to the right."""
    size: Spread
    """Sd of the ink of a piece about its baseline, mm."""
    lifted: float
    """Share of the points after which the pen is lifted: the number of strokes per point."""

    def to_dict(self) -> dict[str, dict[str, float] | float]:
        """Return the values by name."""
        return asdict(self)


@dataclass(frozen=True)
class Constancy:
    """Variation of three measures of style within samples, relative to that over all pieces; see `constancy`.

    0: the measure is constant within each sample.  1: it varies within a sample as much as between samples.  NaN: it
    does not vary at all, or fewer than two samples have two pieces with a value.
    """

    slant: float
    size: float
    curvature: float

    def to_dict(self) -> dict[str, float]:
        """Return the values by name."""
        return asdict(self)


def describe_ink(lines: Sequence[Ink], piece: int = PIECE) -> InkStatistics:
    """Compute the statistics of one sample.

    Slant and size are measured in pieces of equal length, so that the one long line of a generated stream, whose
    baseline wanders, can be compared with the short lines of a writer.

    Parameters
    ----------
    lines : sequence of arrays [n, 3]
        The lines of a writer, or the one long line of a generated stream.
    piece : int
        Number of points in a piece.
    """
    parts = [stroke for line in lines for stroke in strokes(line)]
    return InkStatistics(
        length=_spread([_length(moves) for moves in parts]),
        curvature=_spread(_curvatures(parts)),
        slant=_spread([angle for part in pieces(lines, piece) for angle in slants(part)]),
        size=_spread([ink_height(part) for part in pieces(lines, piece)]),
        lifted=float(np.mean(np.concatenate([line[:, 2] for line in lines]) > 0.5)),
    )


def style_values(lines: Sequence[Ink], piece: int = PIECE) -> Values:
    """Return the median slant, the median size and the median curvature of lines; see `InkStatistics`.

    Parameters
    ----------
    lines : sequence of arrays [n, 3]
        dx, dy, pen-up.
    piece : int
        Number of points in a piece.

    Returns
    -------
    array [3]
        NaN for a value that the ink does not have.
    """
    found = describe_ink(lines, piece)
    return np.array([found.slant.median, found.size.median, found.curvature.median])


def constancy(samples: Sequence[Sequence[Ink]], piece: int = PIECE) -> Constancy:
    """Measure how constant the style is within samples that may differ from each other.

    The lines of every sample are cut into pieces of equal length; the median slant, the size and the median curvature
    of each piece are measured.  Let x_ij be one of these measures in piece j of sample i, of n samples with N pieces in
    all.  The result is

        sqrt(sum_ij (x_ij - mean of sample i)^2 / (N - n)) / sqrt(sum_ij (x_ij - mean of all)^2 / (N - 1))

    which for large n and N approaches sqrt(1 - intraclass correlation).

    Parameters
    ----------
    samples : sequence of sequences of arrays [n, 3]
        The lines of each writer, or the one long line of each generated stream.
    piece : int
        Number of points in a piece.  An incomplete last piece of a line is ignored.

    Raises
    ------
    DataError
        There are fewer than two samples with two pieces each.
    """
    cut = [list(pieces(lines, piece)) for lines in samples]
    cut = [parts for parts in cut if len(parts) >= 2]
    if len(cut) < 2:
        raise DataError(f"too little ink: constancy of style needs two samples with two pieces of {piece} points")
    found = [np.array([_style(part) for part in parts]) for parts in cut]
    slant, size, curvature = (_within_over_all([values[:, k] for values in found]) for k in range(3))
    return Constancy(slant=slant, size=size, curvature=curvature)


def strokes(line: Ink) -> Iterator[Values]:
    """Yield the moves [n, 2] of each stroke of a line, without moves in the air.

    A dot has no moves and is left out.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, pen-up.
    """
    ends = np.flatnonzero(line[:, 2] > 0.5) + 1
    for first, last in pairwise(np.unique(np.concatenate([[0], ends, [len(line)]]))):
        moves = np.asarray(line[first + 1 : last, :2], np.float64)
        moves = moves[np.any(moves != 0, axis=1)]
        if len(moves):
            yield moves


def slants(part: Ink) -> list[float]:
    """Return the slant of each long downstroke of a piece, in degrees.

    A downstroke is a run of points of a stroke, each lower than the point before; its slant is the slant of the
    straight line from its first point to its last.  A downstroke is long if its height is at least the `ink_height` of
    the piece, which is about a third of a tall letter.

    Parameters
    ----------
    part : array [n, 3]
        A piece of a line.
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
    """Cut lines into pieces of equal length; an incomplete last piece of a line is left out.

    Parameters
    ----------
    lines : sequence of arrays [n, 3]
        dx, dy, pen-up.
    piece : int
        Number of points in a piece.
    """
    for line in lines:
        for first in range(0, len(line) - piece + 1, piece):
            yield line[first : first + piece]


def _length(moves: Values) -> float:
    return float(np.hypot(*moves.T).sum())


def _curvatures(parts: Sequence[Values]) -> list[float]:
    """Return the curvature of each stroke of two moves or more; a single move cannot turn."""
    return [float(np.abs(_turns(moves)).sum() / _length(moves)) for moves in parts if len(moves) > 1]


def _turns(moves: Values) -> Values:
    """Return the signed angles between neighbouring moves, in radians."""
    before, after = moves[:-1].T, moves[1:].T
    return np.arctan2(before[0] * after[1] - before[1] * after[0], (before * after).sum(0))


def _style(part: Ink) -> tuple[float, float, float]:
    """Return the median slant, the size and the median curvature of a piece."""
    return _spread(slants(part)).median, ink_height(part), _spread(_curvatures(list(strokes(part)))).median


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(np.nan, np.nan)
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(high - low))


def _within_over_all(samples: Sequence[Values]) -> float:
    """Return the sd within samples divided by the sd of all pieces; a piece without a value (NaN) is left out."""
    known = [values[~np.isnan(values)] for values in samples]
    known = [values for values in known if len(values) >= 2]
    together = np.concatenate(known) if known else np.zeros(0)
    if len(known) < 2 or not np.ptp(together) > 0:
        return np.nan
    within = sum(float(np.square(values - values.mean()).sum()) for values in known)
    return float(np.sqrt(within / (len(together) - len(known))) / together.std(ddof=1))
