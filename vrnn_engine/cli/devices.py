"""`vrnn-engine devices`: what can play sound here, and what can run a voice."""

from typing import Any

from vrnn_engine.cli import report
from vrnn_engine.errors import SinkError


def devices(json: report.AsJson = False) -> None:
    """List the sound devices (for --to speakers:NAME) and the processors (for --device)."""
    sound, trouble = _sound()
    processors = _processors()
    if json:
        report.print_json({"sound": sound, "sound_error": trouble, "processors": processors})
        return
    report.answer("Sound devices (--to speakers:NAME)")
    if sound:
        rows = [
            ("*" if one["default"] else " ", str(one["index"]), one["name"], one["api"], str(one["channels"]))
            for one in sound
        ]
        report.print_table((" ", "#", "name", "api", "channels"), rows)
    else:
        report.answer(f"  none: {trouble}")
    report.answer("\nProcessors (--device NAME)")
    report.print_table(
        ("name", "provider", "usable"), [(p["name"], p["provider"], p["trouble"] or "yes") for p in processors]
    )


def _sound() -> tuple[list[dict[str, Any]], str | None]:
    """Return the output devices, and why there are none."""
    from vrnn_engine.runtime.portaudio import find_device, load_sounddevice

    try:
        sounddevice = load_sounddevice()
        default = find_device(sounddevice, "")["index"]
    except SinkError as error:
        return [], str(error)
    apis = sounddevice.query_hostapis()
    return [
        {
            "index": one["index"],
            "name": one["name"],
            "api": apis[one["hostapi"]]["name"],
            "channels": one["max_output_channels"],
            "rate": one["default_samplerate"],
            "default": one["index"] == default,
        }
        for one in sounddevice.query_devices()
        if one["max_output_channels"] > 0
    ], None


def _processors() -> list[dict[str, Any]]:
    """Return what --device may name; `trouble` says why one cannot run, None that nothing is known against it."""
    from vrnn_engine.runtime.provider import CPU, CUDA, cuda_obstacle

    obstacle = cuda_obstacle()
    # "May be": the libraries of CUDA itself show only when a voice is loaded.
    found = [("cpu", CPU, None), ("cuda", CUDA, obstacle.reason if obstacle else None)]
    return [{"name": name, "provider": provider, "trouble": trouble} for name, provider, trouble in found]
