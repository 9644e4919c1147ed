"""PortAudio, through sounddevice: which devices there are, what they take, and opening one.

Threads: any may call anything here.  PortAudio looks for devices once, so what is plugged in later is found only after
a `rescan`, and a rescan ends every stream that is open: it is left out while one of this package is.
"""

import contextlib
import ctypes
import difflib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, cast

from vrnn_engine.errors import RecordingError, SinkError, VRNNEngineError

MOST_LATENCY = 0.1
"""Seconds that a device itself is asked to hold at most; a deeper buffer is a ring's business."""
PATIENCE = 4.0
"""Seconds without a sample taken or brought, after which a device is taken for gone."""
_WORDS = {-9985: "it is busy, another program may have it to itself", -9993: "it does not answer"}
"""In place of PortAudio's own (`Illegal combination of I/O devices`, for whatever keeps ALSA from opening one)."""


@dataclass(frozen=True)
class Side:
    """Playing or listening, and how to speak of it."""

    name: Literal["output", "input"]
    error: type[VRNNEngineError]
    device: str
    instead: str


OUTPUT = Side("output", SinkError, "sound device", "write a file.wav instead")
INPUT = Side("input", RecordingError, "microphone", "listen to a file instead")


class DeviceGone(Exception):
    """A device has stopped in the middle of things."""


def load_sounddevice(side: Side = OUTPUT) -> ModuleType:
    """Import sounddevice; raise the side's error, saying how to install PortAudio where it is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise side.error(
            f"cannot reach a {side.device}: {error}; install PortAudio (Debian, Ubuntu: apt install libportaudio2; "
            f"macOS: brew install portaudio), or {side.instead}"
        ) from error
    except Exception as error:  # PortAudioError, which cannot be named before the import: no audio system at all
        raise side.error(f"cannot reach a {side.device}: {_reason(error)}; {side.instead}") from error
    _hush_alsa()
    return cast(ModuleType, sounddevice)


def _hush_alsa() -> None:
    """Keep ALSA's chat off stderr, where it would write over a live display: what matters of it PortAudio returns."""
    with contextlib.suppress(OSError, AttributeError):  # elsewhere than on Linux
        alsa, libc = ctypes.CDLL("libasound.so.2"), ctypes.CDLL(None)
        # A function of C that does nothing with its arguments: ALSA calls it on the thread that plays, too.
        alsa.snd_lib_error_set_handler(ctypes.cast(libc.getppid, ctypes.c_void_p))


def list_devices(sounddevice: ModuleType, side: Side) -> list[dict[str, Any]]:
    """Return the devices of a side, as sounddevice describes them."""
    return [dict(one) for one in sounddevice.query_devices() if one[f"max_{side.name}_channels"] > 0]


def find_device(sounddevice: ModuleType, wanted: str, side: Side = OUTPUT) -> dict[str, Any]:
    """Return the device of an index or a part of its name; `` is the default one."""
    devices = list_devices(sounddevice, side)
    if not devices:
        raise side.error(f"there is no {side.device} here; {side.instead}")
    if not wanted:
        index = sounddevice.default.device[side.name]
        return next((device for device in devices if device["index"] == index), devices[0])
    folded = wanted.casefold()
    for fits in (
        [device for device in devices if str(device["index"]) == wanted],
        [device for device in devices if device["name"].casefold() == folded],
        [device for device in devices if folded in device["name"].casefold()],
    ):
        if len(fits) == 1 or len({device["name"] for device in fits}) == 1:
            return fits[0]  # the same device through several host APIs: PortAudio lists the usual one first
        if fits:
            listed = ", ".join(f"{device['index']} {device['name']}" for device in fits)
            raise side.error(f"{wanted!r} fits several {side.device}s: {listed}; give more of the name, or its index")
    names = [str(device["name"]) for device in devices]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4) or names[:8]
    raise side.error(f"no {side.device} is called {wanted!r}; there are {', '.join(near)} (see: vrnn-engine devices)")


def settle(
    sounddevice: ModuleType, device: dict[str, Any], rate: int, channels: int | None, side: Side = OUTPUT
) -> tuple[int, int]:
    """Return the sample rate and channel count to open a device with.

    The voice's own rate where the device takes it; so many channels, or if that is None as few as it takes.
    """
    most = int(device[f"max_{side.name}_channels"])
    if channels is not None and not 1 <= channels <= most:
        raise side.error(f"{side.device} {device['name']!r} has {most} channels, not {channels}")
    check = getattr(sounddevice, f"check_{side.name}_settings")
    refusal: Exception | None = None
    for candidate in (rate, int(device["default_samplerate"])):
        for count in (1, 2) if channels is None else (channels,):
            try:
                check(device["index"], count, "float32", samplerate=candidate)
            except (sounddevice.PortAudioError, ValueError) as error:
                refusal = refusal or error
            else:
                return candidate, count
    raise _cannot_open(device, refusal, side)


_open: set[Any] = set()
_changing = threading.Lock()


def open_stream(
    sounddevice: ModuleType,
    device: dict[str, Any],
    rate: int,
    channels: int,
    latency: float,
    callback: Callable[..., None],
    side: Side = OUTPUT,
) -> Any:
    """Open a device, not started yet; to be closed by `close_stream`.  Raises the side's error."""
    make = sounddevice.OutputStream if side is OUTPUT else sounddevice.InputStream
    try:
        with _changing:
            stream = make(
                samplerate=rate,
                channels=channels,
                device=device["index"],
                dtype="float32",
                latency=min(latency, MOST_LATENCY),
                callback=callback,
            )
            _open.add(stream)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise _cannot_open(device, error, side) from error
    return stream


def start_stream(sounddevice: ModuleType, stream: Any) -> None:
    """Start a stream; raise `DeviceGone` if it no longer can be."""
    try:
        stream.start()
    except sounddevice.PortAudioError as error:
        raise DeviceGone(_reason(error)) from error


def close_stream(stream: Any) -> None:
    """Fall silent at once and let go of the device; closing twice does nothing."""
    with _changing:
        _open.discard(stream)
        stream.close(ignore_errors=True)


def rescan(sounddevice: ModuleType) -> None:
    """Look for devices anew, unless a stream of this package is open."""
    with _changing:
        if not _open:
            # The way its maintainer gives; Pa_Initialize's chatter is kept off stderr in there.
            sounddevice._terminate()
            sounddevice._initialize()


def _cannot_open(device: dict[str, Any], error: Exception | None, side: Side) -> VRNNEngineError:
    return side.error(f"cannot open {side.device} {device['name']!r}: {_reason(error)}; {side.instead}")


def _reason(error: BaseException | None) -> str:
    """The first argument of PortAudio's errors, whose str() adds a number."""
    if error is None or not error.args:
        return str(error)
    return _WORDS.get(error.args[-1], str(error.args[0]))
