"""The style of ink: measures the slant and size of a line, and transforms a line to the usual slant and size.

    line = A(s) plain    A(s) (dx, dy) = exp(size_sd s_2) (dx - slant_sd s_1 dy, dy)    s ~ N(0, I)

`plain` is the line in the usual style.  A model that is trained on plain ink knows only that style, so it cannot drift
to another one.  `vrnn_engine.exporters.ink_style` applies A(s) to the generated ink; each stream has its own s.
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
"""Length of a line, in seconds, at which its measured style is shrunk halfway to the usual style."""
BASELINE = 0.5
"""Time constant in seconds of the high-pass filter that removes the slowly moving baseline of the ink."""
MOST = 3.0
"""A measured slant or log size is clipped to this distance from the usual one, in sds."""
SMALLEST = 1e-3
"""Lower limit of a measured size, as a share of the usual size."""


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Distribution of the styles of a corpus: means and sds over its writers."""

    slant: Annotated[float, msgspec.Meta(ge=-2, le=2)]
    """Mean slant of downstrokes: distance across over distance down; positive where the top leans to the right."""
    slant_sd: Spread
    """Sd of the slant."""
    size: Annotated[float, msgspec.Meta(gt=0)]
    """Typical rms height of the ink about its baseline, in the unit of the ink."""
    size_sd: Spread
    """Sd of the logarithm of the size."""


def style_of(line: Floats, usual: Style, rate: float) -> tuple[float, float]:
    """Measure the style of a line.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, and 1 where the pen is lifted after the point; y grows downwards.
    usual : Style
        The distribution of styles.
    rate : float
        Points per second.

    Returns
    -------
    tuple of float
        s: slant and log size, in sds from the mean.  The slant is the least-squares fit of dx to dy over the downward
        moves on the paper; the size is the rms height above a baseline that follows the ink.  Both are shrunk towards
        0 in short lines.
    """
    slant, size = _measures(line, rate)
    lean = 0.0 if math.isnan(slant) else slant - usual.slant
    known = len(line) / (len(line) + KNOWN_AFTER * rate)
    taller = math.log(max(size / usual.size, SMALLEST))
    s = np.clip([known * lean / usual.slant_sd, known * taller / usual.size_sd], -MOST, MOST)
    return float(s[0]), float(s[1])


def usual_style(lines: Sequence[Floats], writers: Sequence[str], rate: float) -> Style:
    """Measure the distribution of styles over writers.

    Only writers with at least three lines of at least three seconds count.  The sds are those between writers: the
    variance within the lines of a writer is subtracted (one-way analysis of variance).

    Parameters
    ----------
    lines : sequence of arrays [n, 3]
        dx, dy, pen-up.
    writers : sequence of str
        Writer of each line.
    rate : float
        Points per second.

    Raises
    ------
    DataError
        There are fewer than two such writers, or they do not differ in slant or size.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for line, writer in zip(lines, writers, strict=True):
        if len(line) >= 3 * rate:
            slant, size = _measures(line, rate)
            if size > 0 and not math.isnan(slant):
                found.setdefault(writer, []).append((slant, math.log(size)))
    groups = [np.array(values) for values in found.values() if len(values) >= 3]
    if len(groups) < 2:
        raise DataError(
            "too little ink to measure styles: two writers with three lines of three seconds each are needed"
        )
    every, means = np.concatenate(groups), np.array([group.mean(0) for group in groups])
    within = sum(np.square(group - group.mean(0)).sum(0) for group in groups) / (len(every) - len(groups))
    between = every.var(0) - within
    if not (between > 0).all():
        same = " and ".join(name for name, more in zip(("slant", "size"), between > 0, strict=True) if not more)
        raise DataError(f"these writers do not differ in {same}: leave out [data.style]")
    (slant, size), (slant_sd, size_sd) = means.mean(0).tolist(), np.sqrt(between).tolist()
    return Style(slant=slant, slant_sd=slant_sd, size=math.exp(size), size_sd=size_sd)


def _measures(line: Floats, rate: float) -> tuple[float, float]:
    """Return the slant of a line (NaN if the pen never moves down on the paper) and its size."""
    from scipy import signal  # imported here, because only training needs it

    moves = np.asarray(line[:, :2], np.float64)
    on_paper = np.append(False, line[:-1, 2] < 0.5)
    across, down = moves[on_paper & (moves[:, 1] > 0)].T
    power = float(down @ down)
    heights = signal.lfilter([1.0], [1.0, -math.exp(-1 / (BASELINE * rate))], moves[:, 1])
    return -float(across @ down) / power if power > 0 else math.nan, float(np.sqrt(np.mean(heights**2)))


def plain(line: Floats, usual: Style, rate: float) -> Floats:
    """Transform a line to the usual style.

    Parameters
    ----------
    line : array [n, 3]
        dx, dy, pen-up.
    usual : Style
        The distribution of styles.
    rate : float
        Points per second.

    Returns
    -------
    array [n, 3]
        The line with the mean slant and size.
    """
    slant, size = style_of(line, usual, rate)
    made = line.copy()
    made[:, 0] += usual.slant_sd * slant * line[:, 1]
    made[:, :2] *= math.exp(-usual.size_sd * size)
    return made
