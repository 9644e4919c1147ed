"""Finds the faults of a word from the attention alone: characters that are skipped, written twice, or not left."""

from collections.abc import Sequence

import numpy as np

from vrnn_engine.runtime.text.part import Part

LEAST = 1.0
"""A character is skipped if the sum of the attention to it, over all points, is less."""
MOST = 45.0
"""The attention stalls if its sum over all points of one character is more."""
BACK = 2.5
"""A character is written again if the mean of the attention goes back from its furthest place by more characters ..."""
BACK_POINTS = 8
"""... for at least this number of successive points."""


def count_faults(
    part: Part,
    attention: Sequence[np.ndarray] | np.ndarray,
    offsets: Sequence[int] | np.ndarray,
    is_complete: bool = True,
) -> int:
    """Return the number of faults of a word.

    Parameters
    ----------
    part : Part
        The word.
    attention : sequence of float32 arrays [W]
        Weight of each character in the window, at each point.
    offsets : sequence of int
        Place in the text of the window's first character, at each point.
    is_complete : bool
        Whether the word has ended by itself. Otherwise it has too many points, which is a fault as well.
    """
    if not len(attention):
        return 1
    weights = np.array(attention, np.float64)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    places = np.asarray(offsets)[:, np.newaxis] + np.arange(weights.shape[1])
    length = part.stop - part.start
    inside = (places >= part.start) & (places < part.stop)
    sums = np.bincount(places[inside] - part.start, weights[inside], minlength=length)
    skipped = int((sums < LEAST).sum())
    stalled = int((sums > MOST).sum())
    mean = (weights * places).sum(axis=1)
    back = np.maximum.accumulate(mean) - mean > BACK
    return skipped + stalled + _longest_run(back) // BACK_POINTS + (not is_complete)


def _longest_run(values: np.ndarray) -> int:
    """Return the largest number of successive true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], values.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
