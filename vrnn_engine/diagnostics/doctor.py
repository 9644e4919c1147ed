"""What of this machine and installation works, found by using it: libraries, processors, sound, the default job.

A check that fails is a finding as well.  Only a finding that is a problem keeps
`vrnn-engine stream` from running.
"""

import functools
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from vrnn_engine.base.extras import EXTRAS, install_command
from vrnn_engine.errors import VRNNEngineError

VOICE = "blizzard"
"""The voice of the default job."""
WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
"""Distributions that unpack into one and the same folder, `onnxruntime`."""
FRAMES = 80
"""Frames that a processor must make to be believed."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    topic: str
    state: Literal["ok", "note", "problem"]
    """`note`: something else does not work; `problem`: the default job does not."""
    text: str
    advice: str = ""
    """What to do about it."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, and what they recommend."""

    findings: tuple[Finding, ...]
    recommended: dict[str, str]
    """Values of the options of `vrnn-engine stream`; none where it does not work."""

    @property
    def works(self) -> bool:
        """Whether the default job can run."""
        return all(finding.state != "problem" for finding in self.findings)


def diagnose() -> Diagnosis:
    """Look at everything."""
    findings = [finding for topic, check in CHECKS.items() for finding in _tried(topic, check)]
    if any(finding.state == "problem" for finding in findings):
        return Diagnosis(findings=tuple(findings), recommended={})
    working = {finding.topic for finding in findings if finding.state == "ok"}
    recommended = {
        "voice": VOICE,
        "device": "cuda" if "device cuda" in working else "cpu",
        "to": "speakers" if "sound" in working else f"{VOICE}.wav",
    }
    return Diagnosis(findings=tuple(findings), recommended=recommended)


def _tried(topic: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except VRNNEngineError as error:
        yield Finding(topic=topic, state=_otherwise(topic), text=_line(error), advice=ADVICE.get(topic, ""))
    except Exception as error:  # noqa: BLE001 - whatever keeps something from working is what is asked for here
        reason = f"cannot be used: {type(error).__name__}: {_line(error)}"
        yield Finding(topic=topic, state=_otherwise(topic), text=reason, advice=ADVICE.get(topic, ""))


def _otherwise(topic: str) -> Literal["note", "problem"]:
    return "problem" if topic in NEEDED else "note"


def _installed() -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    versions = ", ".join(f"{name} {_version(name)}" for name in ("vrnn-engine", "numpy", "msgspec") if _version(name))
    yield Finding(topic="installed", state="ok", text=f"{python}; {versions}")
    for name, extra in EXTRAS.items():
        missing = [one for one in extra.modules if not _version(one)]
        found = ", ".join(f"{one} {_version(one)}" for one in extra.modules if _version(one))
        yield Finding(
            topic=f"extra {name}",
            state="note" if missing else "ok",
            text=f"not installed: {', '.join(missing)}" if missing else found,
            advice=f"{install_command(name)}, if you want to {extra.purpose}" if missing else "",
        )


def _onnxruntime() -> Iterator[Finding]:
    wheels = [name for name in WHEELS if _version(name)]
    named = " and ".join(f"{name} {_version(name)}" for name in wheels)
    if len(wheels) > 1:
        yield Finding(
            topic="onnxruntime",
            state="note",
            text=f"{named} are installed into the same folder, and spoil each other",
            advice=f"pip uninstall -y {' '.join(wheels)}, then install the one you want",
        )
    import onnxruntime

    built = ", ".join(name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers())
    yield Finding(topic="onnxruntime", state="ok", text=f"{onnxruntime.__version__} (of {named}), built with {built}")


def _makes_frames(device: str) -> Iterator[Finding]:
    """Let a processor make sound: whether a provider loads shows in no other way."""
    from vrnn_engine.runtime.engine import Engine

    engine = Engine.load(VOICE, device=device)
    engine.stream(seed=0).read(FRAMES)
    yield Finding(topic=f"device {device}", state="ok", text=f"{engine.provider} made {FRAMES} frames of {VOICE}")


def _sound() -> Iterator[Finding]:
    import numpy as np

    from vrnn_engine.runtime.sinks.base import Format
    from vrnn_engine.runtime.sinks.speakers import SpeakersSink

    sink = SpeakersSink("speakers?strict=true")
    sink.open(Format("audio", 16000, 200, "full scale", "silence"))
    sink.write(np.zeros(3200, np.float32))
    sink.close()
    yield Finding(topic="sound", state="ok", text=f"{sink.label} took a moment of silence")


def _denormals() -> Iterator[Finding]:
    import numpy as np

    from vrnn_engine.runtime.graph.denormals import flush_denormals

    tiny = np.full(4, np.finfo(np.float32).tiny, np.float32)
    with flush_denormals():
        flushed = not (tiny * np.float32(0.5)).any()
    yield Finding(
        topic="denormals",
        state="ok" if flushed else "note",
        text="flushed to zero in every step" if flushed else "left to onnxruntime's own option on this system",
        advice="" if flushed else "a stream that fades into silence may get slower",
    )


def _cores() -> Iterator[Finding]:
    there = os.cpu_count() or 1
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    yield Finding(topic="cores", state="ok", text=f"{mine} of {there} are this process's; a stream uses one")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "installed": _installed,
    "onnxruntime": _onnxruntime,
    "device auto": functools.partial(_makes_frames, "auto"),
    "device cpu": functools.partial(_makes_frames, "cpu"),
    "device cuda": functools.partial(_makes_frames, "cuda"),
    "sound": _sound,
    "denormals": _denormals,
    "cores": _cores,
}
NEEDED = ("installed", "onnxruntime", "device auto")
"""What the default job cannot do without: it takes the device `auto`."""
ADVICE = {
    "onnxruntime": "reinstall it: pip install --force-reinstall onnxruntime",
    "device auto": "vrnn-engine voices verify says more about a voice; else name a device that works below",
    "device cpu": "vrnn-engine voices verify says more about a voice; else reinstall vrnn-engine",
    "sound": "until then, give --to a file",
}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
