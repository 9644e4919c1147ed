"""An open output device and the ring that it plays from.

Threads: everything but `_play` belongs to the producer.  `_play` is called by PortAudio on a thread of its own, and
only copies: no inference, lock, log or print, and nothing allocated beyond array views.  They share a `Ring`.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vrnn_engine.runtime.audio.portaudio import (
    PATIENCE,
    DeviceGone,
    close_stream,
    find_device,
    load_sounddevice,
    open_stream,
    settle,
    start_stream,
)
from vrnn_engine.runtime.audio.ring import Ring


class OutputDevice:
    """Plays samples at a voice's rate; starts when its ring is full, or at `finish`.

    Parameters
    ----------
    wanted : str
        A part of the device's name, or its index; `` for the default one.
    rate : int
        Samples per second of what it is given; resampled where the device does not take that.
    latency : float
        Depth of the ring in seconds.
    least : int
        Samples that the ring has room for at least.
    channels : int, optional
        How many to play on, the same on each; 1 where the device takes that, else 2, if not given.

    Attributes
    ----------
    name : str
    ring : Ring
    underruns : int
        How often it found nothing to play.

    Raises
    ------
    SinkError
        It is unknown, or cannot be opened like this.
    """

    def __init__(self, wanted: str, rate: int, latency: float, least: int, channels: int | None = None) -> None:
        self._sounddevice = load_sounddevice()
        device = find_device(self._sounddevice, wanted)
        own, count = settle(self._sounddevice, device, rate, channels)
        self.name = str(device["name"])
        self.underruns = 0
        self._ratio = rate / own
        self._resampler = None
        if own != rate:
            import soxr

            self._resampler = soxr.ResampleStream(rate, own, 1, dtype="float32")
        self.ring = Ring(max(round(latency * own), round(least / self._ratio)))
        self._nap = min(self.ring.capacity / own / 8, 0.005)
        self._started = False
        self._finishing = False
        self._done = self._sounddevice.CallbackStop
        self._stream = open_stream(self._sounddevice, device, own, count, latency, self._play)
        self.delay = float(self._stream.latency)
        """Seconds that the device itself holds, as PortAudio says."""
        # A device asks for its whole buffer at once when it starts, which would empty the ring, and some swallow the
        # first milliseconds: let them have silence.
        self._lead = round((self.delay + 0.02) * own)
        # What ends a stream is not always played to the end (ALSA drops its buffer): follow it with silence, for as
        # long as the device may hold sound back.
        self._trail = round((self.delay + 0.06) * own)

    def _play(self, out: np.ndarray, frames: int, when: object, status: Any) -> None:
        # PortAudio's thread.
        if self._lead > 0:
            self._lead -= frames
            out.fill(0.0)
            return
        column = out[:, 0]
        found = self.ring.read_into(column)
        for channel in range(1, out.shape[1]):  # not all at once: numpy would copy what might overlap
            out[:, channel] = column
        if not self._finishing and (found < frames or status.output_underflow):
            self.underruns += 1
        if found < frames and self._finishing:
            if self._trail > 0:
                self._trail -= frames
            else:
                raise self._done

    def put(self, samples: np.ndarray) -> None:
        """Put samples `[n]` into the ring, waiting for room by short sleeps; raise `DeviceGone` if none is made."""
        self._fill(samples if self._resampler is None else self._resampler.resample_chunk(samples))

    def finish(self) -> None:
        """Play what is left, and wait for that; raise `DeviceGone` if it is not played."""
        if self._resampler is not None:
            self._fill(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        self._finishing = True
        if not self._started and self.ring.filled:
            self._start()
        if self._started:
            self._wait_until(lambda: not self._stream.active)
            if self.ring.filled:
                raise DeviceGone("it stopped before the end")

    def close(self) -> None:
        """Fall silent at once and let go of the device."""
        close_stream(self._stream)

    @property
    def pending(self) -> int:
        """Samples, at the voice's rate, that wait in the ring."""
        return round(self.ring.filled * self._ratio)

    @property
    def played(self) -> int:
        """Samples, at the voice's rate, that the device has taken."""
        return round(self.ring.taken * self._ratio)

    def _fill(self, samples: np.ndarray) -> None:
        samples = np.clip(samples, -1.0, 1.0)
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
        patience = time.monotonic() + PATIENCE
        taken = self.ring.taken
        while not ready():
            if self.ring.taken != taken:
                taken, patience = self.ring.taken, time.monotonic() + PATIENCE
            elif time.monotonic() > patience or (not self._stream.active and not self._finishing):
                raise DeviceGone("it takes no more sound")
            time.sleep(self._nap)
