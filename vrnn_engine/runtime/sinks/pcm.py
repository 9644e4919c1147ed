"""Converts samples to 16-bit PCM, the format of sound files and of sound on stdout."""

import struct

import numpy as np

_FULL_SCALE = 32768.0


def to_pcm16(block: np.ndarray) -> tuple[np.ndarray, int]:
    """Convert samples to 16-bit PCM.

    Parameters
    ----------
    block : ndarray, float, shape [n] or [n, channels]
        Samples; full scale is +-1.

    Returns
    -------
    samples : ndarray, little-endian int16, of the same shape
    clipped : int
        Number of samples that exceeded full scale and were clipped.
    """
    scaled = np.rint(np.asarray(block, np.float32) * _FULL_SCALE)
    clipped = int(np.count_nonzero(np.abs(block) > 1.0))
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1.0).astype("<i2"), clipped


def streamed_wav_header(rate: int, channels: int = 1) -> bytes:
    """Return the header of a WAV stream of 16-bit PCM whose length is not known.

    The sizes of the RIFF and the data chunk are 0xFFFFFFFF, which readers interpret as "until the end".

    Parameters
    ----------
    rate : int
        Samples per second.
    channels : int
        Number of channels.
    """
    unknown, step = 0xFFFFFFFF, 2 * channels
    # PCM, channels, samples and bytes per second, bytes of a sample of all channels, bits
    described = struct.pack("<HHIIHH", 1, channels, rate, step * rate, step, 16)
    return struct.pack("<4sI4s4sI16s4sI", b"RIFF", unknown, b"WAVE", b"fmt ", 16, described, b"data", unknown)
