"""16-bit PCM, the format of sound files and of sound on stdout."""

import numpy as np

_FULL_SCALE = 32768.0


def to_pcm16(block: np.ndarray) -> tuple[np.ndarray, int]:
    """Convert samples to 16-bit PCM.

    Parameters
    ----------
    block : ndarray, float, shape [n]
        Samples; full scale is +-1.

    Returns
    -------
    samples : ndarray, little-endian int16, shape [n]
    clipped : int
        Number of samples beyond full scale, which are limited to it.
    """
    scaled = np.rint(np.asarray(block, np.float32) * _FULL_SCALE)
    clipped = int(np.count_nonzero(np.abs(block) > 1.0))
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1.0).astype("<i2"), clipped
