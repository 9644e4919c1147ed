"""Checks whether libraries, processors and sound work on this machine, by using them.

A failed check is a finding too.  Only a finding of state `problem` prevents plain `vrnn-engine stream` from running.
"""

import functools
import os
import platform
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from vrnn_engine.base.extras import EXTRAS, install_command
from vrnn_engine.base.onnxruntime_wheels import how_to_repair, installed_version, installed_wheels
from vrnn_engine.errors import VRNNEngineError

VOICE = "blizzard"
"""Voice of the default job, which is plain `vrnn-engine stream`."""
FRAMES = 80
"""Number of frames that a processor must compute to count as working."""

State = Literal["ok", "note", "problem"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one check.

    Attributes
    ----------
    topic : str
        Subject of the check.
    state : str
        `ok`: the subject works; `note`: it does not work, but the default job (see `VOICE`) does not need it;
        `problem`: the default job cannot run.
    text : str
        Result of the check in one line.
    advice : str
        Advice to the user; empty if nothing needs to be done.
    """

    topic: str
    state: State
    text: str
    advice: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `diagnose`.

    Attributes
    ----------
    findings : tuple of Finding
        Results of all checks.
    recommended : dict of str to str
        Recommended options of `vrnn-engine stream`, without the leading `--`; empty if it cannot run.
    """

    findings: tuple[Finding, ...]
    recommended: dict[str, str]

    @property
    def works(self) -> bool:
        """Whether the default job can run."""
        return all(finding.state != "problem" for finding in self.findings)


def diagnose() -> Diagnosis:
    """Run all checks.

    Returns
    -------
    Diagnosis
        The findings, and recommended options of `vrnn-engine stream`.  An error in a check becomes a finding and is not
        raised.
    """
    findings = [finding for topic, check in CHECKS.items() for finding in _run(topic, check)]
    if any(finding.state == "problem" for finding in findings):
        return Diagnosis(findings=tuple(findings), recommended={})
    working = {finding.topic for finding in findings if finding.state == "ok"}
    recommended = {
        "voice": VOICE,
        "device": "cuda" if "device cuda" in working else "cpu",
        "to": "speakers" if "sound" in working else f"{VOICE}.wav",
    }
    return Diagnosis(findings=tuple(findings), recommended=recommended)


def _run(topic: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check, and one more if it raises an error."""
    state: State = "problem" if topic in NEEDED else "note"
    try:
        yield from check()
    except VRNNEngineError as error:
        yield Finding(topic=topic, state=state, text=_one_line(error), advice=ADVICE.get(topic, ""))
    except Exception as error:  # noqa: BLE001 - any error is a result of the check
        reason = f"cannot be used: {type(error).__name__}: {_one_line(error)}"
        yield Finding(topic=topic, state=state, text=reason, advice=ADVICE.get(topic, ""))


def _installed() -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    versions = _versions(("vrnn-engine", "numpy", "msgspec"))
    yield Finding(topic="installed", state="ok", text=f"{python}; {versions}")
    for name, extra in EXTRAS.items():
        missing = [one for one in extra.modules if not installed_version(one)]
        yield Finding(
            topic=f"extra {name}",
            state="note" if missing else "ok",
            text=f"not installed: {', '.join(missing)}" if missing else _versions(tuple(extra.modules)),
            advice=f"{install_command(name)}, if you want to {extra.purpose}" if missing else "",
        )


def _onnxruntime() -> Iterator[Finding]:
    wheels = installed_wheels()
    named = " and ".join(f"{name} {installed_version(name)}" for name in wheels)
    if len(wheels) > 1:
        yield Finding(
            topic="onnxruntime",
            state="note",
            text=f"{named} are installed into the same folder, and overwrite each other's files",
            advice=how_to_repair(),
        )
    from vrnn_engine.runtime.graph.ort import ort

    built = ", ".join(name.removesuffix("ExecutionProvider") for name in ort.get_available_providers())
    yield Finding(topic="onnxruntime", state="ok", text=f"{ort.__version__} (of {named}), built with {built}")


def _device(device: str) -> Iterator[Finding]:
    """Compute frames on a device, because nothing else shows whether its provider loads."""
    from vrnn_engine.runtime.engine import Engine

    engine = Engine.load(VOICE, device=device)
    engine.stream(seed=0).read(FRAMES)
    yield Finding(topic=f"device {device}", state="ok", text=f"{engine.provider} generated {FRAMES} frames of {VOICE}")


def _sound() -> Iterator[Finding]:
    import numpy as np

    from vrnn_engine.runtime.sinks.base import Format
    from vrnn_engine.runtime.sinks.speakers import SpeakersSink

    sink = SpeakersSink("speakers?strict=true")
    sink.open(Format("audio", 16000, 200, "full scale", "silence"))
    sink.write(np.zeros(3200, np.float32))
    sink.close()
    yield Finding(topic="sound", state="ok", text=f"{sink.label} played a moment of silence")


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
        advice="" if flushed else "a stream that fades into silence may become slower",
    )


def _cores() -> Iterator[Finding]:
    there = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    yield Finding(topic="cores", state="ok", text=f"this process may use {usable} of {there}; a stream uses one")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "installed": _installed,
    "onnxruntime": _onnxruntime,
    "device auto": functools.partial(_device, "auto"),
    "device cpu": functools.partial(_device, "cpu"),
    "device cuda": functools.partial(_device, "cuda"),
    "sound": _sound,
    "denormals": _denormals,
    "cores": _cores,
}
"""Topic -> check, in the order in which they run."""
NEEDED = ("installed", "onnxruntime", "device auto")
"""Topics that the default job needs; it uses the device `auto`."""
ADVICE = {
    "device auto": "run `vrnn-engine voices verify`, or name a device below that works",
    "device cpu": "run `vrnn-engine voices verify`, or reinstall vrnn-engine",
    "sound": "write to a file, e.g. --to out.wav",
}
"""Topic -> advice if its check raises an error."""


def _versions(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {version}" for name in names if (version := installed_version(name)))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
