"""Reads a recording block by block, as 16-bit samples at a given rate, mono or stereo."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from vrnn_engine.base.reading.rates import check_ratio
from vrnn_engine.base.reading.sound_files import open_sound
from vrnn_engine.base.resampler import Resampler
from vrnn_engine.errors import DataError

QUANTUM = 1 / 32768
"""Step of 16-bit audio, where full scale is 1; also the width of the uniform dequantisation noise."""
BLOCK = 1 << 20
"""Number of samples per channel that are decoded at a time."""


def sample_blocks(path: Path, rate: int, channels: int = 1) -> Iterator[NDArray[np.int16]]:
    """Yield a recording in blocks, resampled.

    Parameters
    ----------
    path : Path
        Any file that libsndfile reads.
    rate : int
        Sampling rate of the blocks, Hz.
    channels : int
        1: the mean of the recording's channels.  2: its first two channels; a mono recording gives two equal ones.

    Yields
    ------
    int16 array [n] or [n, 2]
        Samples in units of `QUANTUM`.

    Raises
    ------
    DataError
        The file is not a recording, has no samples or a rate that is not plausible, or is damaged; the damage may be
        found after some blocks.
    """
    with _opened(path) as file:
        if not file.frames:
            raise DataError(f"{path}: this recording has no samples")
        check_ratio(file.samplerate, rate, str(path), DataError)
        resampler = None if file.samplerate == rate else Resampler(file.samplerate, rate, channels)
        for samples in file.blocks(BLOCK, dtype="float32", always_2d=True):
            with np.errstate(invalid="ignore", over="ignore"):  # infinite samples, and a sum above 3e38
                kept = samples.mean(axis=1) if channels == 1 else _stereo(samples)
            if not np.isfinite(kept).all():
                raise DataError(f"{path}: contains samples that are not finite")
            yield from map(_quantised, [kept] if resampler is None else resampler.push_in_parts(kept))
        if resampler is not None:
            yield _quantised(resampler.finish())


def sample_count(path: Path, rate: int) -> int:
    """Return the number of samples per channel that a recording has at a rate.

    Parameters
    ----------
    path, rate
        See `sample_blocks`.

    Raises
    ------
    DataError
        The file is not a recording.
    """
    with _opened(path) as file:
        return round(file.frames * rate / file.samplerate)


def read_mono(path: Path, rate: int) -> NDArray[np.int16]:
    """Return a whole recording.

    Parameters
    ----------
    path, rate
        See `sample_blocks`.

    Returns
    -------
    int16 array [N]
        Mono samples in units of `QUANTUM`.
    """
    return np.concatenate(list(sample_blocks(path, rate)))


def _stereo(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two channels [n, 2] of samples [n, channels]."""
    return np.ascontiguousarray(samples[:, :2] if samples.shape[1] > 1 else np.repeat(samples, 2, axis=1))


def _quantised(mono: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(np.clip(mono, -1, 1) / QUANTUM), -32768, 32767).astype(np.int16)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a recording; raise `DataError` if it cannot be opened, or cannot be read in the block."""
    try:
        with open_sound(path) as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: not a readable recording: {error.strerror or error}") from None
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: not a readable recording: {_reason(path, error)}") from None


def _reason(path: Path, error: soundfile.LibsndfileError) -> str:
    """Return the reason why a file cannot be read; more precise than the message of libsndfile for SPHERE files."""
    with path.open("rb") as file:
        header = file.read(1024)
    if header.startswith(b"NIST_1A") and b"shorten" in header:
        return "SPHERE compressed with Shorten, which libsndfile cannot read; decompress it with sph2pipe -p -f wav"
    return error.error_string
