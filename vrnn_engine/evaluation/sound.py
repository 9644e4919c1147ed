"""Statistics of sound that distinguish speech from noise: level, long-term spectrum, modulation, voicing."""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from vrnn_engine.errors import DataError

CENTRES = tuple(float(f) for f in 1000 * 2.0 ** (np.arange(-10, 7) / 3))
"""Centres of the third-octave bands from 100 Hz to 4 kHz (IEC 61260, base two), in Hz."""

WIDE_CENTRES = tuple(float(f) for f in 1000 * 2.0 ** (np.arange(-13, 14) / 3))
"""Centres of the third-octave bands from 50 Hz to 20 kHz, for sound of higher rates than `SPEECH_RATE`."""

SPEECH_RATE = 16000
"""Highest rate at which the bands are those of speech, `CENTRES`, and the rate at which a pitch is looked for."""

ENVELOPE_RATE = 100
"""Number of values of the envelope per second."""

SYLLABLES = (2.0, 8.0)
"""Range in Hz where the modulation spectrum of speech peaks (Houtgast & Steeneken 1985)."""

MODULATIONS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Centres of the octaves of the modulation spectrum, Hz."""

VOICED = 0.6
"""Normalised autocorrelation above which a stretch counts as having a pitch."""

SHORTEST = 4.0
"""Shortest sound in seconds; in a shorter one, a modulation of 2 Hz cannot be measured well."""


@dataclass(frozen=True)
class SoundStatistics:
    """Statistics of a sound that can be compared between sounds."""

    level: float
    """RMS, dB re full scale."""
    bands: tuple[float, ...]
    """Power in each third octave of `third_octave_centres`, dB re full scale."""
    high: float
    """Power above 4 kHz relative to the total power, dB."""
    depth: float
    """Sd of the short-term level over time, dB: 2 to 3 for steady noise, over 10 for speech with pauses."""
    syllabic: float
    """Modulation index of the envelope at syllable rate: its rms between 2 and 8 Hz, divided by its mean."""
    voiced: float
    """Share of the loud stretches that have a pitch.  A stretch lasts 40 ms; it is loud if its rms is above half the
    overall rms; it has a pitch if its normalised autocorrelation exceeds 0.6 at a lag of 1/400 to 1/80 s."""
    clipped: float
    """Share of the samples at full scale."""

    def to_dict(self) -> dict[str, float | tuple[float, ...]]:
        """Return the values by name."""
        return asdict(self)

    def band_differences(self, other: "SoundStatistics") -> NDArray[np.float64]:
        """Return the third-octave levels of this sound minus those of another, in dB, [bands].

        Parameters
        ----------
        other : SoundStatistics
            The sound to compare with.
        """
        return np.subtract(self.bands, other.bands)


def describe(samples: NDArray[np.floating], rate: int) -> SoundStatistics:
    """Compute the statistics of a sound.

    Parameters
    ----------
    samples : array [N]
        The sound, full scale +-1.
    rate : int
        Sampling rate, Hz; at least 8000.

    Raises
    ------
    DataError
        The sound is shorter than four seconds, or its rate is below 8 kHz.
    """
    if rate < 8000 or len(samples) < SHORTEST * rate:
        raise DataError(
            f"{len(samples)} samples at {rate} Hz are too few: statistics need {SHORTEST:g} s at 8 kHz or more"
        )
    sound = np.asarray(samples, np.float64)
    frequency, density = signal.welch(sound, rate, nperseg=rate)  # bins of 1 Hz
    bands = third_octaves(frequency, density, third_octave_centres(rate)) * frequency[1]
    high = density[frequency >= 4000].sum() / np.maximum(density.sum(), 1e-20)
    envelope = _envelope(sound, rate)
    level = _decibel(envelope**2 + 1e-9)
    return SoundStatistics(
        level=float(_decibel(np.mean(sound**2))),
        bands=tuple(float(_decibel(power)) for power in bands),
        high=float(_decibel(high)),
        depth=float(level.std()),
        syllabic=_modulation_index(envelope, *SYLLABLES),
        voiced=voiced_share(*_at_speech_rate(sound, rate)),
        clipped=float(np.mean(np.abs(sound) >= 1)),
    )


def third_octave_centres(rate: int) -> tuple[float, ...]:
    """Return the centres in Hz of the third octaves that `describe` measures: at 16 kHz and below those of speech.

    Parameters
    ----------
    rate : int
        Sampling rate, Hz; a band whose upper edge is above half of it is left out.
    """
    if rate <= SPEECH_RATE:
        return CENTRES
    return tuple(centre for centre in WIDE_CENTRES if centre * 2 ** (1 / 6) <= rate / 2)


def third_octaves(
    frequency: NDArray[np.float64], power: NDArray[np.float64], centres: tuple[float, ...] = CENTRES
) -> NDArray[np.float64]:
    """Sum a spectrum over third octaves.

    Parameters
    ----------
    frequency : array [F]
        Frequency of each bin, Hz.
    power : array [F, ...]
        Power of each bin.
    centres : tuple of float
        Centres of the third octaves, Hz.

    Returns
    -------
    array [bands, ...]
        Power of each band.
    """
    edges = [(centre * 2 ** (-1 / 6), centre * 2 ** (1 / 6)) for centre in centres]
    return np.stack([power[(frequency >= low) & (frequency < high)].sum(0) for low, high in edges])


def modulation_spectrum(samples: NDArray[np.floating], rate: int) -> tuple[float, ...]:
    """Return the modulation index of the envelope, rms divided by mean, in each octave of `MODULATIONS`.

    Parameters
    ----------
    samples : array [N]
        The sound, at least four seconds long.
    rate : int
        Sampling rate, Hz.
    """
    envelope = _envelope(np.asarray(samples, np.float64), rate)
    return tuple(_modulation_index(envelope, f / np.sqrt(2), f * np.sqrt(2)) for f in MODULATIONS)


def voiced_share(sound: NDArray[np.float64], rate: int) -> float:
    """Return the share of a sound's loud stretches that have a pitch; see `SoundStatistics.voiced`.

    Each stretch is correlated with the samples one lag later; both are normalised by their own energy (the normalised
    cross-correlation of Talkin 1995), so that neither a window nor a rising level hides a period.

    Parameters
    ----------
    sound : array [N]
        The sound, full scale +-1.
    rate : int
        Sampling rate, Hz.
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


def _at_speech_rate(sound: NDArray[np.float64], rate: int) -> tuple[NDArray[np.float64], int]:
    """Return a sound and its rate; a higher rate than `SPEECH_RATE` is lowered to it, which a pitch does not need."""
    if rate <= SPEECH_RATE:
        return sound, rate
    common = math.gcd(rate, SPEECH_RATE)
    return np.asarray(signal.resample_poly(sound, SPEECH_RATE // common, rate // common)), SPEECH_RATE


def _envelope(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the short-term rms, `ENVELOPE_RATE` values per second."""
    hop = rate // ENVELOPE_RATE
    return np.sqrt(np.square(sound[: len(sound) // hop * hop]).reshape(-1, hop).mean(1))


def _modulation_index(envelope: NDArray[np.float64], low: float, high: float) -> float:
    """Return the rms of an envelope between two frequencies in Hz, divided by its mean."""
    rates, modulation = signal.welch(envelope, ENVELOPE_RATE, nperseg=min(len(envelope), 512))
    power = modulation[(rates >= low) & (rates <= high)].sum() * rates[1]
    return float(np.sqrt(power) / (envelope.mean() + 1e-9))


def _decibel(power: NDArray[np.float64] | np.floating | float) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-20)))
