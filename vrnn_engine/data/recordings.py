"""Reads a recording block by block, as 16-bit mono samples at a given rate."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from vrnn_engine.base.resampler import Resampler
from vrnn_engine.base.sound_files import open_sound
from vrnn_engine.errors import DataError

QUANTUM = 1 / 32768
"""Step of 16-bit audio, where full scale is 1; also the width of the uniform dequantisation noise."""
BLOCK = 1 << 20
"""Number of samples per channel that are decoded at a time."""


def mono_blocks(path: Path, rate: int) -> Iterator[NDArray[np.int16]]:
    """Yield a recording in blocks, averaged over its channels and resampled.

    Parameters
    ----------
    path : Path
        Any file that libsndfile reads.
    rate : int
        Sampling rate of the blocks, Hz.

    Yields
    ------
    int16 array [n]
        Mono samples in units of `QUANTUM`.

    Raises
    ------
    DataError
        The file is not a recording, has no samples, or is damaged; the damage may be found after some blocks.
    """
    try:
        with open_sound(path) as file:
            if not file.frames:
                raise DataError(f"{path}: this recording has no samples")
            resampler = None if file.samplerate == rate else Resampler(file.samplerate, rate)
            for samples in file.blocks(BLOCK, dtype="float32", always_2d=True):
                mono = samples.mean(axis=1)
                if not np.isfinite(mono).all():
                    raise DataError(f"{path}: contains samples that are not finite")
                yield _quantised(mono if resampler is None else resampler.push(mono))
            if resampler is not None:
                yield _quantised(resampler.finish())
    except OSError as error:
        raise DataError(f"{path}: not a readable recording: {error.strerror or error}") from None
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: not a readable recording: {_reason(path, error)}") from None


def sample_count(path: Path, rate: int) -> int:
    """Return the number of samples per channel that a recording has at a rate.

    Parameters
    ----------
    path, rate
        See `mono_blocks`.

    Raises
    ------
    DataError
        The file is not a recording.
    """
    try:
        with open_sound(path) as file:
            return round(file.frames * rate / file.samplerate)
    except OSError as error:
        raise DataError(f"{path}: not a readable recording: {error.strerror or error}") from None
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: not a readable recording: {_reason(path, error)}") from None


def read_mono(path: Path, rate: int) -> NDArray[np.int16]:
    """Return a whole recording.

    Parameters
    ----------
    path, rate
        See `mono_blocks`.

    Returns
    -------
    int16 array [N]
        Mono samples in units of `QUANTUM`.
    """
    return np.concatenate(list(mono_blocks(path, rate)))


def _quantised(mono: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(mono / QUANTUM), -32768, 32767).astype(np.int16)


def _reason(path: Path, error: soundfile.LibsndfileError) -> str:
    """Return the reason why a file cannot be read; more precise than the message of libsndfile for SPHERE files."""
    with path.open("rb") as file:
        header = file.read(1024)
    if header.startswith(b"NIST_1A") and b"shorten" in header:
        return "SPHERE compressed with Shorten, which libsndfile cannot read; decompress it with sph2pipe -p -f wav"
    return error.error_string
