"""Aligns a recording of a sound device with the samples that were sent to it, and counts differences and gaps."""

from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.audio.fader import FADE_SECONDS

ROUNDING = 0.5 / 32768
"""Half a 16-bit step, full scale 1."""
CHUNK = 0.1
"""Seconds of sound that are searched for in the recording."""


@dataclass
class Alignment:
    """How the samples sent lie in the recording."""

    compared: int
    """Samples compared."""
    differing: int
    """Samples that differ by more than `ROUNDING`."""
    gaps: list[tuple[int, int]]
    """For each gap: the samples sent before it, and how many extra samples were recorded (negative: were lost)."""
    offset: int
    """Samples recorded before the first one sent."""

    def place(self, sample: int) -> int:
        """Return the index in the recording of a sample sent."""
        return sample + self.offset + sum(more for at, more in self.gaps if at <= sample)


def align(sent: np.ndarray, heard: np.ndarray, rate: int) -> Alignment:
    """Compare the samples sent, less the fades, with a recording of them; after a gap, find the place again."""
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
        if again + chunk > end or len(about) < chunk:  # the rest is too short to be found
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
    """Return the index in a recording at which a chunk fits best: the least sum of squared differences."""
    size = 1 << (len(heard) + len(chunk)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(chunk, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(heard, dtype=np.float64))])
    places = len(heard) - len(chunk) + 1
    return int(np.argmin(energy[len(chunk) :] - energy[:places] - 2 * product[:places]))
