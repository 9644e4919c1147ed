"""Speech corpora: the recordings of each split as one long signal, cut into parallel lanes of frames."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.augment.lanes import augmented_chunks
from vrnn_engine.data.batches import SPLITS, Batch, Floats, lane_chunks
from vrnn_engine.data.cache import Decoded, Share, decode
from vrnn_engine.data.layouts import Layout, find_recordings, recordings_in
from vrnn_engine.data.options import SpeechData
from vrnn_engine.data.recordings import QUANTUM
from vrnn_engine.data.signal import Joined, Noise
from vrnn_engine.data.skipped import warn_of_skipped
from vrnn_engine.errors import DataError

FITTING_FRAMES = 360_000
"""Largest number of training frames that a basis is fitted to: 75 minutes of the paper's frames, 275 MiB."""
FITTING_STRETCH = 800
"""Length in frames of each stretch, if only some stretches of the training split are used."""
HELD_OUT = 0.1
"""Share of a recording that is split in time that is for validation, and share that is for testing."""
SHARES = {"train": (0.0, 1 - 2 * HELD_OUT), "valid": (1 - 2 * HELD_OUT, 1 - HELD_OUT), "test": (1 - HELD_OUT, 1.0)}
"""Where each split begins and ends in a recording that is split in time."""
MANY_RECORDINGS = 20
"""With fewer recordings, the layout `recordings` splits each of them in time."""


_USES = (("train", "for training"), ("valid", "for validation"), ("test", "for the test"))


class SpeechCorpus:
    """Recordings of one rate, normalised by the mean and sd of the training split.

    Recordings are read from a cache on disk (see `vrnn_engine.data.cache`); they are never all in memory.

    Parameters
    ----------
    folder : Path
        The recordings, sorted as `options.layout` says; see `vrnn_engine.data.layouts.find_recordings`.  Or a single
        recording, which is split in time: 80 % are `train`, the next 10 % `valid`, and the last 10 % `test`.  With the
        layout `recordings`, each of fewer than `MANY_RECORDINGS` recordings is split in time as well.
    options : SpeechData
        Rate, layout, lanes and chunks.  Recordings of another rate are resampled.
    frame_size : int
        F, samples in a frame, those of all channels together.
    context : int
        Number of frames that the basis needs before the first frame.
    strict : bool
        Raise an error if a recording cannot be read, instead of leaving it out with a logged warning.
    channels : int
        1: the channels of a recording are averaged.  2: frames interleave the samples of the first two channels.

    Attributes
    ----------
    parts : dict of str to Decoded
        Samples of each split.
    skipped : tuple of str
        For each skipped recording, its path and the reason.
    mean, std : tuple of one float
        Of the samples of the training split, where full scale is +-1.

    Raises
    ------
    DataError
        The path does not exist or has no readable recording, or a split is silent or too short for its lanes.
    """

    def __init__(
        self, folder: Path, options: SpeechData, frame_size: int, context: int, strict: bool = False, channels: int = 1
    ):
        self.options, self.frame_size, self.context = options, frame_size, context
        self.channels, self._block = channels, frame_size // channels
        self.parts, self.skipped = self._read(folder, strict)
        rate, lanes, chunk = options.rate, options.lanes, options.chunk
        least = (lanes * chunk + context + 1) * self._block  # an epoch may drop almost one frame at its start
        for split, part in self.parts.items():
            if (have := len(part.samples)) < least:
                raise DataError(
                    f"{folder}: its {split} split has {have / rate:.1f} s, fewer than the {least / rate:.1f} s that "
                    f"{lanes} lanes of {chunk} frames need; give more data or fewer lanes"
                )
        self.mean: tuple[float, ...] = (self.parts["train"].mean * QUANTUM,)
        self.std: tuple[float, ...] = (self.parts["train"].std * QUANTUM,)
        if not self.std[0] > 0:
            raise DataError(f"{folder}: its train split is silent; use other recordings")

    def _read(self, folder: Path, strict: bool) -> tuple[dict[str, Decoded], tuple[str, ...]]:
        """Return the samples of each split, and for each skipped recording its path and the reason."""
        if folder.is_file():
            return _decode_in_time(folder, self.options.rate, self.channels), ()
        files, shares = _sources(folder, self.options.layout)
        parts, skipped = decode(files, self.options.rate, strict, shares, self.channels)
        count = len({path for paths in files.values() for path in paths})
        warn_of_skipped(folder, skipped, count, "recordings")
        return parts, skipped

    @property
    def about(self) -> str:
        """The rate, the frame and the length of each split, in words."""
        rate = self.options.rate
        lengths = ", ".join(f"{len(self.parts[name].samples) / rate / 60:.1f} min {what}" for name, what in _USES)
        kind = "stereo" if self.channels == 2 else "mono"
        return f"{rate:,} Hz, {kind}, frames of {self._block:,} samples ({1000 * self._block / rate:.0f} ms); {lengths}"

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Yield the batches of one pass over a split.

        Parameters
        ----------
        split : str
            `train`, `valid` or `test`.
        rng : Generator or None
            A generator with PCG64.  It shuffles the recordings, shifts the frames by a random number of samples and
            draws the dequantisation noise.  For `train`, a child of it draws the recording conditions, if the options
            have `augment`.  None gives every pass the same batches.
        """
        part, options = self.parts[split], self.options
        if rng is None:
            signal, noise = Joined(part), None
        else:
            order = rng.permutation(len(part.bounds) - 1)
            signal = Joined(part, order, int(rng.integers(self._block)))
            noise = Noise(rng)
        if split == "train" and rng is not None and options.augment:
            # A generator of its own, so that the clean stretches are those of a run without augmentation.
            return augmented_chunks(
                signal,
                lambda samples, first: self._normalised(samples, noise, first),
                self._block,
                options,
                options.augment,
                self.context,
                part.std,
                rng.spawn(1)[0],
            )
        frames = len(signal) // self._block
        return lane_chunks(
            lambda first, count: self._frames(signal, noise, first, count),
            frames,
            options.lanes,
            options.chunk,
            options.carry,
            self.context,
        )

    def fitting_signal(self) -> Floats:
        """Return normalised training frames [T, F]: all frames, or a fixed random selection if the split is long."""
        signal = Joined(self.parts["train"])
        frames = len(signal) // self._block
        if frames <= FITTING_FRAMES:
            return self._frames(signal, None, 0, frames)
        places, count = frames // FITTING_STRETCH, FITTING_FRAMES // FITTING_STRETCH
        chosen = np.sort(np.random.default_rng(0).choice(places, count, replace=False)) * FITTING_STRETCH
        return np.concatenate([self._frames(signal, None, int(first), FITTING_STRETCH) for first in chosen])

    def _frames(self, signal: Joined, noise: Noise | None, first: int, count: int) -> Floats:
        """Return frames [count, F] of a signal from frame `first` on, normalised."""
        return self._normalised(signal.read(first * self._block, count * self._block), noise, first)

    def _normalised(self, quantised: NDArray[np.int16], noise: Noise | None, first: int) -> Floats:
        """Return frames [n, F] of samples, normalised; the first sample is in frame `first` of the signal."""
        samples = quantised.astype(np.float32).ravel()
        if noise is not None:
            samples += noise.read(first * self.frame_size, len(samples)) - 0.5
        samples *= QUANTUM / self.std[0]
        samples -= self.mean[0] / self.std[0]
        return samples.reshape(-1, self.frame_size)


def _sources(folder: Path, layout: Layout) -> tuple[dict[str, list[Path]], dict[str, Share] | None]:
    """Return the recordings of each split, and the share of each recording that is in the split; None for all of it."""
    sorted_already = all((folder / split).is_dir() for split in SPLITS)
    if layout == "recordings" and not sorted_already and 0 < len(few := recordings_in(folder)) < MANY_RECORDINGS:
        return dict.fromkeys(SPLITS, few), SHARES
    return find_recordings(folder, layout), None


def _decode_in_time(path: Path, rate: int, channels: int) -> dict[str, Decoded]:
    """Return the splits of a single recording: its beginning for training, its end for testing."""
    parts, _ = decode({"whole": [path]}, rate, strict=True, channels=channels)
    samples = parts["whole"].samples
    count, held_out = len(samples), round(HELD_OUT * len(samples))
    ends = (0, count - 2 * held_out, count - held_out, count)
    return {
        split: Decoded.of(samples[begin:end], [0, end - begin])
        for split, (begin, end) in zip(SPLITS, pairwise(ends), strict=True)
    }
