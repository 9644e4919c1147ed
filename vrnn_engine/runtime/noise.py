"""Counter-based noise: the values at a frame depend only on the seed and the frame."""

import operator
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from vrnn_engine.errors import StreamError

BLOCK = 64
"""Frames per counter value of the generator. Do not change it: another number gives other noise for every seed."""
AHEAD = 8
"""Frames of noise drawn at once. A larger number takes less time per frame, but delays the frame that draws more."""

MAX_SEED = 2**64 - 1

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def check_seed(seed: int) -> int:
    """Return a seed as a plain int.

    Parameters
    ----------
    seed : int
        0 to 2**64-1; any type with `__index__`, for example an integer of numpy.

    Raises
    ------
    StreamError
        The seed is not an integer, or is out of range.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value <= MAX_SEED or isinstance(seed, bool):
        raise StreamError(f"seed {seed!r} is not an integer from 0 to 2**64-1")
    return value


def random_seed() -> int:
    """Return a random seed of 32 bits, which is short enough to write down."""
    return secrets.randbits(32)


class NoiseSource:
    """Generates the standard normal noise of one stream, for frames in any order. Not for two threads at once.

    Frames come in aligned blocks of 64: block `b` of seed `s` is
    `Generator(Philox(key=s, counter=[0, 0, 0, b])).standard_normal((64, total), float32)`, whose columns belong to the
    noise names in sorted order. The block number is the highest word of the counter, so that blocks never overlap.

    A block is drawn a few frames at a time. Different seeds draw at different frames, so that streams of one batch do
    not all draw in the same frame.

    Parameters
    ----------
    seed : int
        0 to 2**64-1.
    widths : mapping of str to int
        Number of values per frame, by the name of the noise.

    Attributes
    ----------
    seed : int
    widths : mapping of str to int

    Raises
    ------
    StreamError
        The seed is not an integer, or out of range.
    """

    def __init__(self, seed: int, widths: Mapping[str, int]) -> None:
        self.seed = check_seed(seed)
        self.widths = MappingProxyType({name: int(widths[name]) for name in sorted(widths)})
        self._total = sum(self.widths.values())
        # The top bits of a product with an odd number: they differ for consecutive seeds and for powers of two.
        self._phase = ((self.seed * 0x9E3779B97F4A7C15) % 2**64 >> 32) * AHEAD >> 32
        self._generator: np.random.Generator | None = None
        self._first = self._end = 0  # `_drawn` holds the frames from `_first` up to but not including `_end`
        self._drawn: dict[str, Array] = {}

    def at(self, frame: int) -> dict[str, Array]:
        """Return the noise of one frame: name -> float32 [width], read-only."""
        if not self._first <= frame < self._end:
            self._draw(frame)
        row = frame - self._first
        return {name: values[row] for name, values in self._drawn.items()}

    def drawn_with(self, frame: int) -> int:
        """Return the number of frames from this one on that are drawn at once.

        Parameters
        ----------
        frame : int
        """
        return min(AHEAD - (frame + self._phase) % AHEAD, BLOCK - frame % BLOCK)

    def fill(self, frame: int, frames: int, out: Mapping[str, np.ndarray], row: int) -> None:
        """Write the noise of consecutive frames into one row of arrays.

        Parameters
        ----------
        frame : int
            The first frame.
        frames : int
            Number of frames.
        out : mapping of str to float32 array [frames, rows, width]
        row : int
        """
        done = 0
        while done < frames:
            if not self._first <= frame + done < self._end:
                self._draw(frame + done)
            start = frame + done - self._first
            end = min(start + frames - done, self._end - self._first)
            for name, values in self._drawn.items():
                out[name][done : done + end - start, row] = values[start:end]
            done += end - start

    def _draw(self, frame: int) -> None:
        """Draw a frame and those after it."""
        block, row = divmod(frame, BLOCK)
        if self._generator is None or frame != self._end or row == 0:
            self._generator = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, block]))
            self._generator.standard_normal(row * self._total, np.float32)  # skips the earlier frames of the block
        count = self.drawn_with(frame)
        drawn = self._generator.standard_normal((count, self._total), np.float32)
        start = 0
        for name, width in self.widths.items():
            # Contiguous for each name, so that a row goes to the graph without a copy.
            values = np.ascontiguousarray(drawn[:, start : start + width])
            values.flags.writeable = False
            self._drawn[name] = values
            start += width
        self._first, self._end = frame, frame + count


def draw_rows(frames: int, sources: Sequence[tuple[NoiseSource, int]], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the noise of the next frames of a batch: name -> float32 [frames, rows, width].

    Parameters
    ----------
    frames : int
    sources : sequence of (NoiseSource, int)
        Source and first frame of each row; later rows get zeros.
    arrays : mapping of str to float32 array [rows, width]
        Arrays of the shape of one frame's noise.
    """
    drawn = {name: np.zeros((frames, *values.shape), np.float32) for name, values in arrays.items()}
    for row, (source, frame) in enumerate(sources):
        source.fill(frame, frames, drawn, row)
    return drawn
