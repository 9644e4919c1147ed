"""Measures how much a sound repeats itself: the similarity of each half second to the most similar other one."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import signal

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.sound import ENVELOPE_RATE, third_octaves

WINDOW = 50
"""Length of a compared window in steps of 10 ms: half a second, two or three syllables."""

APART = 100
"""Smallest distance between the starts of two compared windows in steps of 10 ms: one second."""

FLOOR = -60.0
"""Lower limit of a level in dB re the band's mean power; lower levels are raised to it."""

FAINTEST = 1.0
"""Rms of a pattern, in dB, below which its similarity to others is scaled down towards 0."""

AT_ONCE = 6000
"""Number of windows in one matrix product; limits its memory to 20 MB."""


def repetition(samples: NDArray[np.floating], rate: int) -> float:
    """Return the mean similarity of the half seconds of a sound to the rest of the sound.

    A pattern is the course of the spectrum over half a second: the levels, in dB, of the third octaves of `CENTRES`
    every 10 ms, minus two means.  The mean over the bands at each moment is the loudness, which is removed because all
    pauses are alike; the mean of each band over the half second is the timbre that a whole sound may have in common.
    Each loud half second (rms above half the overall rms) is compared with all half seconds that start at least one
    second earlier or later; its similarity is the largest normalised correlation.

    Parameters
    ----------
    samples : array [N]
        The sound, full scale +-1.
    rate : int
        Sampling rate, Hz; at least 8000.

    Returns
    -------
    float
        Mean similarity of the loud half seconds: 1 for a loop, 0.24 for a minute of white noise, 0.66 for a minute of
        read speech.  The value rises with the length of the sound, so compare only takes of equal length.

    Raises
    ------
    DataError
        The sound is shorter than two seconds, or its rate is below 8 kHz.

    Notes
    -----
    A steady hum has no pattern and does not count as repetition; `depth` of `vrnn_engine.evaluation.sound.describe`
    detects it.
    """
    if rate < 8000 or len(samples) < 2 * rate:
        raise DataError(f"{len(samples)} samples at {rate} Hz are too few: repetition needs 2 s at 8 kHz or more")
    power = _band_power(np.asarray(samples, np.float64), rate)
    mean = np.maximum(power.mean(0), 1e-20)
    levels = np.maximum(10 * np.log10(np.maximum(power / mean, 1e-20)), FLOOR)
    # [windows, bands, WINDOW]: a view; only parts of it are copied, for each matrix product.
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
    """Return the power of the third octaves every 10 ms, [T, bands]; bins of 20 Hz resolve the lowest band."""
    length, hop = rate // 20, rate // ENVELOPE_RATE
    frequency, _, spectrum = signal.stft(sound, rate, nperseg=length, noverlap=length - hop)
    return third_octaves(frequency, np.abs(spectrum) ** 2).T


def _unit(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the patterns as rows of norm 1, or less if a pattern is faint."""
    rows = (patterns - patterns.mean(2, keepdims=True)).reshape(len(patterns), -1)
    least = FAINTEST * np.sqrt(np.float32(rows.shape[1]))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), least)
