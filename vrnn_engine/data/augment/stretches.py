"""Draws a recording condition for each stretch of a training signal, and applies it.

A condition changes the target, the signal that the model learns to generate, or only the input, which the encoder and
the recurrence read.  A model generates whatever its targets contain, so noise and a telephone band are only in the
input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.augment.spectra import Sound, coloured_noise, cut_above, fill_above, telephone_band, tilt
from vrnn_engine.data.options import Augment

Samples = NDArray[np.int16]

MARGIN = 0.1
"""Seconds of sound before and behind a stretch that are filtered with it, and then cut off."""
FILL_GAINS = (-12.0, 3.0)
"""Range of the gain of the image that fills the top band, dB."""
CUT_WIDTHS = (50.0, 1000.0)
"""Range of the width of the transition where the top band is cut, Hz."""
STEEPEST_NOISE = 1.0
"""Largest slope of the spectrum of added noise: amplitude proportional to 1 / frequency."""


@dataclass(frozen=True)
class Condition:
    """How one stretch was recorded; the default is a clean one."""

    gain: float = 1.0
    """Factor of target and input."""
    filled: tuple[float, float] | None = None
    """Edge in Hz above which the top band of target and input is filled, and the gain of the image."""
    cut: tuple[float, float] | None = None
    """Edge and width in Hz of the end of the top band of target and input."""
    tilt: float = 0.0
    """Equalisation of the input, dB; see `vrnn_engine.data.augment.spectra.tilt`."""
    telephone: bool = False
    """Whether the input has the band of a telephone."""
    noise: float = 0.0
    """Standard deviation of the noise in the input, in steps of 16-bit audio."""
    slope: float = 0.0
    """Slope of the spectrum of the noise."""
    seed: int = 0
    """Seed of the noise."""

    def target(self, sound: Sound, rate: int) -> Sound:
        """Return what the model learns to generate for a sound [N] or [N, channels] of a rate in Hz."""
        sound = self.gain * sound
        if self.filled:
            sound = fill_above(sound, rate, *self.filled)
        return cut_above(sound, rate, *self.cut) if self.cut else sound

    def heard(self, target: Sound, rate: int) -> Sound:
        """Return what the encoder and the recurrence read, for a target [N] or [N, channels] of a rate in Hz."""
        heard = tilt(target, rate, self.tilt) if self.tilt else target
        if self.noise:
            heard = heard + self.noise * coloured_noise(heard.shape, self.slope, np.random.default_rng(self.seed))
        return telephone_band(heard, rate) if self.telephone else heard


class Stretch(NamedTuple):
    """One stretch of a lane; both parts are int16 [N] or [N, channels] and are the same if only the target changes."""

    target: Samples
    heard: Samples


def draw_condition(options: Augment, rate: int, level: float, rng: np.random.Generator) -> Condition:
    """Draw the condition of one stretch.

    Parameters
    ----------
    options : Augment
        Shares and ranges.
    rate : int
        Sampling rate, Hz.
    level : float
        Standard deviation of the training split, in steps of 16-bit audio.
    rng : Generator
        Always draws the same number of values, so that an option does not change what is drawn for the others.
    """
    clean, edge, fills, telephone, noisy = rng.random(5)
    gain, place, amount, tilted, snr, slope = rng.random(6)
    seed = int(rng.integers(2**63))
    if clean < options.clean:
        return Condition()
    gain = 10 ** (options.gain * (2 * gain - 1) / 20)
    fills_band = fills < 0.5
    filled = cut = None
    if edge < options.edge and fills_band:
        low, high = FILL_GAINS
        first = options.fill_from
        filled = (first + place * max(0.0, 0.475 * rate - first), 10 ** ((low + amount * (high - low)) / 20))
    elif edge < options.edge:
        low, high = CUT_WIDTHS
        cut = (options.edge_from + place * (rate / 2 - options.edge_from), low * (high / low) ** amount)
    ratio = options.noise_least + snr * (options.noise_most - options.noise_least)
    return Condition(
        gain=gain,
        filled=filled,
        cut=cut,
        tilt=options.tilt * (2 * tilted - 1),
        telephone=telephone < options.telephone,
        noise=gain * level * 10 ** (-ratio / 20) if noisy < options.noise else 0.0,
        slope=STEEPEST_NOISE * slope,
        seed=seed,
    )


def apply(
    condition: Condition, read: Callable[[int, int], Samples], length: int, rate: int, first: int, count: int
) -> Stretch:
    """Return a stretch of a signal under a condition.

    Parameters
    ----------
    condition : Condition
        The condition.
    read : callable
        read(first, count) returns samples of the signal, int16 [count] or [count, channels].
    length : int
        Number of samples of the signal.
    rate : int
        Sampling rate, Hz.
    first, count : int
        Position and number of the samples of the stretch.
    """
    if condition == Condition():
        samples = read(first, count)
        return Stretch(samples, samples)
    margin = round(MARGIN * rate)
    begin, end = max(0, first - margin), min(length, first + count + margin)
    sound = read(begin, end - begin).astype(np.float64)
    inner = slice(first - begin, first - begin + count)
    target = condition.target(sound, rate)
    heard = condition.heard(target, rate)
    kept = _quantised(target[inner])
    return Stretch(kept, kept if heard is target else _quantised(heard[inner]))


def _quantised(sound: Sound) -> Samples:
    """Round to steps of 16-bit audio, as a recording is."""
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
