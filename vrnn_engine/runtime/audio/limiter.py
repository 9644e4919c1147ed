"""Keeps what a sound device plays below a ceiling: the last step before the device.

A limiter without look-ahead: the gain falls at once with a sample that is too loud, and recovers exponentially.  It
adds no latency, and while no sample exceeds the ceiling it changes nothing, to the bit.
"""

import numpy as np

CEILING = -1.0
"""Default of the ceiling, in dB below full scale."""
RELEASE_SECONDS = 0.06
"""Time in which the gain reduction falls by a factor of e."""
LARGEST = 1e6
"""Largest magnitude that is passed on to the volume and the resampler, whose arithmetic then stays finite."""


def playable(samples: np.ndarray) -> np.ndarray:
    """Return samples without NaN and infinities, which become 0, and at most `LARGEST`.

    Parameters
    ----------
    samples : float32 array [n] or [n, channels]
        Any samples.

    Returns
    -------
    float32 array of the same shape
        The same array if all its samples are finite and at most `LARGEST`.
    """
    if not len(samples) or float(np.abs(samples).max()) <= LARGEST:  # a comparison with NaN is false
        return samples
    return np.clip(np.where(np.isfinite(samples), samples, np.float32(0.0)), -LARGEST, LARGEST).astype(np.float32)


class Limiter:
    """Limits the magnitude of a stream of samples.

    Parameters
    ----------
    rate : int
        Samples per second.
    ceiling : float
        Largest magnitude of the result, in dB relative to full scale, at most 0.

    Attributes
    ----------
    limited : int
        Number of samples that exceeded the ceiling.
    """

    def __init__(self, rate: int, ceiling: float = CEILING) -> None:
        self.limited = 0
        self._ceiling = np.float32(10 ** (ceiling / 20))
        self._fall = 1.0 / (RELEASE_SECONDS * rate)  # of the logarithm of the envelope, per sample
        self._envelope = -np.inf  # logarithm of the envelope after the last sample

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Limit a block.

        Parameters
        ----------
        samples : float32 array [n] or [n, channels]
            The next samples; full scale is +-1.  All channels get the gain that the loudest one needs.

        Returns
        -------
        float32 array of the same shape
            The same array if the block needs no limiting.
        """
        top = float(self._ceiling)
        recovered = self._envelope <= np.log(top)
        if not len(samples) or (recovered and float(np.abs(samples).max()) <= top):
            return samples
        samples = playable(samples)
        size = np.abs(samples).astype(np.float64)
        if size.ndim > 1:
            size = size.max(axis=1)
        self.limited += int(np.count_nonzero(size > top))
        # The envelope is max over k <= n of size[k] exp(-(n - k) fall): in logarithms, a running maximum.
        fall = self._fall * np.arange(1, len(size) + 1)
        levels = np.log(np.maximum(size, 1e-30)) + fall
        envelope = np.maximum(np.maximum.accumulate(levels), self._envelope) - fall
        self._envelope = float(envelope[-1])
        gain = np.minimum(1.0, top * np.exp(-envelope))
        if samples.ndim > 1:
            gain = gain[:, np.newaxis]
        return np.clip((samples * gain).astype(np.float32), -self._ceiling, self._ceiling)
