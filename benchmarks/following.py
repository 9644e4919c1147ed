"""How what was sent to a sound device is found in what was heard from it."""

from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.audio.fader import FADE_SECONDS

ROUNDING = 0.5 / 32768
"""Half a step of 16 bits."""
CHUNK = 0.1
"""Seconds of sound that are looked for in what was heard."""


@dataclass
class Followed:
    """How what was sent was found in what was heard."""

    compared: int
    differing: int
    gaps: list[tuple[int, int]]
    """Samples sent before it, and how many more were heard than sent in it (fewer, where negative)."""
    offset: int
    """Samples heard before the first of what was sent."""

    def place(self, sample: int) -> int:
        """Return where in what was heard a sample is."""
        return sample + self.offset + sum(more for at, more in self.gaps if at <= sample)


def follow(sent: np.ndarray, heard: np.ndarray, rate: int) -> Followed:
    """Compare what was sent with what was heard, less the fades; after a gap, find it again."""
    chunk, reach, faded = round(CHUNK * rate), 3 * rate, round(FADE_SECONDS * rate)
    offset = locate(heard, sent[chunk : 2 * chunk]) - chunk
    found = Followed(0, 0, [], offset)
    at, end, shift = faded, len(sent) - faded, offset
    while at < end:
        part = heard[at + shift : end + shift]
        wrong = np.flatnonzero(np.abs(part - sent[at : at + len(part)]) > ROUNDING)
        first = at + int(wrong[0]) if len(wrong) else at + len(part)
        found.compared += first - at
        again = first + chunk
        near = max(again + shift - reach, 0)
        about = heard[near : again + shift + reach + chunk]
        if again + chunk > end or len(about) < chunk:  # what is left is too short to be found
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
    """Return where in what was heard the sound is most like a chunk, by the least sum of squares."""
    size = 1 << (len(heard) + len(chunk)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(chunk, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(heard, dtype=np.float64))])
    places = len(heard) - len(chunk) + 1
    return int(np.argmin(energy[len(chunk) :] - energy[:places] - 2 * product[:places]))
