"""The fader of a sound device: volume without clicks, a rise at the start and a fall at the end.

Threads: one pushes; any may set `volume`.
"""

import math

import numpy as np

from vrnn_engine.errors import SinkError

FADE = 0.005
"""Seconds of a rise or a fall."""
LOUDEST = 20.0
"""dB that may be asked for at most."""


class Fader:
    """What a stream of samples goes through on its way to a device.

    The last `FADE` seconds are held back, for only at the end is it known that they are the last.

    Parameters
    ----------
    volume : float
        dB; 0 changes nothing, -inf is silence.
    """

    def __init__(self, volume: float = 0.0) -> None:
        self.volume = volume
        self.start(0)

    @property
    def volume(self) -> float:
        """dB.  What is pushed next goes there in a straight line; raises `SinkError` above `LOUDEST`."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        try:
            number = float(volume)
        except (TypeError, ValueError):
            number = math.nan
        if not number <= LOUDEST:
            raise SinkError(f"a volume of {volume!r} dB cannot be; give at most {LOUDEST:g} (0 changes nothing)")
        self._volume = number
        self._wanted = 10 ** (number / 20)

    @property
    def held(self) -> int:
        """Samples held back."""
        return len(self._held)

    def start(self, rate: int) -> None:
        """Begin a stream of so many samples per second; forget what is held back of one before."""
        self._rise = (np.sin(np.linspace(0, np.pi / 2, round(FADE * rate) + 1)[1:]) ** 2).astype(np.float32)
        self._risen = 0
        self._held = np.zeros(0, np.float32)
        self._gain = self._wanted

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take samples `[n]`; return those that are ready."""
        start, end = self._gain, self._wanted
        self._gain = end
        if start != end and len(block):
            block = block * np.linspace(start, end, len(block) + 1, dtype=np.float32)[1:]
        elif end != 1.0:
            block = block * np.float32(end)
        rising = self._rise[self._risen : self._risen + len(block)]
        if len(rising):
            block = np.concatenate([block[: len(rising)] * rising, block[len(rising) :]])
            self._risen += len(rising)
        samples = np.concatenate([self._held, block])
        ready = max(len(samples) - len(self._rise), 0)
        self._held = samples[ready:]
        return samples[:ready]

    def finish(self) -> np.ndarray:
        """Return what is held back, falling to silence."""
        held, self._held = self._held, np.zeros(0, np.float32)
        # The rise backwards, less its full end: the last sample is silence.
        return held * np.append(self._rise[:-1][::-1], np.float32(0.0))[len(self._rise) - len(held) :]
