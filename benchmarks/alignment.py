"""Aligns a recording of a sound device with the samples that were sent to it, and counts differences and gaps."""

from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.audio.fader import FADE_SECONDS

ROUNDING = 0.5 / 32768
"""Half a step of 16-bit samples, where full scale is 1."""
CHUNK = 0.1
"""Length in seconds of the piece of sound that is searched for in the recording."""


@dataclass
class Alignment:
    """Positions of the sent samples in the recording."""

    compared: int
    """Number of samples compared."""
    differing: int
    """Number of samples that differ by more than `ROUNDING`."""
    gaps: list[tuple[int, int]]
    """For each gap: the number of samples sent before it, and the number of extra samples recorded (negative: lost)."""
    offset: int
    """Number of samples recorded before the first sent sample."""

    def place(self, sample: int) -> int:
        """Return the index in the recording of a sent sample."""
        return sample + self.offset + sum(more for at, more in self.gaps if at <= sample)


def align(sent: np.ndarray, heard: np.ndarray, rate: int) -> Alignment:
    """Compare the sent samples, without the fades, with their recording; after a gap, search for the next samples."""
    chunk, reach, faded = round(CHUNK * rate), 3 * rate, round(FADE_SECONDS * rate)
    offset = locate(heard, sent[chunk : 2 * chunk]) - chunk
    found = Alignment(0, 0, [], offset)
    at, end, shift = faded, len(sent) - faded, offset
    while at < end:
        part = heard[at + shift : end + shift]
        wrong = np.flatnonzero(np.abs(part - sent[at : at + len(part)]) > ROUNDING)
        first = at + int(wrong[0]) if len(wrong) else at + len(part)
        found.compared += first - at
        again = first + chunk
        near = max(again + shift - reach, 0)
        about = heard[near : again + shift + reach + chunk]
        if again + chunk > end or len(about) < chunk:  # too few samples are left to search for
            found.compared += end - first
            found.differing += end - first
            break
        moved = locate(about, sent[again : again + chunk]) + near - again
        found.gaps.append((first, moved - shift))
        found.compared += chunk
        found.differing += chunk
        at, shift = again, moved
    return found


def locate(heard: np.ndarray, chunk: np.ndarray) -> int:
    """Return the index in a recording at which a chunk fits best, with the least sum of squared differences."""
    size = 1 << (len(heard) + len(chunk)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(chunk, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(heard, dtype=np.float64))])
    places = len(heard) - len(chunk) + 1
    return int(np.argmin(energy[len(chunk) :] - energy[:places] - 2 * product[:places]))
