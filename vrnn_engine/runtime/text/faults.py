"""Finds the faults of a word: characters that are skipped, written twice or not left, and a pen that stays up."""

import numpy as np

from vrnn_engine.runtime.text.part_run import PartRun

LEAST = 1.0
"""A character is skipped if the sum of the attention to it, over all points, is less."""
MOST = 45.0
"""The attention stalls if its sum over all points of one character is more."""
BACK = 2.5
"""A character is written again if the mean of the attention goes back from its furthest place by more characters ..."""
BACK_POINTS = 8
"""... for at least this number of successive points."""
UP_POINTS = 8
"""The pen writes nothing if it is up at more successive points; between two strokes it is up at one to four."""


def count_faults(run: PartRun) -> int:
    """Return the number of faults of a word, given the frames and the attention of its points.

    A word that was cut because it has too many points has one fault more.
    """
    if not len(run.attention):
        return 1
    part = run.part
    weights = np.array(run.attention, np.float64)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    places = np.asarray(run.offsets)[:, np.newaxis] + np.arange(weights.shape[1])
    length = part.stop - part.start
    inside = (places >= part.start) & (places < part.stop)
    sums = np.bincount(places[inside] - part.start, weights[inside], minlength=length)
    skipped = int((sums < LEAST).sum())
    stalled = int((sums > MOST).sum())
    mean = (weights * places).sum(axis=1)
    back = np.maximum.accumulate(mean) - mean > BACK
    lifted = _longest_run(run.frames[:, 2] > 0.5) > UP_POINTS
    return skipped + stalled + _longest_run(back) // BACK_POINTS + lifted + (not run.is_complete)


def _longest_run(values: np.ndarray) -> int:
    """Return the largest number of successive true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], values.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
