"""Opens an output device and plays samples from a ring buffer.

Threads: PortAudio calls `_play` on a thread of its own.  It only copies samples: no inference, no lock, no log, no
print, and nothing allocated but array views.  Everything else belongs to the producer's thread.  The two share a
`Ring`.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vrnn_engine.base.resampler import Resampler
from vrnn_engine.runtime.audio.devices import choose_rate_and_channels, find_device
from vrnn_engine.runtime.audio.limiter import CEILING, Limiter
from vrnn_engine.runtime.audio.portaudio import (
    STALL_SECONDS,
    DeviceLost,
    close_stream,
    load_sounddevice,
    open_stream,
    start_stream,
)
from vrnn_engine.runtime.audio.ring import Ring

_LEAD_SECONDS = 0.02
_TRAIL_SECONDS = 0.06


class OutputDevice:
    """Plays samples on a device.  The device starts when the ring is full, or at `finish`.

    Parameters
    ----------
    wanted : str
        The device's index, its name or a part of it; empty for the default device.
    rate : int
        Rate of the samples in Hz.  They are resampled if the device does not accept this rate.
    latency : float
        Capacity of the ring in seconds.
    least : int
        Smallest allowed capacity of the ring in samples, at `rate`.
    channels : int, optional
        Number of channels of the device; by default as many as the sound has if the device accepts them, and otherwise
        2 or 1.  More channels repeat the sound; a single one has the mean of a stereo sound.
    ceiling : float
        Largest magnitude of a sample that the device gets, in dB relative to full scale.
    sound : int
        Number of channels of the sound, 1 or 2.

    Attributes
    ----------
    name : str
        Full name of the device.
    ring : Ring
        The samples that wait to be played, at the device's rate.
    underruns : int
        Number of gaps in the sound, because a callback found too few samples or the device's own buffer ran empty.
    delay : float
        Seconds of sound that the device itself buffers, as PortAudio reports it.
    limiter : Limiter
        Limits the samples, at the device's rate.

    Raises
    ------
    SinkError
        There is no such device, or it cannot be opened with these parameters.
    """

    def __init__(
        self,
        wanted: str,
        rate: int,
        latency: float,
        least: int,
        channels: int | None = None,
        ceiling: float = CEILING,
        sound: int = 1,
    ) -> None:
        self._sounddevice = load_sounddevice()
        device = find_device(self._sounddevice, wanted)
        device_rate, count = choose_rate_and_channels(self._sounddevice, device, rate, channels, stereo=sound == 2)
        self._mixed = count < sound
        self._sound = 1 if self._mixed else sound
        self.name = str(device["name"])
        self.underruns = 0
        self._ratio = rate / device_rate
        self._resampler = None if device_rate == rate else Resampler(rate, device_rate, self._sound)
        self.limiter = Limiter(device_rate, ceiling)
        self.ring = Ring(max(round(latency * device_rate), round(least / self._ratio)), self._sound)
        self._pause = min(self.ring.capacity / device_rate / 8, 0.005)
        self._started = False
        self._in_gap = False  # whether the last callback ended with a gap
        self._finishing = False
        self._done = self._sounddevice.CallbackStop
        self._stream = open_stream(self._sounddevice, device, device_rate, count, latency, self._play)
        self.delay = float(self._stream.latency)
        # At its start a device requests its whole buffer at once, which would empty the ring, and some devices lose the
        # first milliseconds.  So it gets silence first.
        self._lead = round((self.delay + _LEAD_SECONDS) * device_rate)
        # Not every host API plays its buffer to the end (ALSA discards it).  So silence follows the sound, for as long
        # as the device may buffer.
        self._trail = round((self.delay + _TRAIL_SECONDS) * device_rate)

    def _play(self, out: np.ndarray, frames: int, when: object, status: Any) -> None:
        # On PortAudio's thread.
        if self._lead > 0:
            self._lead -= frames
            out.fill(0.0)
            return
        sound = self._sound
        found = self.ring.read_into(out[:, 0] if sound == 1 else out[:, :sound])
        for channel in range(sound, out.shape[1]):  # a loop, because numpy copies the source if both might overlap
            out[:, channel] = out[:, channel % sound]
        in_gap, self._in_gap = self._in_gap, found < frames
        if not self._finishing:
            # A long gap spans many callbacks. A callback that finds no sample continues the gap of the one before it.
            if (self._in_gap and not (in_gap and found == 0)) or (status.output_underflow and not in_gap):
                self.underruns += 1
        elif self._in_gap:
            if self._trail > 0:
                self._trail -= frames
            else:
                raise self._done

    def put(self, samples: np.ndarray) -> None:
        """Write samples into the ring; wait until it has room for them.

        Parameters
        ----------
        samples : ndarray, float32, shape [n] or [n, 2]
            Finite samples at the rate given to the constructor.  They are limited to the ceiling.

        Raises
        ------
        DeviceLost
            The device has stopped taking samples.
        """
        if self._mixed:
            samples = samples.mean(axis=1)
        if self._resampler is not None:
            samples = self._resampler.push(samples)
        self._fill(samples)

    def finish(self) -> None:
        """Play the rest of the ring, and wait until it has been played.

        Raises
        ------
        DeviceLost
            The device stops before the end.
        """
        if self._resampler is not None:
            self._fill(self._resampler.finish())
        self._finishing = True
        if not self._started and self.ring.filled:
            self._start()
        if self._started:
            self._wait_until(lambda: not self._stream.active)
            if self.ring.filled:
                raise DeviceLost("it stopped before the end")

    def close(self) -> None:
        """Stop at once and release the device."""
        close_stream(self._stream)

    @property
    def pending(self) -> int:
        """Samples in the ring, at the rate given to the constructor."""
        return round(self.ring.filled * self._ratio)

    @property
    def played(self) -> int:
        """Samples that the device has taken, at the rate given to the constructor."""
        return round(self.ring.taken * self._ratio)

    def _fill(self, samples: np.ndarray) -> None:
        samples = self.limiter.push(samples)
        while True:
            samples = samples[self.ring.write(samples) :]
            if not len(samples):
                return
            if not self._started:
                self._start()
            self._wait_until(lambda: self.ring.filled < self.ring.capacity)

    def _start(self) -> None:
        self._started = True
        start_stream(self._sounddevice, self._stream)

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for a condition; raise `DeviceLost` when the device has taken no sample for `STALL_SECONDS`."""
        deadline = time.monotonic() + STALL_SECONDS
        taken = self.ring.taken
        while not ready():
            if self.ring.taken != taken:
                taken, deadline = self.ring.taken, time.monotonic() + STALL_SECONDS
            elif time.monotonic() > deadline or (not self._stream.active and not self._finishing):
                raise DeviceLost("it has stopped taking samples")
            time.sleep(self._pause)
