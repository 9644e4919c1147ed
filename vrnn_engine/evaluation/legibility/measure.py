"""Measures lines of ink with a recogniser; a page is cut into its rows."""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from vrnn_engine.data.batches import Floats
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.evaluation.legibility.errors import LineErrors, line_errors
from vrnn_engine.evaluation.legibility.recogniser import Recogniser, read_ink

RETURN = 0.6
"""A move in the air to the left, and down by this share of the distance of two baselines, begins a new row."""


def measure(model: Recogniser, lines: Sequence[TextLine], line_height: float | None = None) -> list[LineErrors]:
    """Return the errors of lines or pages.

    Parameters
    ----------
    model : Recogniser
        In evaluation mode.
    lines : sequence of TextLine
        Ink and texts.  Line ends and successive spaces are one space to the recogniser.
    line_height : float, optional
        Distance of two baselines, in the unit of the ink, by which pages are cut into rows.  None: each is one row.
    """
    pages = [rows_of(line.ink, line_height) if line_height else [line.ink] for line in lines]
    read = iter(read_ink(model, [row for page in pages for row in page]))
    found = [reduce(add, [next(read) for _ in page]) for page in pages]
    texts = [" ".join(line.text.split()) for line in lines]
    return [line_errors(text, one, line.writer) for text, one, line in zip(texts, found, lines, strict=True)]


def rows_of(ink: Floats, line_height: float) -> list[Floats]:
    """Cut a page into its rows.

    Parameters
    ----------
    ink : array [n, 3]
        dx, dy, pen-up; y grows downwards.
    line_height : float
        Distance of two baselines, in the unit of the ink.

    Returns
    -------
    list of arrays
        At least one row, and none without a point.
    """
    lifted = np.append(True, ink[:-1, 2] > 0.5)
    starts = np.flatnonzero(lifted & (ink[:, 0] < 0) & (ink[:, 1] > RETURN * line_height))
    return np.split(ink, starts[starts > 0])


def without_rests(ink: Floats) -> Floats:
    """Return a line without the points at which a lifted pen rests; else they would be dots.

    Parameters
    ----------
    ink : array [n, 3]
        dx, dy, pen-up.
    """
    lifted = ink[:, 2] > 0.5
    resting = lifted & np.append(False, lifted[:-1]) & ~ink[:, :2].any(axis=1)
    return ink[~resting]
