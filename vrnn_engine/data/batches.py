"""What training consumes: batches of consecutive chunks, and the two ways of cutting sequences up."""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SPLITS = ("train", "valid", "test")


class Batch(NamedTuple):
    """One chunk of B sequences.

    `signal` is [C+T, B, F], normalised, where C is the number of context frames that the basis
    wants before the first one; `mask` is [T, B], 1 where a frame counts.  `fresh` says that the
    sequences begin here: the state before them is zero.  Otherwise they go on from the last batch.
    """

    signal: Floats
    mask: Floats
    fresh: bool


class Corpus(Protocol):
    """A data set, split and normalised."""

    mean: tuple[float, ...]
    """Per channel, of the training split."""
    std: tuple[float, ...]

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """One pass over a split; shuffled and dequantised with `rng`, plain without."""

    def fitting_signal(self) -> Floats:
        """Training frames [T, F] for whatever a basis fits."""


def lane_chunks(
    read: Callable[[int, int], Floats], frames: int, lanes: int, chunk: int, carry: int, context: int
) -> Iterator[Batch]:
    """Cut one long signal into lanes that are walked side by side.

    Parameters
    ----------
    read : callable
        read(first, count) gives frames [count, F] of the signal from `first` on.
    frames : int
        Frames of the signal.
    lanes : int
        B, sequences side by side.
    chunk : int
        T, frames of a batch.
    carry : int
        The state is carried over this many batches, then zeroed.
    context : int
        C, frames before the first one that the basis needs.
    """
    length = (frames - context) // lanes
    for count, position in enumerate(range(0, length - chunk + 1, chunk)):
        rows = [read(lane * length + position, context + chunk) for lane in range(lanes)]
        yield Batch(np.stack(rows, axis=1), np.ones((chunk, lanes), np.float32), count % carry == 0)


def line_chunks(lines: list[Floats], rows: int, chunk: int) -> Iterator[Batch]:
    """Take whole sequences `rows` at a time, pad them to the longest, and walk them chunk by chunk.

    Parameters
    ----------
    lines : list of array
        Each [n, F]; neighbours should have similar lengths.
    rows : int
        B, sequences side by side; the last group may have fewer.
    chunk : int
        T, frames of a batch; the last chunk of a group may have fewer.
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


def split_by_hash(key: str) -> str:
    """Return `train`, `valid` or `test` (0.9/0.05/0.05) for whatever must stay on one side, by a hash of its name."""
    bucket = int(hashlib.sha256(key.encode()).hexdigest(), 16) % 20
    return {0: "test", 1: "valid"}.get(bucket, "train")
