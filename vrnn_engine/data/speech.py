"""Speech corpora: recordings joined to one long signal a split, walked as lanes of frames of samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vrnn_engine.data.batches import Batch, Floats, lane_chunks
from vrnn_engine.data.cache import decode
from vrnn_engine.data.layouts import Layout, find_recordings
from vrnn_engine.data.recordings import QUANTUM
from vrnn_engine.data.signal import Joined, Noise
from vrnn_engine.data.skipped import warn_of_skipped
from vrnn_engine.errors import DataError

FITTING_FRAMES = 360_000
"""At most this much of the training split is given for a basis to fit: 75 minutes of the paper's frames, 275 MiB."""
FITTING_STRETCH = 800
"""Frames of each stretch of it, where it is a part."""


class SpeechCorpus:
    """Recordings of one rate, normalised by one global mean and sd of the training split.

    They are read from a cache on disk (see `vrnn_engine.data.cache`), never as a whole.

    Parameters
    ----------
    folder : Path
        Recordings, as `layout` has them; see `vrnn_engine.data.layouts.find_recordings`.
    rate : int
        Hz.  Recordings of another rate are resampled; channels are averaged.
    frame_size, lanes, chunk, carry, context : int
        See `lane_chunks`.
    layout : str
        Name of the layout.
    strict : bool
        Refuse a corpus with recordings that cannot be read.  Else they are left out, with a logged warning.

    Attributes
    ----------
    skipped : tuple of str
        A line (which, and why) for each recording left out.

    Raises
    ------
    DataError
        No folder, no recordings, none that can be read, or a split too short for its lanes.
    """

    def __init__(
        self,
        folder: Path,
        rate: int,
        frame_size: int,
        lanes: int,
        chunk: int,
        carry: int,
        context: int,
        layout: Layout = "folders",
        strict: bool = False,
    ):
        self.frame_size = frame_size
        self.lanes = {"lanes": lanes, "chunk": chunk, "carry": carry, "context": context}
        files = find_recordings(folder, layout)
        self.parts, self.skipped = decode(files, rate, strict)
        warn_of_skipped(folder, self.skipped, sum(map(len, files.values())), "recordings")
        least = (lanes * chunk + context + 1) * frame_size  # an epoch begins up to a frame late
        for split, part in self.parts.items():
            if (have := len(part.samples)) < least:
                raise DataError(
                    f"{folder}: its {split} part has {have / rate:.1f} s, fewer than the {least / rate:.1f} s that "
                    f"{lanes} lanes of {chunk} frames need; give more data or fewer lanes"
                )
        self.mean: tuple[float, ...] = (self.parts["train"].mean * QUANTUM,)
        self.std: tuple[float, ...] = (self.parts["train"].std * QUANTUM,)
        if not self.std[0] > 0:
            raise DataError(f"{folder}: its train part is silent")

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """One pass over a split as lanes; `rng`, a fresh PCG64 generator, shuffles, offsets and dequantises it."""
        part = self.parts[split]
        if rng is None:
            signal, noise = Joined(part), None
        else:
            order = rng.permutation(len(part.bounds) - 1)
            signal = Joined(part, order, int(rng.integers(self.frame_size)))
            noise = Noise(rng)
        frames = len(signal) // self.frame_size
        return lane_chunks(lambda first, count: self._frames(signal, noise, first, count), frames, **self.lanes)

    def fitting_signal(self) -> Floats:
        """Training frames [T, F]: all, or a fixed random choice of stretches of a long split."""
        signal = Joined(self.parts["train"])
        frames = len(signal) // self.frame_size
        if frames <= FITTING_FRAMES:
            return self._frames(signal, None, 0, frames)
        places, count = frames // FITTING_STRETCH, FITTING_FRAMES // FITTING_STRETCH
        chosen = np.sort(np.random.default_rng(0).choice(places, count, replace=False)) * FITTING_STRETCH
        return np.concatenate([self._frames(signal, None, int(first), FITTING_STRETCH) for first in chosen])

    def _frames(self, signal: Joined, noise: Noise | None, first: int, count: int) -> Floats:
        """Frames [count, F] of a signal from frame `first` on, normalised."""
        where = first * self.frame_size, count * self.frame_size
        samples = signal.read(*where).astype(np.float32)
        if noise is not None:
            samples += noise.read(*where) - 0.5
        samples *= QUANTUM / self.std[0]
        samples -= self.mean[0] / self.std[0]
        return samples.reshape(count, self.frame_size)
