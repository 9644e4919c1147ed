"""Speech corpora: a folder of recordings, split by folder or by prompt, as frames of samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from vrnn_engine.data.batches import SPLITS, Batch, Floats, lane_chunks, split_by_hash
from vrnn_engine.errors import DataError

SUFFIXES = {".flac", ".wav", ".ogg", ".mp3"}
QUANTUM = 1 / 32768
"""One step of 16-bit audio: what uniform dequantisation noise spreads a sample over."""


class SpeechCorpus:
    """Recordings of one rate, normalised by one global mean and sd of the training split.

    Parameters
    ----------
    folder : Path
        Recordings in `train/`, `valid/` and `test/`; or in any tree, then split 0.9/0.05/0.05 by a
        hash of the file name up to its second underscore (takes of one prompt stay together).
    rate : int
        Hz.  Recordings of another rate are resampled; channels are averaged.
    frame_size, lanes, chunk, carry, context : int
        See `lane_chunks`.

    Raises
    ------
    DataError
        No folder, no recordings, an unreadable file, or a split too short for its lanes.
    """

    def __init__(self, folder: Path, rate: int, frame_size: int, lanes: int, chunk: int, carry: int, context: int):
        self.frame_size = frame_size
        self.layout = {"lanes": lanes, "chunk": chunk, "carry": carry, "context": context}
        files = find_recordings(folder)
        self.recordings = {split: [read_mono(path, rate) for path in files[split]] for split in SPLITS}
        least = (lanes * chunk + context + 1) * frame_size  # an epoch begins up to a frame late
        for split, recordings in self.recordings.items():
            if (have := sum(map(len, recordings))) < least:
                raise DataError(
                    f"{folder}: its {split} part has {have / rate:.1f} s, fewer than the {least / rate:.1f} s that "
                    f"{lanes} lanes of {chunk} frames need; give more data or fewer lanes"
                )
        everything = np.concatenate(self.recordings["train"])
        self.mean: tuple[float, ...] = (float(everything.mean(dtype=np.float64)) * QUANTUM,)
        self.std: tuple[float, ...] = (float(everything.std(dtype=np.float64)) * QUANTUM,)
        if not self.std[0] > 0:
            raise DataError(f"{folder}: its train part is silent")

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """One pass over a split as lanes; `rng` shuffles, offsets and dequantises it."""
        recordings = self.recordings[split]
        if rng is not None:
            recordings = [recordings[i] for i in rng.permutation(len(recordings))]
            start = int(rng.integers(self.frame_size))
            recordings = [recordings[0][start:], *recordings[1:]]
        return lane_chunks(self._frames(recordings, rng), **self.layout)

    def fitting_signal(self) -> Floats:
        """Training frames [T, F]."""
        return self._frames(self.recordings["train"], None)

    def _frames(self, recordings: list[NDArray[np.int16]], rng: np.random.Generator | None) -> Floats:
        signal = np.concatenate(recordings).astype(np.float32)
        if rng is not None:
            signal += rng.random(len(signal), dtype=np.float32) - 0.5
        signal *= QUANTUM / self.std[0]
        signal -= self.mean[0] / self.std[0]
        return signal[: len(signal) // self.frame_size * self.frame_size].reshape(-1, self.frame_size)


def find_recordings(folder: Path) -> dict[str, list[Path]]:
    """Return the recordings of each split, sorted by path."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of recordings")
    if all((folder / split).is_dir() for split in SPLITS):
        files = {split: _recordings_in(folder / split) for split in SPLITS}
    else:
        files = {split: [] for split in SPLITS}
        for path in _recordings_in(folder):
            prompt = "_".join(path.stem.split("_")[:2])
            files[split_by_hash(prompt)].append(path)
    for split, found in files.items():
        if not found:
            raise DataError(
                f"{folder}: no recordings ({', '.join(sorted(SUFFIXES))}) for its {split} part; sort them "
                "into train/, valid/ and test/, or give more"
            )
    return files


def read_mono(path: Path, rate: int) -> NDArray[np.int16]:
    """Return a recording as 16-bit mono at `rate` Hz."""
    try:
        samples, its_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"{path}: not a readable recording: {error}") from None
    mono = samples.mean(axis=1)
    if its_rate != rate:
        import soxr

        mono = soxr.resample(mono, its_rate, rate)
    return np.clip(np.rint(mono / QUANTUM), -32768, 32767).astype(np.int16)


def _recordings_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
