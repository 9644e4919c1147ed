"""A microphone, which may vanish and come back.

Threads: everything but `_hear` belongs to the one that reads.  `_hear` is called by PortAudio on a thread of its own,
and only copies, as `OutputDevice._play` does.  They share a `Ring`.
"""

import contextlib
import math
import time
from typing import Any

import numpy as np

from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.audio.portaudio import (
    INPUT,
    PATIENCE,
    DeviceGone,
    close_stream,
    find_device,
    load_sounddevice,
    open_stream,
    rescan,
    settle,
    start_stream,
)
from vrnn_engine.runtime.audio.reconnect import Absence
from vrnn_engine.runtime.audio.ring import Ring
from vrnn_engine.runtime.voice.manifest import Manifest

SETTLING = 3.0
"""Seconds from the first read in which what is lost is not counted: the output still starts, and nothing is read."""


class Microphone:
    """Listens to the first channel of a sound device, at a voice's rate.

    It starts with the first `read`.  A device that vanishes is looked for once a second, and silent meanwhile.

    Parameters
    ----------
    wanted : str
        A part of the device's name, or its index; `` for the default one.
    manifest : Manifest
        Of the voice that listens.
    latency : float
        Seconds of sound that may wait to be read.  Where they have become more than twice as many, because nobody
        read, it goes on with the latest of them.
    strict : bool
        Whether to fail when the device vanishes, instead.

    Raises
    ------
    RecordingError
        The device is unknown, or cannot be opened.
    """

    live = True
    seconds = math.inf

    def __init__(self, wanted: str, manifest: Manifest, latency: float = 0.05, strict: bool = False) -> None:
        self._wanted = wanted
        self._rate, self._size = manifest.rate, manifest.frame_size
        self._latency = latency
        self._strict = strict
        self._missed = 0  # samples that the ring had no room for
        self._skipped = 0  # samples that were let go, to be on time again
        self._seen = 0  # of those missed, when it was last looked
        self._excused = 0  # of both, while settling
        self._stream: Any = None
        self._started: float | None = None
        self._absence = Absence("hearing silence")
        self._ready = np.zeros(0, np.float32)  # at the voice's rate
        self._open_device()

    @property
    def delay(self) -> float:
        """Seconds since what the next frame begins with was sounded, as far as PortAudio knows."""
        if self._stream is None:
            return 0.0
        return self._ring.filled / self._own + len(self._ready) / self._rate + float(self._stream.latency)

    @property
    def dropped(self) -> int:
        """Samples, at the device's rate, that came while what had come before was not read."""
        return self._missed + self._skipped - self._excused

    def read(self) -> np.ndarray | None:
        """Return the next frame `[F]`, waiting for it; raise `RecordingError` if the device is gone, if strict."""
        now = time.monotonic()
        if self._started is None:
            self._started = now
        if now - self._started < SETTLING:
            self._excused = self._missed + self._skipped
        if self._stream is None and self._absence.time_to_look():
            with contextlib.suppress(RecordingError):  # not back yet
                rescan(load_sounddevice(INPUT))
                self._open_device()
        while self._stream is not None and len(self._ready) < self._size:
            try:
                self._take(math.ceil((self._size - len(self._ready)) * self._own / self._rate))
            except DeviceGone as gone:
                self._lose(gone)
        if self._stream is None:
            self._absence.sleep(self._size / self._rate)
            return np.zeros(self._size, np.float32)
        frame, self._ready = self._ready[: self._size], self._ready[self._size :]
        return frame

    def close(self) -> None:
        """Let go of the device."""
        if self._stream is not None:
            close_stream(self._stream)
            self._stream = None

    def _hear(self, data: np.ndarray, frames: int, when: object, status: object) -> None:
        # PortAudio's thread.
        self._missed += frames - self._ring.write(data[:, 0])

    def _open_device(self) -> None:
        sounddevice = load_sounddevice(INPUT)
        device = find_device(sounddevice, self._wanted, INPUT)
        own, channels = settle(sounddevice, device, self._rate, None, INPUT)
        self._own = own
        self.conversions: tuple[str, ...] = ()
        self._resampler = None
        if own != self._rate:
            import soxr

            self.conversions = (f"{own} Hz to {self._rate} Hz",)
            self._resampler = soxr.ResampleStream(own, self._rate, 1, dtype="float32")
        self._stream = open_stream(sounddevice, device, own, channels, self._latency, self._hear, INPUT)
        # Also for what the device may bring at once, and for the frame that is put together.
        room = 2 * self._latency + float(self._stream.latency) + 2 * self._size / self._rate
        self._ring = Ring(round(room * own))
        self._ready = np.zeros(0, np.float32)
        self._running = False
        self.label = f"microphone ({device['name']})"
        if self._wanted:  # after a rescan, an index may be another device's
            self._wanted = str(device["name"])

    def _take(self, count: int) -> None:
        """Wait for so many samples and make them ready; raise `DeviceGone` if none come."""
        if not self._running:
            self._running = True
            start_stream(load_sounddevice(INPUT), self._stream)
        written, patience = self._ring.written, time.monotonic() + PATIENCE
        while self._ring.filled < count:
            if self._ring.written != written:
                written, patience = self._ring.written, time.monotonic() + PATIENCE
            elif time.monotonic() > patience or not self._stream.active:
                raise DeviceGone("it brings no more sound")
            time.sleep(0.001)
        samples = np.empty(count, np.float32)
        if self._missed != self._seen:
            self._seen = self._missed
            late = np.empty(max(0, self._ring.filled - max(round(self._latency * self._own), count)), np.float32)
            self._skipped += self._ring.read_into(late)
        self._ring.read_into(samples)
        self._absence.end(self.label)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        self._ready = np.concatenate([self._ready, samples])

    def _lose(self, gone: DeviceGone) -> None:
        """Let go of a device that has vanished; raise `RecordingError` if that is the end."""
        never = not self._ring.written and not self._absence.lasts
        self.close()
        if never:
            raise RecordingError(f"{self.label} does not work: {gone}; listen to a file instead")
        if self._strict:
            raise RecordingError(f"{self.label} is gone: {gone}; is it still there?")
        self._absence.begin(self.label)
