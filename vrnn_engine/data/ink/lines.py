"""A line of ink with its text, as strokes and as points, and the table of lines that corpora read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.ink.strokes import Strokes

STEPS_PER_MM = 100
"""Positions in a table are whole numbers of this step, since training adds noise of one of them."""


@dataclass(frozen=True)
class Line:
    """One line of ink.

    Attributes
    ----------
    id : str
        Its name.
    points : float32 array [T, 3]
        dx, dy in millimetres, and 1 where the pen is lifted after the point; y grows downwards.
    writer : str
        Who wrote it.
    text : str
        The text that it contains; empty if that is not known.
    rate : float or None
        Points per second, if they are known.
    """

    id: str
    points: NDArray[np.float32]
    writer: str
    text: str = ""
    rate: float | None = None


@dataclass(frozen=True)
class Drawing:
    """Ink of one line as strokes.

    Attributes
    ----------
    id, writer, text : str
        As those of `Line`.
    ink : Strokes
        The ink.
    """

    id: str
    ink: Strokes
    writer: str
    text: str = ""


def lines_table(lines: Sequence[Line]) -> dict[str, NDArray[Any]]:
    """Return lines as the arrays that `vrnn_engine.data.pen_files.load_npz` describes.

    Parameters
    ----------
    lines : sequence of Line
        At least one line.

    Returns
    -------
    dict
        The arrays by name; `texts` only if a line has a text, `points_per_second` only if all lines have a rate.
    """
    steps = [_whole_steps(line.points) for line in lines]
    table: dict[str, NDArray[Any]] = {
        "dxy": np.concatenate(steps),
        "eos": np.concatenate([line.points[:, 2] for line in lines]).astype(np.uint8),
        "offsets": np.array([0, *accumulate(map(len, steps))]),
        "ids": np.array([line.id for line in lines]),
        "contributor": np.array([line.writer for line in lines]),
        "points_per_inch": np.full(len(lines), 25.4 * STEPS_PER_MM, np.float32),
    }
    rates = [line.rate for line in lines if line.rate is not None]
    if len(rates) == len(lines):
        table["points_per_second"] = np.array(rates, np.float32)
    if any(line.text for line in lines):
        table["texts"] = np.array([line.text for line in lines])
    return table


def _whole_steps(points: NDArray[np.float32]) -> NDArray[np.int32]:
    positions = np.rint(np.cumsum(points[:, :2], axis=0, dtype=np.float64) * STEPS_PER_MM)
    return np.diff(positions, axis=0, prepend=positions[:1]).astype(np.int32)
