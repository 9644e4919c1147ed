"""Batches of consecutive chunks, cut from one long signal (lanes) or from many short sequences (lines)."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SPLITS = ("train", "valid", "test")


class Batch(NamedTuple):
    """One chunk of B sequences."""

    signal: Floats
    """[C+T, B, F], normalised.  The first C frames are the context that the basis needs before the first frame."""
    mask: Floats
    """[T, B], 1 where a frame counts, 0 in the padding."""
    fresh: bool
    """True if the state is zero before this chunk; False if the chunk continues the sequences of the last batch."""
    text: NDArray[np.int64] | None = None
    """Text of each sequence, [B, U]: indices of characters, 0 for none.  None if the corpus has no texts."""
    heard: Floats | None = None
    """[C+T, B, F]: what the encoder and the recurrence read instead of `signal`, normalised.  None: `signal` itself."""


class Corpus(Protocol):
    """A data set, split and normalised."""

    mean: tuple[float, ...]
    """Mean of the training split, per channel."""
    std: tuple[float, ...]
    """Standard deviation of the training split, per channel."""

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Yield the batches of one pass over a split.

        Parameters
        ----------
        split : str
            `train`, `valid` or `test`.
        rng : Generator or None
            Shuffles the sequences and adds dequantisation noise; None gives every pass the same batches.
        """

    def fitting_signal(self) -> Floats:
        """Return normalised training frames [T, F], for a basis that is fitted to data."""


def lane_chunks(
    read: Callable[[int, int], Floats], frames: int, lanes: int, chunk: int, carry: int, context: int
) -> Iterator[Batch]:
    """Cut one long signal into lanes of equal length, and yield them side by side, chunk by chunk.

    Parameters
    ----------
    read : callable
        read(first, count) returns frames [count, F] of the signal from frame `first` on.
    frames : int
        Frames of the signal.
    lanes : int
        B, the number of sequences.
    chunk : int
        T, frames of a batch.
    carry : int
        Number of batches over which the state is carried; then it is reset to zero.
    context : int
        C, number of frames that the basis needs before the first frame.
    """
    length = (frames - context) // lanes
    for count, position in enumerate(range(0, length - chunk + 1, chunk)):
        rows = [read(lane * length + position, context + chunk) for lane in range(lanes)]
        yield Batch(np.stack(rows, axis=1), np.ones((chunk, lanes), np.float32), count % carry == 0)


def line_chunks(lines: list[Floats], rows: int, chunk: int) -> Iterator[Batch]:
    """Group whole sequences, pad each group to its longest one, and yield it chunk by chunk.

    Parameters
    ----------
    lines : list of array
        Each [n, F].  Neighbours should have similar lengths, to save padding.
    rows : int
        B, number of sequences in a group; the last group may have fewer.
    chunk : int
        T, number of frames in a batch; the last chunk of a group may have fewer.
    """
    for first in range(0, len(lines), rows):
        group = lines[first : first + rows]
        longest = max(len(line) for line in group)
        signal = np.zeros((longest, len(group), group[0].shape[1]), np.float32)
        mask = np.zeros((longest, len(group)), np.float32)
        for row, line in enumerate(group):
            signal[: len(line), row] = line
            mask[: len(line), row] = 1
        for position in range(0, longest, chunk):
            part = slice(position, position + chunk)
            yield Batch(signal[part], mask[part], position == 0)


def split_by_hash(key: str, parts: int = 20) -> str:
    """Return the split of a key by its hash: `valid` or `test`, each with probability 1 / `parts`, or else `train`.

    Parameters
    ----------
    key : str
        Name of a unit that must stay in one split: a prompt, a form, a line.
    parts : int
        Number of parts into which hashes divide all keys; one is for validation and one for testing.
    """
    bucket = int(hashlib.sha256(key.encode()).hexdigest(), 16) % parts
    return {0: "test", 1: "valid"}.get(bucket, "train")


def splits_by_hash(keys: Iterable[str], parts: int = 20) -> dict[str, str]:
    """Return the split of each key by its hash; with three or more keys, no split is empty.

    If the hashes leave a split empty, a key moves to it from the largest split.

    Parameters
    ----------
    keys : iterable of str
        Names of the units that must each stay in one split; duplicates count once.
    parts : int
        As for `split_by_hash`.
    """
    splits = {key: split_by_hash(key, parts) for key in sorted(set(keys))}
    counts = Counter(splits.values())
    for split in SPLITS if len(splits) >= len(SPLITS) else ():
        if not counts[split]:
            largest = counts.most_common(1)[0][0]
            theirs = [key for key in splits if splits[key] == largest]
            splits[min(theirs, key=lambda key: hashlib.sha256(key.encode()).digest())] = split
            counts = Counter(splits.values())
    return splits
