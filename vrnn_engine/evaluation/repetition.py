"""How much a sound repeats itself: the likeness of every half second to the most similar one of the rest."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import signal

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.sound import ENVELOPE_RATE, third_octaves

WINDOW = 50
"""Steps of 10 ms that are compared at once: half a second, two or three syllables."""

APART = 100
"""Steps of 10 ms by which the starts of two compared windows differ at least: a second."""

FLOOR = -60.0
"""dB re a band's mean power: what is softer counts as silence, all of it alike."""

FAINTEST = 1.0
"""dB rms: a pattern weaker than this is none, and is like nothing."""

AT_ONCE = 6000
"""Windows in one matrix product, to bound its memory (20 MB)."""


def repetition(samples: NDArray[np.floating], rate: int) -> float:
    """Return how like the rest of itself a sound is: 1 for a loop, 0.24 for a minute of white noise, 0.66 for one of
    read speech.

    What is compared are patterns of the spectrum's shape over half a second: the levels of the third octaves of
    `CENTRES` every 10 ms, in dB, less each moment's mean over the bands (its loudness, for all pauses are alike) and
    less each band's mean over the half second (the colour that all of a sound may have in common).  Every loud half
    second (over half the overall rms) is held against each one that starts a second or more before or after it; its
    likeness is the largest normalised correlation of the two.  The mean over the loud ones is returned.  The longer a
    sound, the more there is to be like, so compare takes of one length.  A steady hum has no pattern, and does not
    count as repeated: the depth of `describe` tells it.

    Parameters
    ----------
    samples : array
        [N], full scale +-1.
    rate : int
        Hz, at least 8 kHz.

    Raises
    ------
    DataError
        Shorter than two seconds, or of too low a rate.
    """
    if rate < 8000 or len(samples) < 2 * rate:
        raise DataError(f"{len(samples)} samples at {rate} Hz: repetition needs 2 s at 8 kHz or more")
    power = _band_power(np.asarray(samples, np.float64), rate)
    mean = np.maximum(power.mean(0), 1e-20)
    levels = np.maximum(10 * np.log10(np.maximum(power / mean, 1e-20)), FLOOR)
    # [windows, bands, WINDOW]: a view, made a matrix part by part.
    patterns = sliding_window_view((levels - levels.mean(1, keepdims=True)).astype(np.float32), WINDOW, axis=0)
    loudness = np.convolve(power.sum(1), np.full(WINDOW, 1 / WINDOW), "valid")
    asked = np.arange(0, len(patterns), WINDOW)
    asked = asked[loudness[asked] > 0.25 * power.sum(1).mean()]
    if not len(asked):
        return 0.0
    wanted = _unit(patterns[asked])
    best = np.full(len(asked), -1.0, np.float32)
    for first in range(0, len(patterns), AT_ONCE):
        some = np.arange(first, min(first + AT_ONCE, len(patterns)))
        likeness = wanted @ _unit(patterns[some]).T
        likeness[np.abs(asked[:, None] - some) < APART] = -1
        best = np.maximum(best, likeness.max(1))
    return float(best.mean())


def _band_power(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Power of the third octaves [T, bands], every 10 ms.  Windows of 50 ms, whose bins of 20 Hz fit the lowest."""
    length, hop = rate // 20, rate // ENVELOPE_RATE
    frequency, _, spectrum = signal.stft(sound, rate, nperseg=length, noverlap=length - hop)
    return third_octaves(frequency, np.abs(spectrum) ** 2).T


def _unit(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patterns as rows of length one; shorter where there is hardly a pattern."""
    rows = (patterns - patterns.mean(2, keepdims=True)).reshape(len(patterns), -1)
    least = FAINTEST * np.sqrt(np.float32(rows.shape[1]))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), least)
