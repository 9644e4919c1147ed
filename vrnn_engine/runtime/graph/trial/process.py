"""Tries a voice in a process of its own, which is ended at a time limit; once for each content of a voice."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import cache_folder
from vrnn_engine.errors import SinkError, VoiceError
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE
from vrnn_engine.runtime.voice.trust import SIZE
from vrnn_engine.runtime.voice.voice import Voice

SECONDS = 60
"""Time limit for loading all graphs of a voice and for one step with each."""
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from vrnn_engine.runtime.graph.trial.child import main
main(*sys.argv[2:])
"""


def require_trial(voice: Voice, seconds: int = SECONDS) -> None:
    """Return at once if a voice is small, trusted or bundled, or was tried before; otherwise try it.

    A program without an interpreter of its own, such as one that PyInstaller has made, tries no voice.

    Parameters
    ----------
    voice : Voice
    seconds : int
        Time limit.

    Raises
    ------
    VoiceError
        Loading and one step take longer, or end the process.
    """
    if not voice.needs_trial or not _has_interpreter():
        return
    manifest = (voice.path / MANIFEST_FILE).read_bytes()  # it has the checksums of all other files
    noted = cache_folder("tried") / hashlib.sha256(manifest).hexdigest()
    if noted.is_file():
        return
    # Nothing is imported from the current folder, unless this process imports from there.
    folders = json.dumps([folder or os.getcwd() for folder in sys.path])
    command = [sys.executable, "-I", "-c", _CODE, folders, str(voice.path), str(seconds)]
    nothing = subprocess.DEVNULL
    try:
        code = subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        raise _refused(voice, f"take more than {seconds} s") from None
    if code < 0:
        raise _refused(voice, f"end the process, by signal {-code}")
    if code == 0:
        with contextlib.suppress(SinkError):  # the next start then tries the voice again
            write_atomically(noted, b"", parents=True, durable=False)


def _refused(voice: Voice, why: str) -> VoiceError:
    return VoiceError(
        f"{voice.path}: loading the voice and one step {why}; if you trust its author, set trust to {SIZE!r}",
        ("trust",),
    )


def _has_interpreter() -> bool:
    """Return whether `sys.executable` is Python, not an application that contains it."""
    return not getattr(sys, "frozen", False) and Path(sys.executable or "").stem.lower().startswith("python")
