"""What a folder of recordings consists of: its rate, its channels and its length, read from the files' headers."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from vrnn_engine.base.reading.sound_files import open_sound
from vrnn_engine.data.layouts import recordings_in
from vrnn_engine.errors import DataError

COMPARED_SECONDS = 10
"""Length of the beginning of a recording in which its channels are compared."""


@dataclass(frozen=True)
class Material:
    """What most of the sound in some recordings has; recordings that cannot be read do not count."""

    rate: int
    """Sampling rate in Hz."""
    channels: int
    """1 or 2.  Recordings with two equal channels count as mono, those with more than two channels as stereo."""
    seconds: float
    """Length of all recordings together."""
    recordings: int
    """Number of recordings."""


def survey(path: Path) -> Material:
    """Read what recordings consist of, from their headers and first seconds.

    Parameters
    ----------
    path : Path
        A folder of recordings, or a single recording.

    Raises
    ------
    DataError
        There is no recording that can be read.
    """
    files = [path] if path.is_file() else recordings_in(path)
    rates, channels = Counter[int](), Counter[int]()
    count = 0
    for file in files:
        try:
            with open_sound(file) as sound:
                seconds = sound.frames / sound.samplerate
                rates[sound.samplerate] += seconds
                channels[_channels(sound)] += seconds
                count += 1
        except (OSError, soundfile.LibsndfileError):
            continue  # the corpus reports it
    if not sum(rates.values()):
        raise DataError(f"{path}: no recording here can be read; is it the right folder?")
    (rate, _), (most, _) = rates.most_common(1)[0], channels.most_common(1)[0]
    return Material(rate, most, float(sum(rates.values())), count)


def _channels(sound: soundfile.SoundFile) -> int:
    """Return 2 if a recording's first two channels differ in its first seconds, else 1."""
    if sound.channels == 1:
        return 1
    begin = sound.read(COMPARED_SECONDS * sound.samplerate, dtype="float32", always_2d=True)
    return 1 if np.array_equal(begin[:, 0], begin[:, 1]) else 2
