"""Counter-based noise: what a seed draws at a frame depends on nothing but the seed and the frame."""

import operator
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from vrnn_engine.errors import StreamError

BLOCK = 64
"""Frames drawn together.  Part of what a seed means: changing it changes every stream."""

MAX_SEED = 2**64 - 1

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def check_seed(seed: int) -> int:
    """Return the seed as a plain int; raise `StreamError` if it is not one in 0..2**64-1."""
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value <= MAX_SEED or isinstance(seed, bool):
        raise StreamError(f"seed {seed!r} is not an integer from 0 to 2**64-1")
    return value


class NoiseSource:
    """Standard normal noise of one stream, for any frame, in any order.

    Frames are drawn in aligned blocks of 64: block `b` of seed `s` is
    `Generator(Philox(key=s, counter=[0, 0, 0, b])).standard_normal((64, total), float32)`, split
    among the names in sorted order.  The block number is the highest word of the counter, so
    blocks never overlap.

    Parameters
    ----------
    seed : int
        0 to 2**64-1.
    widths : mapping of str to int
        How many values each noise takes a frame.

    Notes
    -----
    Not for use from two threads at once; its stream's lock sees to that.
    """

    def __init__(self, seed: int, widths: Mapping[str, int]) -> None:
        self.seed = check_seed(seed)
        self.widths = MappingProxyType({name: int(widths[name]) for name in sorted(widths)})
        self._block = -1
        self._drawn: dict[str, Array] = {}

    def at(self, frame: int) -> dict[str, Array]:
        """Return the noise of one frame: name -> float32 [width], read-only."""
        block, row = divmod(frame, BLOCK)
        if block != self._block:
            self._draw(block)
        return {name: values[row] for name, values in self._drawn.items()}

    def _draw(self, block: int) -> None:
        generator = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, block]))
        drawn = generator.standard_normal((BLOCK, sum(self.widths.values())), np.float32)
        start = 0
        for name, width in self.widths.items():
            # Contiguous per name, so that a row goes to the graph without a copy.
            values = np.ascontiguousarray(drawn[:, start : start + width])
            values.flags.writeable = False
            self._drawn[name] = values
            start += width
        self._block = block
