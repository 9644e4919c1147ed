"""`speakers`, `speakers:NAME`: the sound device, by PortAudio.

Threads: `open`, `write`, `close` and `abort` belong to the producer; `_play` is called by PortAudio on a thread of its
own, and only copies: no inference, lock or print, and nothing allocated beyond array views.  They share a `Ring`.
"""

import contextlib
import difflib
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, cast

import numpy as np

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.ring import Ring
from vrnn_engine.runtime.sinks.base import Format

_DEVICE_LATENCY = 0.1  # seconds the device itself may hold at most; a deeper buffer is the ring's business
_STALLED = 5.0  # seconds without the device taking a sample, after which it is taken for dead


class SpeakersSink:
    """Plays through a sound device.

    Parameters
    ----------
    target
        `speakers` for the default device, `speakers:NAME` for the one whose name contains NAME or whose index it is.
    latency
        Depth of the ring in seconds: what is made now is heard so much later (plus what the device itself holds).
    """

    live = True

    def __init__(self, target: str = "speakers", latency: float = 0.05) -> None:
        self.label = target
        self.underruns = 0
        self.clipped = 0
        self._wanted = target.partition(":")[2]
        self._latency = latency
        self._started = False
        self._finishing = False
        self._stream: Any = None
        self._resampler: Any = None

    def open(self, format: Format) -> None:
        """Open the device; it starts to play when the ring is full, or at `close`."""
        format.require("audio", self.label)
        if not self._latency > 0:
            raise SinkError(f"a latency of {self._latency:g} s cannot be; give more than 0 (0.05 is usual)")
        sounddevice = load_sounddevice()
        device = find_device(sounddevice, self._wanted)
        rate, channels = _settle(sounddevice, device, format.rate)
        if rate != format.rate:
            import soxr

            self._resampler = soxr.ResampleStream(format.rate, rate, 1, dtype="float32")
        self._done = sounddevice.CallbackStop
        self._ratio = format.rate / rate
        # Room for at least two frames, or a small latency could never hold what one `write` brings.
        self._ring = Ring(max(round(self._latency * rate), round(2 * format.frame_size / self._ratio)))
        self._nap = min(self._ring.capacity / rate / 8, 0.005)
        self.label = f"speakers ({device['name']})"
        with _portaudio_errors(self.label):
            self._stream = sounddevice.OutputStream(
                samplerate=rate,
                channels=channels,
                device=device["index"],
                dtype="float32",
                latency=min(self._latency, _DEVICE_LATENCY),
                callback=self._play,
            )
        # A device asks for its whole buffer at once when it starts, which would empty the ring, and some swallow the
        # first milliseconds: let them have silence.
        self._lead = round((float(self._stream.latency) + 0.02) * rate)
        # What ends a stream is not always played to the end (ALSA drops its buffer): follow it with silence, for as
        # long as the device may hold sound back.
        self._trail = round((float(self._stream.latency) + 0.06) * rate)

    def _play(self, out: np.ndarray, frames: int, when: object, status: object) -> None:
        # PortAudio's thread.
        if self._lead > 0:
            self._lead -= frames
            out.fill(0.0)
            return
        column = out[:, 0]
        found = self._ring.read_into(column)
        if out.shape[1] > 1:
            out[:, 1:] = out[:, :1]
        if found < frames:
            if not self._finishing:
                self.underruns += 1
            elif self._trail > 0:
                self._trail -= frames
            else:
                raise self._done

    def write(self, block: np.ndarray) -> None:
        """Put samples `[n]` into the ring, waiting for room by short sleeps."""
        self.clipped += int(np.count_nonzero(np.abs(block) > 1.0))
        samples = np.asarray(block, np.float32)
        self._put(samples if self._resampler is None else self._resampler.resample_chunk(samples))

    def close(self) -> None:
        """Play what is left, then let go of the device."""
        try:
            if self._resampler is not None:
                self._put(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
            self._finishing = True
            if not self._started and self._ring.filled:
                self._start()
            if self._started:
                self._wait_until(lambda: not self._stream.active)
        finally:
            self.abort()

    def abort(self) -> None:
        """Fall silent at once and let go of the device."""
        if self._stream is not None:
            self._stream.close()

    @property
    def pending(self) -> int:
        """Samples, at the voice's rate, that wait in the ring."""
        return round(self._ring.filled * self._ratio)

    def _put(self, samples: np.ndarray) -> None:
        samples = np.clip(samples, -1.0, 1.0)
        while True:
            samples = samples[self._ring.write(samples) :]
            if not len(samples):
                return
            if not self._started:
                self._start()
            self._wait_until(lambda: self._ring.filled < self._ring.capacity)

    def _start(self) -> None:
        self._started = True
        with _portaudio_errors(self.label):
            self._stream.start()

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        patience = time.monotonic() + _STALLED
        taken = self._ring.taken
        while not ready():
            if self._ring.taken != taken:
                taken, patience = self._ring.taken, time.monotonic() + _STALLED
            elif time.monotonic() > patience or (not self._stream.active and not self._finishing):
                raise SinkError(f"{self.label} has stopped taking sound; is the device still there?")
            time.sleep(self._nap)


def load_sounddevice() -> ModuleType:
    """Import sounddevice; raise `SinkError` that says how to install PortAudio where it is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise SinkError(
            f"cannot play sound: {error}; install PortAudio (Debian, Ubuntu: apt install libportaudio2; "
            "macOS: brew install portaudio), or write a file.wav"
        ) from error
    except Exception as error:  # PortAudioError, which cannot be named before the import: no audio system at all
        raise SinkError(f"cannot play sound: {_reason(error)}; write a file.wav instead") from error
    return cast(ModuleType, sounddevice)


def default_output() -> str | None:
    """Return the name of the default output device, or None where nothing can be played."""
    try:
        return str(find_device(load_sounddevice(), "")["name"])
    except SinkError:
        return None


def find_device(sounddevice: ModuleType, wanted: str) -> dict[str, Any]:
    """Return the output device of an index or a part of its name; `` is the default one."""
    outputs = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
    if not outputs:
        raise SinkError("there is no sound device here; write a file.wav instead")
    if not wanted:
        index = sounddevice.default.device[1]
        return next((device for device in outputs if device["index"] == index), outputs[0])
    folded = wanted.casefold()
    names = [str(device["name"]) for device in outputs]
    for fits in (
        [device for device in outputs if str(device["index"]) == wanted],
        [device for device in outputs if device["name"].casefold() == folded],
        [device for device in outputs if folded in device["name"].casefold()],
    ):
        if len(fits) == 1 or len({device["name"] for device in fits}) == 1:
            return dict(fits[0])  # the same device through several host APIs: PortAudio lists the usual one first
        if fits:
            listed = ", ".join(f"{device['index']} {device['name']}" for device in fits)
            raise SinkError(f"{wanted!r} fits several sound devices: {listed}; give more of the name, or its index")
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4) or names[:8]
    raise SinkError(f"no sound device is called {wanted!r}; there are {', '.join(near)} (see: vrnn-engine devices)")


def _settle(sounddevice: ModuleType, device: dict[str, Any], rate: int) -> tuple[int, int]:
    """Return the sample rate and channel count to open a device with: the voice's own where it takes them."""
    refusal: Exception | None = None
    for candidate in (rate, int(device["default_samplerate"])):
        for channels in (1, 2):
            try:
                sounddevice.check_output_settings(device["index"], channels, "float32", samplerate=candidate)
            except (sounddevice.PortAudioError, ValueError) as error:
                refusal = refusal or error
            else:
                return candidate, channels
    raise SinkError(f"cannot open sound device {device['name']!r}: {_reason(refusal)}; write a file.wav instead")


@contextlib.contextmanager
def _portaudio_errors(label: str) -> Iterator[None]:
    """Turn PortAudio's errors into `SinkError`."""
    import sounddevice

    try:
        yield
    except sounddevice.PortAudioError as error:
        raise SinkError(f"cannot open {label}: {_reason(error)}; write a file.wav instead") from error


def _reason(error: BaseException | None) -> str:
    """PortAudio's own words: the first argument of its errors, whose str() adds a number."""
    return str(error.args[0]) if error is not None and error.args else str(error)
