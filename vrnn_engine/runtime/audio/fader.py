"""Changes the volume without clicks, and fades in at the start and out at the end.

Threads: one thread calls `start`, `push` and `finish`; any thread may set `volume`.
"""

import math

import numpy as np

from vrnn_engine.errors import SinkError

FADE_SECONDS = 0.005
"""Duration of the fade-in and of the fade-out."""
MAX_VOLUME = 20.0
"""Highest volume in dB; catches typos."""


class Fader:
    """Applies volume and fades to a stream of samples, block by block.

    A change of volume is spread over the next block as a linear ramp.  The last `FADE_SECONDS` of samples are held
    back, because they must fade out if no more samples follow.

    Parameters
    ----------
    volume : float
        Volume in dB; 0 changes nothing, -inf is silence.

    Raises
    ------
    SinkError
        `volume` is above `MAX_VOLUME`, or not a number.
    """

    def __init__(self, volume: float = 0.0) -> None:
        self.volume = volume
        self.start(0)

    @property
    def volume(self) -> float:
        """Volume in dB, at most `MAX_VOLUME`."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        try:
            number = float(volume)
        except (TypeError, ValueError):
            number = math.nan
        if not number <= MAX_VOLUME:
            raise SinkError(
                f"a volume of {volume!r} dB is not possible; give at most {MAX_VOLUME:g} (0 changes nothing)"
            )
        self._volume = number
        self._target_gain = 10 ** (number / 20)

    @property
    def held(self) -> int:
        """Number of samples held back."""
        return len(self._held)

    def start(self, rate: int, channels: int = 1) -> None:
        """Begin a stream with a fade-in, and discard samples held back from an earlier one.

        Parameters
        ----------
        rate : int
            Samples per second.
        channels : int
            Number of channels.  If there are several, blocks have the shape [n, channels].
        """
        self._shape = (-1,) if channels == 1 else (-1, 1)  # of a gain for each sample
        self._nothing = np.zeros(0 if channels == 1 else (0, channels), np.float32)
        self._ramp = (np.sin(np.linspace(0, np.pi / 2, round(FADE_SECONDS * rate) + 1)[1:]) ** 2).astype(np.float32)
        self._faded_in = 0  # samples of the fade-in that are done
        self._held = self._nothing
        self._gain = self._target_gain

    def push(self, block: np.ndarray) -> np.ndarray:
        """Process a block.

        Parameters
        ----------
        block : ndarray, float32, shape [n] or [n, channels]
            The next samples.

        Returns
        -------
        ndarray, float32, shape [m] or [m, channels]
            The samples that are ready: earlier ones that were held back, then those of the block except the last
            `FADE_SECONDS`.
        """
        start, end = self._gain, self._target_gain
        self._gain = end
        if start != end and len(block):
            block = block * np.linspace(start, end, len(block) + 1, dtype=np.float32)[1:].reshape(self._shape)
        elif end != 1.0:
            block = block * np.float32(end)
        ramp = self._ramp[self._faded_in : self._faded_in + len(block)]
        if len(ramp):
            block = np.concatenate([block[: len(ramp)] * ramp.reshape(self._shape), block[len(ramp) :]])
            self._faded_in += len(ramp)
        samples = np.concatenate([self._held, block])
        ready = max(len(samples) - len(self._ramp), 0)
        self._held = samples[ready:]
        return samples[:ready]

    def finish(self) -> np.ndarray:
        """Return the samples held back, faded out to silence: float32, shape [n] or [n, channels]."""
        held, self._held = self._held, self._nothing
        # The reversed ramp without its value of 1, followed by 0: the last sample is silent.
        ramp = np.append(self._ramp[:-1][::-1], np.float32(0.0))[len(self._ramp) - len(held) :]
        return held * ramp.reshape(self._shape)
