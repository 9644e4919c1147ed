"""Lines of ink without their style: as `vrnn_engine.models.style` has them, measured on the whole line."""

import math

import numpy as np
from scipy import signal

from vrnn_engine.data.batches import Floats
from vrnn_engine.models.style import BASELINE, KNOWN_AFTER, MOST, SMALLEST, Style


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
    moves = np.asarray(line[:, :2], np.float64)
    on_paper = np.append(False, line[:-1, 2] < 0.5)
    across, down = moves[on_paper & (moves[:, 1] > 0)].T
    power = float(down @ down)
    lean = -float(across @ down) / power - usual.slant if power > 0 else 0.0
    heights = signal.lfilter([1.0], [1.0, -math.exp(-1 / (BASELINE * rate))], moves[:, 1])
    size = max(float(np.sqrt(np.mean(heights**2))), SMALLEST * usual.size)
    known = len(line) / (len(line) + KNOWN_AFTER * rate)
    measured = known * np.array([lean / usual.slant_sd, math.log(size / usual.size) / usual.size_sd])
    slant, log_size = np.clip(measured, -MOST, MOST)
    return float(slant), float(log_size)


def plain(line: Floats, usual: Style, rate: float) -> Floats:
    """Return a line in the usual style."""
    slant, size = style_of(line, usual, rate)
    made = line.copy()
    made[:, 0] += usual.slant_sd * slant * line[:, 1]
    made[:, :2] *= math.exp(-usual.size_sd * size)
    return made
