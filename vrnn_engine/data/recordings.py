"""A recording as 16-bit mono samples at one rate, block by block."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vrnn_engine.errors import DataError

QUANTUM = 1 / 32768
"""One step of 16-bit audio: what uniform dequantisation noise spreads a sample over."""
BLOCK = 1 << 20
"""Samples of a channel that are decoded at a time."""


def mono_blocks(path: Path, rate: int) -> Iterator[NDArray[np.int16]]:
    """Yield a recording at `rate` Hz in blocks, its channels averaged.

    Raises
    ------
    DataError
        It is not a recording, or damaged, perhaps only after some blocks; or it holds nothing.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if not file.frames:
                raise DataError(f"{path}: a recording without samples")
            resampler = None if file.samplerate == rate else soxr.ResampleStream(file.samplerate, rate, 1)
            for samples in file.blocks(BLOCK, dtype="float32", always_2d=True):
                mono = samples.mean(axis=1)
                if not np.isfinite(mono).all():
                    raise DataError(f"{path}: holds samples that are not finite")
                yield _quantised(mono if resampler is None else resampler.resample_chunk(mono))
            if resampler is not None:
                yield _quantised(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: not a readable recording: {_reason(path, error)}") from None


def read_mono(path: Path, rate: int) -> NDArray[np.int16]:
    """Return a whole recording as `mono_blocks` gives it."""
    return np.concatenate(list(mono_blocks(path, rate)))


def _quantised(mono: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(mono / QUANTUM), -32768, 32767).astype(np.int16)


def _reason(path: Path, error: soundfile.LibsndfileError) -> str:
    try:
        with path.open("rb") as file:
            header = file.read(1024)
    except OSError as denied:  # of which libsndfile says only "system error"
        return denied.strerror or str(denied)
    if header.startswith(b"NIST_1A") and b"shorten" in header:
        return "SPHERE compressed with Shorten, which libsndfile cannot read; decompress it (sph2pipe -p -f wav)"
    return error.error_string
