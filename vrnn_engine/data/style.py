"""The style of ink, its slant and size; and lines without it, measured whole.

    seen = A(s) plain    A(s) (dx, dy) = exp(size_sd s_2) (dx - slant_sd s_1 dy, dy)    s ~ N(0, I)

A model that is trained on plain ink knows one style, so it cannot lose it; `vrnn_engine.models.style` gives a stream
its own.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np

from vrnn_engine.data.batches import Floats
from vrnn_engine.errors import DataError

Spread = Annotated[float, msgspec.Meta(gt=0, le=1)]

KNOWN_AFTER = 1.0
"""Seconds of ink after which its measures count as much as what is usual."""
BASELINE = 0.5
"""Seconds over which the height that ink is at is averaged: what is slower is its baseline."""
MOST = 3.0
"""Sds from the usual, either way, that a measured style may be."""
SMALLEST = 1e-3
"""Share of the usual size that ink is taken to have at least."""


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What styles a corpus has: means and sds over its writers."""

    slant: Annotated[float, msgspec.Meta(ge=-2, le=2)]
    """Across over down of downstrokes; positive where the top leans to the right."""
    slant_sd: Spread
    size: Annotated[float, msgspec.Meta(gt=0)]
    """Rms height of the ink about its baseline, in the unit of the ink."""
    size_sd: Spread
    """Of the size's logarithm."""


def style_of(line: Floats, usual: Style, rate: float) -> tuple[float, float]:
    """Measure the style of a line.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, and whether the pen is lifted after the point; y grows downwards.
    usual : Style
    rate : float
        Points a second.

    Returns
    -------
    tuple of float
        s, its slant and size in sds from the usual.  The slant is that of the straight line through the moves down on
        the paper, weighed by their squares; the size is the rms height above a baseline that follows the ink.
    """
    slant, size = _measures(line, rate)
    lean = 0.0 if math.isnan(slant) else slant - usual.slant
    known = len(line) / (len(line) + KNOWN_AFTER * rate)
    taller = math.log(max(size / usual.size, SMALLEST))
    s = np.clip([known * lean / usual.slant_sd, known * taller / usual.size_sd], -MOST, MOST)
    return float(s[0]), float(s[1])


def usual_style(lines: Sequence[Floats], writers: Sequence[str], rate: float) -> Style:
    """Measure what styles there are: of writers who have three lines of three seconds or more, their mean and sd.

    The sds are those between writers, without what a writer's lines differ by (one-way analysis of variance).

    Raises
    ------
    DataError
        There are no two such writers, or they do not differ.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for line, writer in zip(lines, writers, strict=True):
        if len(line) >= 3 * rate:
            slant, size = _measures(line, rate)
            if size > 0 and not math.isnan(slant):
                found.setdefault(writer, []).append((slant, math.log(size)))
    groups = [np.array(values) for values in found.values() if len(values) >= 3]
    if len(groups) < 2:
        raise DataError("a usual style needs two writers with three lines of three seconds each")
    every, means = np.concatenate(groups), np.array([group.mean(0) for group in groups])
    within = sum(np.square(group - group.mean(0)).sum(0) for group in groups) / (len(every) - len(groups))
    between = every.var(0) - within
    if not (between > 0).all():
        same = " and ".join(name for name, more in zip(("slant", "size"), between > 0, strict=True) if not more)
        raise DataError(f"these writers do not differ in {same}: leave out [data.style]")
    (slant, size), (slant_sd, size_sd) = means.mean(0).tolist(), np.sqrt(between).tolist()
    return Style(slant=slant, slant_sd=slant_sd, size=math.exp(size), size_sd=size_sd)


def _measures(line: Floats, rate: float) -> tuple[float, float]:
    """Return the slant of a line, NaN if it never goes down on the paper, and its size."""
    from scipy import signal  # here, since only to train needs it

    moves = np.asarray(line[:, :2], np.float64)
    on_paper = np.append(False, line[:-1, 2] < 0.5)
    across, down = moves[on_paper & (moves[:, 1] > 0)].T
    power = float(down @ down)
    heights = signal.lfilter([1.0], [1.0, -math.exp(-1 / (BASELINE * rate))], moves[:, 1])
    return -float(across @ down) / power if power > 0 else math.nan, float(np.sqrt(np.mean(heights**2)))


def plain(line: Floats, usual: Style, rate: float) -> Floats:
    """Return a line in the usual style."""
    slant, size = style_of(line, usual, rate)
    made = line.copy()
    made[:, 0] += usual.slant_sd * slant * line[:, 1]
    made[:, :2] *= math.exp(-usual.size_sd * size)
    return made
