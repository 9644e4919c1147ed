"""Reads frames from a microphone, and reconnects it after a disconnection.

Threads: PortAudio calls `_record` on a thread of its own; it only copies samples, as `OutputDevice._play` does.
Everything else belongs to the reader's thread.  The two share a `Ring`.
"""

import contextlib
import math
import time
from typing import Any

import numpy as np

from vrnn_engine.base.resampler import Resampler
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.audio.devices import choose_rate_and_channels, find_device
from vrnn_engine.runtime.audio.portaudio import (
    INPUT,
    STALL_SECONDS,
    DeviceLost,
    close_stream,
    load_sounddevice,
    open_stream,
    rescan,
    start_stream,
)
from vrnn_engine.runtime.audio.reconnect import Reconnect
from vrnn_engine.runtime.audio.ring import Ring
from vrnn_engine.runtime.voice.manifest import Manifest

SETTLING = 3.0
"""Seconds after the first read during which lost samples are not counted, because the output is still starting."""


class Microphone:
    """Reads the first channel of a sound device, at a voice's rate.

    The device starts with the first `read`.  After a disconnection, `read` returns silence and looks for the device
    once a second.

    Parameters
    ----------
    wanted : str
        The device's index, its name or a part of it; empty for the default device.
    manifest : Manifest
        Manifest of the voice that listens; gives the rate and the frame size.
    latency : float
        Seconds of sound to buffer before a read.  If nothing is read for a while, so that the buffer (twice as long)
        overflows, reading continues with the latest samples.
    strict : bool
        Whether a disconnection is an error.

    Attributes
    ----------
    live : bool
        True: frames arrive in real time.
    ready : bool
        False: `read` may wait for the next frame.
    seconds : float
        Duration of the input: infinite.
    label : str
        Name of the device in messages.
    conversions : tuple of str
        Description of each conversion, e.g. `48000 Hz to 16000 Hz`.

    Raises
    ------
    RecordingError
        There is no such device, or it cannot be opened.
    """

    live = True
    seconds = math.inf

    def __init__(self, wanted: str, manifest: Manifest, latency: float = 0.05, strict: bool = False) -> None:
        self._wanted = wanted
        self._rate, self._frame_size, self._channels = manifest.rate, manifest.samples_per_frame, manifest.channels
        self._latency = latency
        self._strict = strict
        self._missed = 0  # samples for which the ring had no room
        self._missed_before = 0  # the same, at the last read
        self._skipped = 0  # samples discarded to return to the latest ones
        self._excused = 0  # samples missed or skipped while settling
        self._stream: Any = None
        self._started: float | None = None
        self._reconnect = Reconnect("hearing silence")
        self._ready = np.zeros(0, np.float32)  # at the voice's rate
        self._open_device()

    @property
    def delay(self) -> float:
        """Time in seconds since the next frame began to sound, as far as PortAudio knows."""
        if self._stream is None:
            return 0.0
        return self._ring.filled / self._device_rate + len(self._ready) / self._rate + float(self._stream.latency)

    @property
    def dropped(self) -> int:
        """Samples, at the device's rate, that were lost because nothing was read."""
        return self._missed + self._skipped - self._excused

    def read(self) -> np.ndarray | None:
        """Wait for the next frame and return it.

        Returns
        -------
        ndarray, float32, shape [frame size]
            Zeros while the device is disconnected.

        Raises
        ------
        RecordingError
            The device is disconnected and `strict` was set, or it has never worked.
        """
        now = time.monotonic()
        if self._started is None:
            self._started = now
        if now - self._started < SETTLING:
            self._excused = self._missed + self._skipped
        if self._stream is None and self._reconnect.should_try():
            with contextlib.suppress(RecordingError):  # it is still disconnected
                rescan(load_sounddevice(INPUT))
                self._open_device()
        while self._stream is not None and len(self._ready) < self._frame_size:
            missing = self._frame_size - len(self._ready)
            try:
                self._take(math.ceil(missing * self._device_rate / self._rate))
            except DeviceLost as error:
                self._lose_device(error)
        if self._stream is None:
            self._reconnect.sleep(self._frame_size / self._rate)
            return np.zeros(self._frame_size * self._channels, np.float32)
        frame, self._ready = self._ready[: self._frame_size], self._ready[self._frame_size :]
        return np.repeat(frame, self._channels) if self._channels > 1 else frame  # stereo: the same on both sides

    def interrupt(self) -> None:
        """Do nothing: a `read` waits for a frame, and for a device that is silent no longer than `STALL_SECONDS`."""

    def close(self) -> None:
        """Release the device."""
        if self._stream is not None:
            close_stream(self._stream)
            self._stream = None

    def _record(self, data: np.ndarray, frames: int, when: object, status: object) -> None:
        # On PortAudio's thread.
        self._missed += frames - self._ring.write(data[:, 0])

    def _open_device(self) -> None:
        sounddevice = load_sounddevice(INPUT)
        device = find_device(sounddevice, self._wanted, INPUT)
        rate, channels = choose_rate_and_channels(sounddevice, device, self._rate, None, INPUT)
        self._device_rate = rate
        self.conversions: tuple[str, ...] = ()
        self._resampler = None
        if rate != self._rate:
            self.conversions = (f"{rate} Hz to {self._rate} Hz",)
            self._resampler = Resampler(rate, self._rate)
        self._stream = open_stream(sounddevice, device, rate, channels, self._latency, self._record, INPUT)
        # The ring has room for the samples that the device may deliver at once, and for an incomplete frame.
        seconds = 2 * self._latency + float(self._stream.latency) + 2 * self._frame_size / self._rate
        self._ring = Ring(round(seconds * rate))
        self._ready = np.zeros(0, np.float32)
        self._running = False
        self.label = f"microphone ({device['name']})"
        if self._wanted:  # keep the name, since a rescan may give the index to another device
            self._wanted = str(device["name"])

    def _take(self, count: int) -> None:
        """Wait for `count` samples at the device's rate and append them to those that are ready."""
        if not self._running:
            self._running = True
            start_stream(load_sounddevice(INPUT), self._stream)
        self._wait_for(count)
        if self._missed != self._missed_before:
            self._missed_before = self._missed
            keep = max(round(self._latency * self._device_rate), count)
            self._skipped += self._ring.read_into(np.empty(max(0, self._ring.filled - keep), np.float32))
        samples = np.empty(count, np.float32)
        self._ring.read_into(samples)
        self._reconnect.restored(self.label)
        if self._resampler is not None:
            samples = self._resampler.push(samples)
        self._ready = np.concatenate([self._ready, samples])

    def _wait_for(self, count: int) -> None:
        """Wait until the ring has `count` samples; raise `DeviceLost` when none has arrived for `STALL_SECONDS`."""
        written, deadline = self._ring.written, time.monotonic() + STALL_SECONDS
        while self._ring.filled < count:
            if self._ring.written != written:
                written, deadline = self._ring.written, time.monotonic() + STALL_SECONDS
            elif time.monotonic() > deadline or not self._stream.active:
                raise DeviceLost("it delivers no more sound")
            time.sleep(0.001)

    def _lose_device(self, error: DeviceLost) -> None:
        """Release a device that was disconnected; raise `RecordingError` if `strict`, or if it has never worked."""
        never_worked = not self._ring.written and not self._reconnect.disconnected
        self.close()
        if never_worked:
            raise RecordingError(f"{self.label} does not work: {error}; listen to a file instead")
        if self._strict:
            raise self._reconnect.error(self.label, error, RecordingError)
        self._reconnect.lost(self.label)
