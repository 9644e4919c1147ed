"""`vrnn-engine devices`: lists sound devices, microphones and processors."""

from typing import TYPE_CHECKING, Any

from vrnn_engine.cli import report
from vrnn_engine.errors import VRNNEngineError

if TYPE_CHECKING:
    from vrnn_engine.runtime.audio.portaudio import Direction


def devices(json: report.AsJson = False) -> None:
    """List the sound devices, microphones and processors.

    Use their names in --to speakers:NAME, --from microphone:NAME and --device NAME.
    """
    from vrnn_engine.runtime.audio.portaudio import INPUT, OUTPUT

    sound, trouble = _sound(OUTPUT)
    microphones, microphone_trouble = _sound(INPUT)
    processors = _processors()
    if json:
        report.print_json(
            {
                "sound": sound,
                "sound_error": trouble,
                "microphones": microphones,
                "microphones_error": microphone_trouble,
                "processors": processors,
            }
        )
        return
    _answer("Sound devices (--to speakers:NAME)", sound, trouble)
    _answer("\nMicrophones (--from microphone:NAME)", microphones, microphone_trouble)
    report.answer("\nProcessors (--device NAME)")
    report.print_table(
        ("name", "provider", "usable"), [(p["name"], p["provider"], p["trouble"] or "yes") for p in processors]
    )


def _answer(title: str, found: list[dict[str, Any]], trouble: str | None) -> None:
    report.answer(title)
    if trouble is not None:
        report.answer(f"  none: {trouble}")
        return
    rows = [
        ("*" if one["default"] else " ", str(one["index"]), one["name"], one["api"], str(one["channels"]))
        for one in found
    ]
    report.print_table((" ", "#", "name", "api", "channels"), rows)


def _sound(direction: "Direction") -> tuple[list[dict[str, Any]], str | None]:
    """Return the devices of a direction and None, or no devices and the reason."""
    from vrnn_engine.runtime.audio.devices import find_device, list_devices
    from vrnn_engine.runtime.audio.portaudio import load_sounddevice

    try:
        sounddevice = load_sounddevice(direction)
        default = find_device(sounddevice, "", direction)["index"]
    except VRNNEngineError as error:
        return [], str(error)
    apis = sounddevice.query_hostapis()
    return [
        {
            "index": one["index"],
            "name": one["name"],
            "api": apis[one["hostapi"]]["name"],
            "channels": one[f"max_{direction.name}_channels"],
            "rate": one["default_samplerate"],
            "default": one["index"] == default,
        }
        for one in list_devices(sounddevice, direction)
    ], None


def _processors() -> list[dict[str, Any]]:
    """Return the values of --device; `trouble` is the reason why a device cannot run, or None if none is known."""
    from vrnn_engine.runtime.graph.provider import CPU, CUDA, cuda_obstacle

    obstacle = cuda_obstacle()
    # Only loading a voice shows whether CUDA's own libraries are installed.
    found = [("cpu", CPU, None), ("cuda", CUDA, obstacle.reason if obstacle else None)]
    return [{"name": name, "provider": provider, "trouble": trouble} for name, provider, trouble in found]
