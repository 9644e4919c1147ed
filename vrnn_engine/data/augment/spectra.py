"""Changes of sound by its spectrum: band limits, a filled top band, a tilt, and noise.

All filters have zero phase.  They are applied to the DFT of a whole stretch of sound, which is circular; a caller
cuts off its ends.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]

TELEPHONE = (300.0, 3400.0)
"""Band of a telephone (ITU-T G.712), Hz."""
TELEPHONE_WIDTH = 100.0
"""Width of each transition of the telephone band, Hz."""


def cut_above(sound: Sound, rate: float, edge: float, width: float) -> Sound:
    """Remove the frequencies above an edge.

    Parameters
    ----------
    sound : float64 array [N] or [N, channels]
        Any sound.
    rate : float
        Sampling rate, Hz.
    edge, width : float
        The gain falls from 1 at `edge` to 0 at `edge + width`, both in Hz, along half a cosine.
    """
    return _filtered(sound, rate, lambda frequency: _rolloff(frequency, edge, width))


def fill_above(sound: Sound, rate: float, edge: float, gain: float) -> Sound:
    """Replace the frequencies above an edge by a mirror image of those below it, as a poor resampler leaves them.

    Parameters
    ----------
    sound : float64 array [N] or [N, channels]
        Any sound.
    rate : float
        Sampling rate, Hz.
    edge : float
        Frequency in Hz, above a quarter of the rate.
    gain : float
        Factor of the mirror image.
    """
    spectrum = np.fft.rfft(sound, axis=0)
    centre = int(np.ceil(edge * len(sound) / rate))
    above = np.arange(centre + 1, len(spectrum))
    # The conjugate keeps the time of each sound: a component a(t) exp(i w t) becomes a*(t) exp(i (2 w0 - w) t).
    spectrum[above] = gain * np.conj(spectrum[2 * centre - above])
    return np.fft.irfft(spectrum, len(sound), axis=0)


def telephone_band(sound: Sound, rate: float) -> Sound:
    """Limit a sound [N] or [N, channels] with a sampling rate in Hz to the band of a telephone."""
    low, high = TELEPHONE
    return _filtered(
        sound,
        rate,
        lambda f: _rolloff(f, high, TELEPHONE_WIDTH) * (1 - _rolloff(f, low - TELEPHONE_WIDTH, TELEPHONE_WIDTH)),
    )


def tilt(sound: Sound, rate: float, decibels: float) -> Sound:
    """Amplify the high frequencies of a sound against its low ones.

    Parameters
    ----------
    sound : float64 array [N] or [N, channels]
        Any sound.
    rate : float
        Sampling rate, Hz.
    decibels : float
        Gain at half the rate minus gain at 100 Hz; the gain is linear in log frequency, and 0 dB in the middle.
    """
    octaves = np.log2(rate / 2 / 100)
    return _filtered(
        sound,
        rate,
        lambda f: 10 ** (decibels * (np.log2(np.maximum(f, 100) / 100) / octaves - 0.5) / 20),
    )


def coloured_noise(shape: tuple[int, ...], slope: float, rng: np.random.Generator) -> Sound:
    """Return Gaussian noise with a standard deviation of 1.

    Parameters
    ----------
    shape : tuple of int
        (N,) or (N, channels).
    slope : float
        The amplitude is proportional to frequency ** -slope: 0 for white noise, 0.5 for pink noise.
    rng : Generator
        Draws the noise.
    """
    white = rng.standard_normal(shape)
    noise = _filtered(white, 1.0, lambda f: np.maximum(f, 1e-3) ** -slope)
    return np.asarray(noise / max(float(noise.std()), 1e-12))


def _filtered(sound: Sound, rate: float, gain: Callable[[Sound], Sound]) -> Sound:
    """Multiply the spectrum of a sound by gain(frequency in Hz)."""
    gains = gain(np.fft.rfftfreq(len(sound), 1 / rate).astype(np.float64))
    spectrum = np.fft.rfft(sound, axis=0)
    return np.fft.irfft(spectrum * gains.reshape(-1, *[1] * (sound.ndim - 1)), len(sound), axis=0)


def _rolloff(frequency: Sound, edge: float, width: float) -> Sound:
    """Return 1 below `edge`, 0 above `edge + width`, and half a cosine between them."""
    place = np.clip((frequency - edge) / width, 0, 1)
    return 0.5 * (1 + np.cos(np.pi * place))
