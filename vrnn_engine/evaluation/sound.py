"""Statistics of sound that tell speech from hiss: level, long-term spectrum, modulation of the energy."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from vrnn_engine.errors import DataError

CENTRES = tuple(float(f) for f in 1000 * 2.0 ** (np.arange(-10, 7) / 3))
"""Third-octave bands from 100 Hz to 4 kHz (IEC 61260, base two), in Hz."""

ENVELOPE_RATE = 100
"""Energy values a second."""

SYLLABLES = (2.0, 8.0)
"""Hz, where the modulation spectrum of speech peaks (Houtgast & Steeneken 1985)."""

MODULATIONS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Centres of the octaves of the modulation spectrum, Hz."""

VOICED = 0.6
"""Normalised autocorrelation above which a stretch has a pitch."""

SHORTEST = 4.0
"""Seconds below which modulation of 2 Hz cannot be told well."""


@dataclass(frozen=True)
class SoundStatistics:
    """What of a sound can be held against another one."""

    level: float
    """RMS, dB re full scale."""
    bands: tuple[float, ...]
    """Power in each third octave of `CENTRES`, dB re full scale."""
    high: float
    """Share of the power above 4 kHz, dB."""
    depth: float
    """Sd of the short-term level over time, dB: 2 to 3 for steady noise, over 10 for speech with its pauses."""
    syllabic: float
    """Modulation index of the envelope at syllable rate: its rms between 2 and 8 Hz over its mean."""
    voiced: float
    """Share of the loud 40 ms stretches (over half the overall rms) that have a pitch of 80 to 400 Hz: whose
    normalised autocorrelation peaks above 0.6 at such a lag."""
    clipped: float
    """Share of samples at full scale."""

    def to_dict(self) -> dict[str, float | tuple[float, ...]]:
        """Return the values by name."""
        return asdict(self)

    def band_differences(self, other: "SoundStatistics") -> NDArray[np.float64]:
        """Third octaves of this sound minus those of another, in dB."""
        return np.subtract(self.bands, other.bands)


def describe(samples: NDArray[np.floating], rate: int) -> SoundStatistics:
    """Measure a sound.

    Parameters
    ----------
    samples : array
        [N], full scale +-1.
    rate : int
        Hz, at least 8 kHz.

    Raises
    ------
    DataError
        Shorter than four seconds, or of too low a rate.
    """
    if rate < 8000 or len(samples) < SHORTEST * rate:
        raise DataError(f"{len(samples)} samples at {rate} Hz: statistics need {SHORTEST:g} s at 8 kHz or more")
    sound = np.asarray(samples, np.float64)
    frequency, density = signal.welch(sound, rate, nperseg=rate)  # bins of 1 Hz
    bands = third_octaves(frequency, density) * frequency[1]
    high = density[frequency >= 4000].sum() / np.maximum(density.sum(), 1e-20)
    envelope = _envelope(sound, rate)
    level = _decibel(envelope**2 + 1e-9)
    return SoundStatistics(
        level=float(_decibel(np.mean(sound**2))),
        bands=tuple(float(_decibel(power)) for power in bands),
        high=float(_decibel(high)),
        depth=float(level.std()),
        syllabic=_modulation_index(envelope, *SYLLABLES),
        voiced=voiced_share(sound, rate),
        clipped=float(np.mean(np.abs(sound) >= 1)),
    )


def third_octaves(frequency: NDArray[np.float64], power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum a spectrum [F, ...] over the third octaves of `CENTRES`; `frequency` [F] is in Hz."""
    edges = [(centre * 2 ** (-1 / 6), centre * 2 ** (1 / 6)) for centre in CENTRES]
    return np.stack([power[(frequency >= low) & (frequency < high)].sum(0) for low, high in edges])


def modulation_spectrum(samples: NDArray[np.floating], rate: int) -> tuple[float, ...]:
    """Return the modulation index of a sound's envelope, its rms over its mean, in each octave of `MODULATIONS`.

    `samples` are [N], four seconds or more as for `describe`; `rate` is in Hz.
    """
    envelope = _envelope(np.asarray(samples, np.float64), rate)
    return tuple(_modulation_index(envelope, f / np.sqrt(2), f * np.sqrt(2)) for f in MODULATIONS)


def voiced_share(sound: NDArray[np.float64], rate: int) -> float:
    """Return the share of a sound's loud stretches that have a pitch; see `SoundStatistics.voiced`.

    Each stretch is held against what follows it by a lag, both at their own energy (the normalised
    cross-correlation of Talkin 1995), so that neither a window nor a rising level hides a period.
    """
    length, lags = round(0.04 * rate), np.arange(round(rate / 400), round(rate / 80) + 1)
    starts = np.arange(0, len(sound) - length - lags[-1], length)
    stretches = sound[starts[:, None] + np.arange(length)]
    loud = starts[np.sqrt(np.mean(stretches**2, axis=1)) > 0.5 * np.sqrt(np.mean(sound**2))]
    if not len(loud):
        return 0.0
    here = sound[loud[:, None] + np.arange(length)]
    best = np.full(len(loud), -1.0)
    for lag in lags:
        later = sound[loud[:, None] + lag + np.arange(length)]
        likeness = (here * later).sum(1) / np.sqrt((here**2).sum(1) * (later**2).sum(1) + 1e-20)
        best = np.maximum(best, likeness)
    return float(np.mean(best > VOICED))


def _envelope(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Short-term rms, `ENVELOPE_RATE` times a second."""
    hop = rate // ENVELOPE_RATE
    return np.sqrt(np.square(sound[: len(sound) // hop * hop]).reshape(-1, hop).mean(1))


def _modulation_index(envelope: NDArray[np.float64], low: float, high: float) -> float:
    """Rms of an envelope between two rates in Hz, over its mean."""
    rates, modulation = signal.welch(envelope, ENVELOPE_RATE, nperseg=min(len(envelope), 512))
    power = modulation[(rates >= low) & (rates <= high)].sum() * rates[1]
    return float(np.sqrt(power) / (envelope.mean() + 1e-9))


def _decibel(power: NDArray[np.float64] | np.floating | float) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-20)))
