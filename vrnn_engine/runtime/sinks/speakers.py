"""`speakers`, `speakers:NAME?volume=-6`: a sound device, which may vanish and come back.

Threads: the producer's; only `volume` may be set from any other.  What PortAudio's own thread does is in `output.py`.
"""

import contextlib
from typing import Annotated

import msgspec
import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.audio.fader import Fader
from vrnn_engine.runtime.audio.output import OutputDevice
from vrnn_engine.runtime.audio.portaudio import DeviceGone, find_device, load_sounddevice, rescan
from vrnn_engine.runtime.audio.reconnect import Absence
from vrnn_engine.runtime.sinks.base import Format, Sink
from vrnn_engine.runtime.sinks.options import Options, read_options, split_target


class SpeakersOptions(Options, frozen=True, kw_only=True):
    """What may follow `speakers`."""

    channels: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """On how many to play, the same on each; 1 where the device takes that, else 2, if not given."""
    volume: float = 0.0
    """dB; 0 changes nothing, -inf is silence."""
    strict: bool = False
    """Whether to fail when the device vanishes, instead."""


class SpeakersSink(Sink):
    """Plays through a sound device.

    A device that vanishes is looked for once a second.  Meanwhile the stream goes on in its time, unheard.

    Parameters
    ----------
    target
        `speakers` for the default device, `speakers:NAME` for the one whose name contains NAME or whose index it is;
        `SpeakersOptions` may follow, as in `speakers:NAME?channels=2&volume=-6`.
    latency
        Depth of the ring in seconds: what is made now is heard so much later (plus what the device itself holds).

    Attributes
    ----------
    clipped : int
        Samples beyond full scale at this volume, cut to it.
    dropped : int
        Samples that were made and not heard, because the device was gone.
    """

    Options = SpeakersOptions
    live = True

    def __init__(self, target: str = "speakers", latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._options = read_options(self.label, given, SpeakersOptions)
        self.clipped = 0
        self.dropped = 0
        self._wanted = self.label.partition(":")[2]
        self._latency = latency
        self._fader = Fader(self._options.volume)
        self._device: OutputDevice | None = None
        self._given = 0  # samples, since the device was opened
        self._underruns = 0  # of the devices before this one
        self._absence = Absence("going on unheard")

    def open(self, format: Format) -> None:
        """Open the device; it starts to play when the ring is full, or at `close`."""
        format.require("audio", self.label)
        if not self._latency > 0:
            raise SinkError(f"a latency of {self._latency:g} s cannot be; give more than 0 (0.05 is usual)")
        self._format = format
        self._open_device()

    def write(self, block: np.ndarray) -> None:
        """Take samples `[n]`, waiting until there is room for them in the ring."""
        if self._device is None and self._absence.time_to_look():
            with contextlib.suppress(SinkError):  # not back yet
                rescan(load_sounddevice())
                self._open_device()
        samples = self._fader.push(np.asarray(block, np.float32))
        self.clipped += int(np.count_nonzero(np.abs(samples) > 1.0))
        self._send(samples)

    def close(self) -> None:
        """Play what is left, falling to silence, then let go of the device."""
        try:
            self._send(self._fader.finish())
            if self._device is not None:
                self._device.finish()
        except DeviceGone as gone:
            self._lose(gone)
        finally:
            self.abort()

    def abort(self) -> None:
        """Fall silent at once and let go of the device."""
        if self._device is not None:
            self._device.close()

    @property
    def volume(self) -> float:
        """dB; may be set from any thread while it plays."""
        return self._fader.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._fader.volume = volume

    @property
    def underruns(self) -> int:  # type: ignore[override]
        """How often a device found nothing to play."""
        device = self._device
        return self._underruns + (device.underruns if device is not None else 0)

    @property
    def pending(self) -> int:  # type: ignore[override]
        """Samples, at the voice's rate, that are still to be played."""
        device = self._device
        return self._fader.held + (device.pending if device is not None else 0)

    @property
    def delay(self) -> float:  # type: ignore[override]
        """Seconds that the device itself holds, as PortAudio says."""
        device = self._device
        return device.delay if device is not None else 0.0

    def _open_device(self) -> None:
        # Room for at least two frames, or a small latency could never hold what one `write` brings.
        least = 2 * self._format.frame_size
        self._device = OutputDevice(self._wanted, self._format.rate, self._latency, least, self._options.channels)
        self.label = f"speakers ({self._device.name})"
        if self._wanted:  # after a rescan, an index may be another device's
            self._wanted = self._device.name
        self.dropped += self._fader.held
        self._fader.start(self._format.rate)
        self._given = 0

    def _send(self, samples: np.ndarray) -> None:
        """Let the device have samples; without one, let as much time pass."""
        self._given += len(samples)
        if self._device is None:
            self.dropped += len(samples)
            self._absence.sleep(len(samples) / self._format.rate)
            return
        try:
            self._device.put(samples)
        except DeviceGone as gone:
            self._lose(gone)
            return
        if self._device.played:
            self._absence.end(self.label)

    def _lose(self, gone: DeviceGone) -> None:
        """Let go of a device that has vanished; raise `SinkError` if that is the end."""
        device, self._device = self._device, None
        if device is None:
            return
        device.close()
        self._underruns += device.underruns
        self.dropped += max(0, self._given - device.played)
        if not (self._absence.lasts or device.played):
            raise SinkError(f"{self.label} does not play: {gone}; write a file.wav instead")
        if self._options.strict:
            raise SinkError(f"{self.label} is gone: {gone}; is it still there?")
        self._absence.begin(self.label)


def default_output() -> str | None:
    """Return the name of the default output device, or None where nothing can be played."""
    try:
        return str(find_device(load_sounddevice(), "")["name"])
    except SinkError:
        return None
