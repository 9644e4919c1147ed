"""Finds a sound device by name or index, and the rate and channel count to open it with.

Threads: any thread may call these functions.
"""

from types import ModuleType
from typing import Any

from vrnn_engine.base.suggest import suggest
from vrnn_engine.runtime.audio.portaudio import OUTPUT, Direction, cannot_open


def list_devices(sounddevice: ModuleType, direction: Direction) -> list[dict[str, Any]]:
    """Return the devices of one direction.

    Parameters
    ----------
    sounddevice : module
        The module that `load_sounddevice` returns.
    direction : Direction
        `OUTPUT` or `INPUT`.

    Returns
    -------
    list of dict
        The devices, as `sounddevice.query_devices` describes them.
    """
    return [dict(one) for one in sounddevice.query_devices() if one[f"max_{direction.name}_channels"] > 0]


def find_device(sounddevice: ModuleType, wanted: str, direction: Direction = OUTPUT) -> dict[str, Any]:
    """Return the device with an index or a name.

    Parameters
    ----------
    sounddevice : module
        As `load_sounddevice` returns it.
    wanted : str
        The index, the name, or a part of the name that only one device has; empty for the default device.
    direction : Direction
        `OUTPUT` or `INPUT`.

    Returns
    -------
    dict
        The device, as `sounddevice.query_devices` describes it.

    Raises
    ------
    SinkError or RecordingError
        There is no device, no device has this name (the message lists similar names), or several devices have it.
    """
    devices = list_devices(sounddevice, direction)
    if not devices:
        raise direction.error(f"there is no {direction.device} here; {direction.instead}")
    if not wanted:
        index = sounddevice.default.device[direction.name]
        return next((device for device in devices if device["index"] == index), devices[0])
    folded = wanted.casefold()
    for matches in (
        [device for device in devices if str(device["index"]) == wanted],
        [device for device in devices if device["name"].casefold() == folded],
        [device for device in devices if folded in device["name"].casefold()],
    ):
        if len(matches) == 1 or len({device["name"] for device in matches}) == 1:
            return matches[0]  # one device under several host APIs: PortAudio lists the preferred API first
        if matches:
            listed = ", ".join(f"{device['index']} {device['name']}" for device in matches)
            raise direction.error(
                f"{wanted!r} fits several {direction.device}s: {listed}; give more of the name, or the index"
            )
    names = [str(device["name"]) for device in devices]
    raise direction.error(
        f"no {direction.device} is called {wanted!r}{suggest(wanted, {*names}, 'there are')} (see: vrnn-engine devices)"
    )


def choose_rate_and_channels(
    sounddevice: ModuleType,
    device: dict[str, Any],
    rate: int,
    channels: int | None,
    direction: Direction = OUTPUT,
    stereo: bool = False,
) -> tuple[int, int]:
    """Return the sample rate and the channel count to open a device with.

    Parameters
    ----------
    sounddevice : module
        As `load_sounddevice` returns it.
    device : dict
        As `find_device` returns it.
    rate : int
        The voice's rate in Hz. It is chosen if the device accepts it; otherwise the device's default rate is chosen.
    channels : int, optional
        The channel count; by default 1 if the device accepts it, and otherwise 2.
    direction : Direction
        `OUTPUT` or `INPUT`.
    stereo : bool
        Whether the sound is stereo: by default 2 channels, and 1 if the device accepts only that.

    Returns
    -------
    rate : int
        In Hz.
    channels : int

    Raises
    ------
    SinkError or RecordingError
        The device has fewer channels than requested, or accepts neither rate.
    """
    most = int(device[f"max_{direction.name}_channels"])
    if channels is not None and not 1 <= channels <= most:
        raise direction.error(f"{direction.device} {device['name']!r} has {most} channels, not {channels}")
    check = sounddevice.check_output_settings if direction is OUTPUT else sounddevice.check_input_settings
    refusal: Exception | None = None
    for candidate in (rate, int(device["default_samplerate"])):
        for count in ((2, 1) if stereo else (1, 2)) if channels is None else (channels,):
            try:
                check(device["index"], count, "float32", samplerate=candidate)
            except (sounddevice.PortAudioError, ValueError) as error:
                refusal = refusal or error
            else:
                return candidate, count
    raise cannot_open(device, refusal, direction)
