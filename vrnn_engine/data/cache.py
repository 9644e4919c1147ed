"""Decodes recordings once into a cache on disk, and reads them from there as a memory map."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import soundfile
from filelock import FileLock
from numpy.typing import NDArray

from vrnn_engine.base.atomic.locks import keep_locked
from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.folders import cache_folder
from vrnn_engine.data.recordings import BLOCK, sample_blocks, sample_count
from vrnn_engine.errors import DataError

Share = tuple[float, float]
"""Where a part of a recording begins and ends, as shares of its length: 0 to 1."""
WHOLE: Share = (0.0, 1.0)
VERSION = 1
"""Version of the file format; part of the folder's name, so that a cache of another version is not read."""
INDEX = "index.json"


class Part(msgspec.Struct, frozen=True):
    """Entry of one split in the index."""

    bounds: list[int]
    """Position in the split's samples where each recording begins, and where the last one ends."""
    total: int
    """Sum of the samples; exact, since they are integers."""
    squares: int
    """Sum of their squares."""


class Index(msgspec.Struct, frozen=True):
    """The file `index.json` in a folder of the cache."""

    parts: dict[str, Part]
    skipped: list[str]
    """For each skipped recording, its path and the reason."""


@dataclass(frozen=True)
class Decoded:
    """The decoded recordings of one split, one after another.

    Attributes
    ----------
    samples : int16 array [N], or [N, 2] of stereo
        Memory-mapped.
    bounds : int64 array [recordings + 1]
        Recording i is `samples[bounds[i] : bounds[i + 1]]`.
    mean, std : float
        Mean and sd of all samples, in units of one 16-bit step.
    """

    samples: NDArray[np.int16]
    bounds: NDArray[np.int64]
    mean: float
    std: float

    @classmethod
    def of(cls, samples: NDArray[np.int16], bounds: Sequence[int]) -> "Decoded":
        """Make it of samples, and compute their mean and sd.

        Parameters
        ----------
        samples : int16 array [N] or [N, 2]
            Memory-mapped.
        bounds : sequence of int
            Position where each recording begins, and where the last one ends.
        """
        return cls(samples, np.array(bounds), *_moments(samples.size, *_sums(samples)))


def decode(
    files: Mapping[str, Sequence[Path]],
    rate: int,
    strict: bool = False,
    shares: Mapping[str, Share] | None = None,
    channels: int = 1,
) -> tuple[dict[str, Decoded], tuple[str, ...]]:
    """Return the samples of all recordings, decoded or from the cache.

    Recordings are decoded into a folder of the user's cache (in $VRNN_ENGINE_CACHE if that is set).  The folder's name
    is a hash of the rate and of the files' paths, sizes and modification times, so that the next call with the same
    arguments finds the folder.  If several processes request the same recordings at once, one decodes and the others
    wait.  `vrnn-engine voices clean --corpora` removes old folders.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        Recordings of each split.
    rate : int
        Sampling rate of the samples, Hz.
    strict : bool
        Raise an error if a recording cannot be read, instead of leaving it out.
    shares : mapping of str to pair of float, optional
        For each split, where its part of every recording begins and ends, as shares of the recording's length.  By
        default a split has whole recordings.
    channels : int
        1 or 2; see `vrnn_engine.data.recordings.sample_blocks`.

    Returns
    -------
    dict of str to Decoded
        By split.
    tuple of str
        For each skipped recording, its path and the reason.

    Raises
    ------
    DataError
        A recording cannot be read (only if `strict`), or the cache cannot be written or is damaged.
    """
    folder = cache_folder("corpora") / _key(files, rate, shares, channels)
    try:
        if not (folder / INDEX).exists():
            lock = cache_folder("locks") / folder.name
            lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock):
                if not (folder / INDEX).exists():
                    _fill(folder, files, rate, strict, shares or {}, channels)
        keep_locked(folder)  # `vrnn-engine voices clean` removes what no process uses
        index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
        parts = {split: _open(_samples_file(folder, split), part, channels) for split, part in index.parts.items()}
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: cannot write decoded recordings here ({error.strerror}); free some space, or "
            "set VRNN_ENGINE_CACHE to another folder"
        ) from None
    except (ValueError, msgspec.MsgspecError):
        raise DataError(f"{folder}: this cache of decoded recordings is damaged; delete it") from None
    if strict and index.skipped:
        raise DataError(index.skipped[0])
    return parts, tuple(index.skipped)


def _key(files: Mapping[str, Sequence[Path]], rate: int, shares: Mapping[str, Share] | None, channels: int) -> str:
    # The version of libsndfile is part of the key because it decides which recordings can be read.
    seen: list[object] = [VERSION, soundfile.__libsndfile_version__, rate, *([shares] if shares else [])]
    seen += [f"{channels} channels"] if channels > 1 else []
    for split, paths in files.items():
        for path in paths:
            stat = path.stat() if path.exists() else path.lstat()  # a broken symbolic link
            seen.append((split, str(path.resolve()), stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:32]


def _fill(
    folder: Path,
    files: Mapping[str, Sequence[Path]],
    rate: int,
    strict: bool,
    shares: Mapping[str, Share],
    channels: int,
) -> None:
    """Decode all splits into a folder that appears only when it is complete."""
    together: dict[tuple[Path, ...], list[str]] = {}  # splits that have parts of the same recordings
    for split, paths in files.items():
        together.setdefault(tuple(paths), []).append(split)
    index = Index({split: Part([0], 0, 0) for split in files}, [])
    with atomic_folder(folder) as written:
        for paths, splits in together.items():
            targets = {_samples_file(written, split): shares.get(split, WHOLE) for split in splits}
            bounds = _write(paths, rate, strict, targets, index.skipped, channels)
            for split, target in zip(splits, targets, strict=True):
                sums = _sums(_mapped(target, bounds[target][-1], channels))
                index.parts[split] = Part(bounds[target], *sums)
        (written / INDEX).write_bytes(msgspec.json.encode(index))


def _write(
    paths: Sequence[Path],
    rate: int,
    strict: bool,
    targets: Mapping[Path, Share],
    skipped: list[str],
    channels: int,
) -> dict[Path, list[int]]:
    """Decode each recording once into one or more files, and add to `skipped` the recordings that cannot be read.

    Return where the recordings begin in each file, and where the last one ends.
    """
    bounds = {target: [0] for target in targets}
    with ExitStack() as stack:
        outs = {target: stack.enter_context(target.open("wb")) for target in targets}
        for path in paths:
            try:
                _write_parts(path, rate, {outs[target]: share for target, share in targets.items()}, channels)
            except DataError as error:
                if strict:
                    raise
                skipped.append(str(error))
                for target, out in outs.items():  # the next recording overwrites what was written
                    out.seek(bounds[target][-1] * 2 * channels)
            else:
                for target, out in outs.items():
                    bounds[target].append(out.tell() // (2 * channels))
    return bounds


def _write_parts(path: Path, rate: int, outs: Mapping[BinaryIO, Share], channels: int) -> None:
    """Write to each file its share of a recording; all of the recording is read, because all of it must be readable."""
    length = None if set(outs.values()) == {WHOLE} else sample_count(path, rate)
    position = 0
    for block in sample_blocks(path, rate, channels):
        for out, share in outs.items():
            begin, end = (round(length * place) for place in share) if length is not None else (0, sys.maxsize)
            out.write(block[max(0, begin - position) : max(0, end - position)].tobytes())
        position += len(block)


def _samples_file(folder: Path, split: str) -> Path:
    """Return the file of the samples of a split."""
    return folder / f"{split}.int16"


def _open(path: Path, part: Part, channels: int) -> Decoded:
    count = part.bounds[-1]
    moments = _moments(count * channels, part.total, part.squares)
    return Decoded(_mapped(path, count, channels), np.array(part.bounds), *moments)


def _mapped(path: Path, count: int, channels: int) -> NDArray[np.int16]:
    """Return the first samples of a file, memory-mapped: [N], or [N, 2] of stereo."""
    shape = (count,) if channels == 1 else (count, channels)
    return np.memmap(path, np.int16, "r", shape=shape) if count else np.zeros(shape, np.int16)


def _sums(samples: NDArray[np.int16]) -> tuple[int, int]:
    """Return the exact sum of samples, and of their squares."""
    total = squares = 0
    for first in range(0, len(samples), BLOCK):
        block = samples[first : first + BLOCK].astype(np.float64).ravel()  # all sums of a block stay below 2**53
        total, squares = total + int(block.sum()), squares + int(block @ block)
    return total, squares


def _moments(count: int, total: int, squares: int) -> tuple[float, float]:
    """Return the mean and the sd of samples from their sums."""
    if not count:
        return 0.0, 0.0
    # In integers up to the division, because the numerator is a difference of large numbers.
    return total / count, ((squares * count - total**2) / count**2) ** 0.5
