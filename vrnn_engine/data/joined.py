"""Lines of ink joined as if their writer had gone on without end, as a stream does."""

from collections.abc import Hashable, Sequence

import numpy as np

from vrnn_engine.data.batches import Floats

NEAR = 50
"""Points at an end of a line whose mean height is taken for the line's there: a few letters."""
SPACE = 0.9
"""Quantile of a writer's moves to the right with a lifted pen: those between words are the long ones."""


def join_lines(lines: Sequence[Floats], keys: Sequence[Hashable], longest: int) -> list[tuple[int, Floats]]:
    """Join lines [n, 3] that have one key, in their order, into sequences of up to so many points.

    A line that goes on from another one begins a word's space to the right of its ink and at its height.  One that is
    longer than a sequence may be stays as it is.

    Returns
    -------
    list of (int, array [n, 3])
        Each sequence after the index of its first line.
    """
    together: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        together.setdefault(key, []).append(index)
    joined: list[tuple[int, list[Floats]]] = []
    for indices in together.values():
        space = _space(np.concatenate([lines[index] for index in indices]))
        room = 0
        for index in indices:
            room -= len(lines[index])
            if room >= 0:
                parts = joined[-1][1]
                parts += _going_on(parts.pop(), lines[index], space)
            else:
                joined.append((index, [lines[index]]))
                room = longest - len(lines[index])
    return [(first, np.concatenate(parts)) for first, parts in joined]


def _space(ink: Floats) -> float:
    moves = ink[1:, 0][ink[:-1, 2] > 0.5]
    rightwards = moves[moves > 0]
    # Of who never lifts the pen on the way: half as wide as the ink is tall.
    return float(np.quantile(rightwards, SPACE) if len(rightwards) else np.ptp(np.cumsum(ink[:, 1])) / 2)


def _going_on(before: Floats, line: Floats, space: float) -> tuple[Floats, Floats]:
    """Return two lines of which the second one's first move comes from the end of the first."""
    before, line = before.copy(), line.copy()
    (x, y), (next_x, next_y) = (np.cumsum(part[:, :2], 0, dtype=np.float64).T for part in (before, line))
    before[-1, 2] = 1
    line[0, 0] = (x.max() - x[-1]) + space + (next_x[0] - next_x.min())
    line[0, 1] = (y[-NEAR:].mean() - y[-1]) + (next_y[0] - next_y[:NEAR].mean())
    return before, line
