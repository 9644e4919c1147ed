"""Loads PortAudio through sounddevice, opens, starts and closes its streams, and scans for devices again.

Threads: any thread may call these functions.  PortAudio scans for devices once, when it is loaded, so a device that is
connected later is found only after `rescan`.  A rescan would end every open stream, so `rescan` does nothing while a
stream of this package is open.
"""

import contextlib
import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, cast

from vrnn_engine.errors import RecordingError, SinkError, VRNNEngineError

MAX_DEVICE_LATENCY = 0.1
"""Longest buffer, in seconds, that is requested from a device; the ring provides the rest of a longer latency."""
STALL_SECONDS = 4.0
"""A device that accepts or delivers no sample for this long counts as disconnected."""
_REASONS = {-9985: "it is busy, another program may be using it exclusively", -9993: "it does not answer"}
"""Clearer texts for two PortAudio errors; PortAudio's own text for any failure of ALSA (-9993) is `Illegal combination
of I/O devices`."""


@dataclass(frozen=True)
class Direction:
    """Output or input, and the words that messages use for this direction.

    Parameters
    ----------
    name : str
        The word in the names of sounddevice's functions.
    error : type
        Class of the errors raised.
    device : str
        Word for a device in messages.
    instead : str
        Advice in messages if there is no device.
    """

    name: Literal["output", "input"]
    error: type[VRNNEngineError]
    device: str
    instead: str


OUTPUT = Direction("output", SinkError, "sound device", "write a .wav file instead")
INPUT = Direction("input", RecordingError, "microphone", "listen to a file instead")


class DeviceLost(Exception):
    """An open device has stopped working, e.g. because it was unplugged."""


def load_sounddevice(direction: Direction = OUTPUT) -> ModuleType:
    """Import sounddevice, and with it PortAudio.

    Parameters
    ----------
    direction : Direction
        `OUTPUT` or `INPUT`; determines the class and the text of the error.

    Returns
    -------
    module

    Raises
    ------
    SinkError or RecordingError
        PortAudio is not installed (the message says how to install it), or there is no audio system.
    """
    try:
        import sounddevice
    except OSError as error:
        raise direction.error(
            f"cannot use a {direction.device}: {error}; install PortAudio (Debian, Ubuntu: apt install "
            f"libportaudio2; macOS: brew install portaudio), or {direction.instead}"
        ) from error
    except Exception as error:  # PortAudioError, which only the failed import defines: no audio system
        raise direction.error(f"cannot use a {direction.device}: {_reason(error)}; {direction.instead}") from error
    _silence_alsa()
    return cast(ModuleType, sounddevice)


def _silence_alsa() -> None:
    """Stop ALSA from writing to stderr, over a live display.  PortAudio reports the errors that matter."""
    with contextlib.suppress(OSError, AttributeError):  # not on Linux
        alsa, libc = ctypes.CDLL("libasound.so.2"), ctypes.CDLL(None)
        # ALSA also calls its error handler on the audio thread, so the handler must be a C function.  getppid ignores
        # its arguments and does nothing else.
        alsa.snd_lib_error_set_handler(ctypes.cast(libc.getppid, ctypes.c_void_p))


_open: set[Any] = set()
_changing = threading.Lock()


def open_stream(
    sounddevice: ModuleType,
    device: dict[str, Any],
    rate: int,
    channels: int,
    latency: float,
    callback: Callable[..., None],
    direction: Direction = OUTPUT,
) -> Any:
    """Open a device without starting it.

    Parameters
    ----------
    sounddevice : module
        As `load_sounddevice` returns it.
    device : dict
        As `devices.find_device` returns it.
    rate : int
        Samples per second.
    channels : int
        Channel count.
    latency : float
        Seconds that the device should buffer; at most `MAX_DEVICE_LATENCY` is requested.
    callback : callable
        Called on PortAudio's thread as `callback(buffer, frames, time, status)`, buffer float32 [frames, channels].
    direction : Direction
        `OUTPUT` or `INPUT`.

    Returns
    -------
    sounddevice.OutputStream or sounddevice.InputStream
        To be closed by `close_stream`.

    Raises
    ------
    SinkError or RecordingError
        The device cannot be opened.
    """
    make = sounddevice.OutputStream if direction is OUTPUT else sounddevice.InputStream
    try:
        with _changing:
            stream = make(
                samplerate=rate,
                channels=channels,
                device=device["index"],
                dtype="float32",
                latency=min(latency, MAX_DEVICE_LATENCY),
                callback=callback,
            )
            _open.add(stream)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise cannot_open(device, error, direction) from error
    return stream


def start_stream(sounddevice: ModuleType, stream: Any) -> None:
    """Start a stream that `open_stream` returned; raise `DeviceLost` if it cannot be started."""
    try:
        stream.start()
    except sounddevice.PortAudioError as error:
        raise DeviceLost(_reason(error)) from error


def close_stream(stream: Any) -> None:
    """Stop a stream at once and release its device; closing it twice does nothing."""
    with _changing:
        _open.discard(stream)
        stream.close(ignore_errors=True)


def rescan(sounddevice: ModuleType) -> None:
    """Scan for devices again, unless a stream of this package is open."""
    with _changing:
        if not _open:
            # sounddevice has no public function for a rescan; its maintainer recommends these two.
            sounddevice._terminate()  # noqa: SLF001
            sounddevice._initialize()  # noqa: SLF001


def cannot_open(device: dict[str, Any], error: Exception | None, direction: Direction) -> VRNNEngineError:
    """Return an error that says why a device cannot be opened.

    Parameters
    ----------
    device : dict
        As `devices.find_device` returns it.
    error : Exception or None
        The error that PortAudio raised.
    direction : Direction
        `OUTPUT` or `INPUT`.
    """
    return direction.error(f"cannot open {direction.device} {device['name']!r}: {_reason(error)}; {direction.instead}")


def _reason(error: BaseException | None) -> str:
    """Return the text of a PortAudio error without its number, which str() would include."""
    if error is None or not error.args:
        return str(error)
    return _REASONS.get(error.args[-1], str(error.args[0]))
