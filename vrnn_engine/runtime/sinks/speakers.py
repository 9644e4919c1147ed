"""`speakers`, `speakers:NAME?volume=-6`: plays on a sound device, and reconnects to it after a disconnection.

Threads: as for every sink.  `audio/output.py` has the code that runs on PortAudio's thread.
"""

import contextlib
import logging
from typing import Annotated

import msgspec
import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.audio.devices import find_device
from vrnn_engine.runtime.audio.fader import Fader
from vrnn_engine.runtime.audio.limiter import CEILING, playable
from vrnn_engine.runtime.audio.output import OutputDevice
from vrnn_engine.runtime.audio.portaudio import DeviceLost, load_sounddevice, rescan
from vrnn_engine.runtime.audio.reconnect import Reconnect
from vrnn_engine.runtime.options import Options, read_options, split_target
from vrnn_engine.runtime.sinks.base import Format, Sink

LEAST_FRAMES = 2
"""Frames of the voice that the ring holds at least: one that plays, while the next is made."""

_log = logging.getLogger("vrnn_engine")


class SpeakersOptions(Options, frozen=True, kw_only=True):
    """Options of `speakers`."""

    channels: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Number of channels; by default 1 if the device accepts it, and otherwise 2, and for stereo the other way round.
    They have the same sound, or in turn the left and the right one; a single channel has the mean of both."""
    volume: float = 0.0
    """Volume in dB; 0 changes nothing, -inf is silence."""
    ceiling: Annotated[float, msgspec.Meta(ge=-60, le=0)] = CEILING
    """Largest level of a sample that the device gets, in dB; 0 is full scale.  A limiter keeps louder samples below."""
    strict: bool = False
    """Whether a disconnection of the device is an error."""


class SpeakersSink(Sink):
    """Plays audio on a sound device.

    After a disconnection, the stream continues in real time without sound, and the sink looks for the device once a
    second.

    Parameters
    ----------
    target : str
        `speakers` for the default device, or `speakers:NAME` for the device with this index or with NAME in its name.
        `SpeakersOptions` may follow, as in `speakers:NAME?channels=2&volume=-6`.
    latency : float
        Capacity of the ring in seconds.  A sample is played this much later than it is generated, plus the time that
        the device itself buffers.

    Attributes
    ----------
    device : OutputDevice or None
        The open device; None before `open`, and while it is disconnected.

    Raises
    ------
    SinkError
        An option is wrong.

    Examples
    --------
    >>> sink = SpeakersSink("speakers:usb?volume=-12", latency=0.1)
    """

    Options = SpeakersOptions
    live = True

    def __init__(self, target: str = "speakers", latency: float = 0.05) -> None:
        self.label, given = split_target(target)
        self._options = read_options(self.label, given, SpeakersOptions)
        self.device: OutputDevice | None = None
        self._wanted = self.label.partition(":")[2]
        self._latency = latency
        self._fader = Fader(self._options.volume)
        self._sent = 0  # samples, since the device was opened
        self._earlier_underruns = 0  # underruns of devices that were disconnected since
        self._earlier_limited = 0  # samples that were limited for those devices
        self._reconnect = Reconnect("the stream continues without sound")

    def open(self, format: Format) -> None:
        """Open the device.  It starts to play when the ring is full, or at `close`.

        Parameters
        ----------
        format : Format
            Format of an audio voice.

        Raises
        ------
        SinkError
            The voice is not an audio voice, the latency is not positive, or the device cannot be opened.
        """
        format.require("audio", self.label)
        if not self._latency > 0:
            raise SinkError(f"a latency of {self._latency:g} s is not possible; give more than 0 (0.05 is usual)")
        self._format = format
        least = LEAST_FRAMES * format.samples_per_frame / format.rate
        if self._latency < least:
            _log.warning(
                "a latency of %g s is shorter than %d frames of the voice, and gaps would follow; %g s is used",
                self._latency,
                LEAST_FRAMES,
                least,
            )
            self._latency = least
        self._open_device()

    def write(self, block: np.ndarray) -> None:
        """Write samples into the ring; wait until it has room for them.

        Parameters
        ----------
        block : ndarray, float32, shape [samples] or [samples, 2]
            Full scale is +-1.  A sample that is not finite is played as 0.

        Raises
        ------
        SinkError
            The device is disconnected and `strict` is set, or it has never played anything.
        """
        if self.device is None and self._reconnect.should_try():
            with contextlib.suppress(SinkError):  # it is still disconnected
                rescan(load_sounddevice())
                self._open_device()
        # First, because 0 times infinity is NaN, and one NaN would make all later output of a resampler NaN.
        self._send(self._fader.push(playable(np.asarray(block, np.float32))))

    def close(self) -> None:
        """Play the remaining samples with a fade-out, then release the device."""
        try:
            self._send(self._fader.finish())
            if self.device is not None:
                self.device.finish()
        except DeviceLost as error:
            self._lose_device(error)
        finally:
            self.abort()

    def abort(self) -> None:
        """Stop at once and release the device."""
        if self.device is not None:
            self.device.close()

    @property
    def volume(self) -> float:
        """Volume in dB, at most `fader.MAX_VOLUME`."""
        return self._fader.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._fader.volume = volume

    @property
    def underruns(self) -> int:  # type: ignore[override]  # read-only here
        """Number of gaps in the sound, because a device had too few samples to play."""
        device = self.device
        return self._earlier_underruns + (device.underruns if device is not None else 0)

    @property
    def limited(self) -> int:  # type: ignore[override]
        """Number of samples that exceeded the ceiling and were limited, at the device's rate."""
        device = self.device
        return self._earlier_limited + (device.limiter.limited if device is not None else 0)

    @property
    def pending(self) -> int:  # type: ignore[override]
        """Number of samples that have not been played yet, at the voice's rate."""
        device = self.device
        return self._fader.held + (device.pending if device is not None else 0)

    @property
    def delay(self) -> float:  # type: ignore[override]
        """Seconds of sound that the device itself buffers, as PortAudio reports it."""
        device = self.device
        return device.delay if device is not None else 0.0

    def _open_device(self) -> None:
        least = LEAST_FRAMES * self._format.samples_per_frame  # rounding the seconds must not lose a sample
        given = self._options
        rate, sound = self._format.rate, self._format.channels
        self.device = OutputDevice(self._wanted, rate, self._latency, least, given.channels, given.ceiling, sound)
        self.label = f"speakers ({self.device.name})"
        if self._wanted:  # keep the name, since a rescan may give the index to another device
            self._wanted = self.device.name
        self.dropped += self._fader.held
        self._fader.start(self._format.rate, self._format.channels)
        self._sent = 0

    def _send(self, samples: np.ndarray) -> None:
        """Send samples to the device; while it is disconnected, wait for the time that they would have played."""
        self._sent += len(samples)
        if self.device is None:
            self.dropped += len(samples)
            self._reconnect.sleep(len(samples) / self._format.rate)
            return
        try:
            self.device.put(samples)
        except DeviceLost as error:
            self._lose_device(error)
            return
        if self.device.played:
            self._reconnect.restored(self.label)

    def _lose_device(self, error: DeviceLost) -> None:
        """Release a device that was disconnected; raise `SinkError` if `strict`, or if it has never played."""
        device, self.device = self.device, None
        if device is None:
            return
        device.close()
        self._earlier_underruns += device.underruns
        self._earlier_limited += device.limiter.limited
        self.dropped += max(0, self._sent - device.played)
        if not (self._reconnect.disconnected or device.played):
            raise SinkError(f"{self.label} does not play: {error}; write a .wav file instead")
        if self._options.strict:
            raise self._reconnect.error(self.label, error, SinkError)
        self._reconnect.lost(self.label)


def default_output() -> str | None:
    """Return the name of the default output device, or None if there is no device."""
    try:
        return str(find_device(load_sounddevice(), "")["name"])
    except SinkError:
        return None
