"""Computes the level and the spectrum of the last frames of sound, for displays."""

import itertools
from collections.abc import Iterable

import numpy as np

SILENCE = -120.0
"""The lowest level that is reported, in dBFS (dB relative to full scale)."""


def level(frames: Iterable[np.ndarray]) -> float:
    """Return the root mean square of some frames in dB.

    Parameters
    ----------
    frames : iterable of arrays [n] or [n, channels]
        Samples, full scale +-1.

    Returns
    -------
    float
        Level in dBFS, at least `SILENCE`; `SILENCE` if there are no samples.
    """
    samples = np.concatenate([np.zeros(1), *(frame.reshape(-1) for frame in frames)])[1:]
    power = float(np.mean(np.square(samples))) if samples.size else 0.0
    return max(SILENCE, 10 * float(np.log10(power + 1e-30)))


def spectrum(frames: Iterable[np.ndarray], rate: int, bands: int, lowest: float = 60.0) -> np.ndarray:
    """Return the level in each of several frequency bands, under a Hann window.

    Parameters
    ----------
    frames : iterable of arrays [n] or [n, channels]
        Samples, full scale +-1.
    rate : int
        Samples per second.
    bands : int
        Number of bands.  They have equal widths on a logarithmic frequency scale that ends at half the rate.
    lowest : float
        Lower edge of the first band in Hz.

    Returns
    -------
    float64 array [bands]
        Levels in dBFS, at least `SILENCE`: a full-scale sine gives -3 in its band.  A band that is narrower than the
        frequency resolution gets the level of the next frequency bin above its lower edge.
    """
    mono = (frame if frame.ndim == 1 else frame.mean(axis=1) for frame in frames)
    samples = np.concatenate([np.zeros(1), *mono])[1:]
    if samples.size < 2:
        return np.full(bands, SILENCE)
    window = np.hanning(samples.size)
    power = 2 * np.abs(np.fft.rfft(samples * window)) ** 2 / (samples.size * np.sum(window**2))
    edges = np.geomspace(lowest, rate / 2, bands + 1) * samples.size / rate
    found = np.zeros(bands)
    for band, (low, high) in enumerate(itertools.pairwise(edges)):
        first = min(int(np.ceil(low)), power.size - 1)
        found[band] = power[first : max(first + 1, int(np.ceil(high)))].sum()
    return np.maximum(SILENCE, 10 * np.log10(found + 1e-30))
