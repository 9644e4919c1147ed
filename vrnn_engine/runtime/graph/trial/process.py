"""Tries a voice in a process of its own, which is ended at a limit on time or memory; once for each content."""

import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import cache_folder
from vrnn_engine.errors import SinkError, VoiceError
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, is_document
from vrnn_engine.runtime.voice.trust import SIZE
from vrnn_engine.runtime.voice.voice import Voice

SECONDS = 60
"""Time limit for loading all graphs of a voice and for one step with each."""
SPARE_MEMORY = 2 << 30
MEMORY_FACTOR = 8
"""The process may take the spare bytes of memory, and this many bytes for each one of the voice's files."""
_PAUSE = 0.05
"""Seconds between two looks at the memory of the process."""
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from vrnn_engine.runtime.graph.trial.child import main
main(*sys.argv[2:])
"""
_CRASHED = 128
"""Smallest status of a process that crashed: a shell returns 128 and the signal, and Windows a code of the fault."""
_log = logging.getLogger("vrnn_engine")


class _TooLargeError(Exception):
    """The process took more memory than it may."""


def require_trial(voice: Voice, seconds: int = SECONDS, spare: int = SPARE_MEMORY) -> None:
    """Return at once if a voice is small or bundled, its size is trusted, or it was tried before; otherwise try it.

    A program without an interpreter of its own, such as one that PyInstaller has made, tries no voice.

    Parameters
    ----------
    voice : Voice
    seconds : int
        Time limit.
    spare : int
        Bytes of memory that the process may take besides `MEMORY_FACTOR` times the size of the voice's files.

    Raises
    ------
    VoiceError
        Loading and one step take longer or more memory, or crash the process; or no process can be started.
    """
    if not voice.needs_trial or not _has_interpreter():
        return
    try:
        note = _note(voice)
        if os.path.isfile(note):  # unlike Path.is_file, it raises no error if the folder cannot be read
            return
        most = spare + MEMORY_FACTOR * _size(voice)
        status = _status(voice, seconds, most)
    except subprocess.TimeoutExpired:
        raise _refused(voice, f"take more than {seconds} s") from None
    except _TooLargeError:
        raise _refused(voice, f"take more than {most >> 20} MiB of memory") from None
    except OSError as error:
        raise _refused(voice, f"cannot be tried in a process of their own: {error}") from None
    if status < 0 or status >= _CRASHED:
        end = f"by signal {-status}" if status < 0 else f"with status {status}"
        raise _refused(voice, f"end the process, {end}")
    if status:
        _log.warning(
            "%s: loaded without a trial, because the process for it could not start (status %d); check that %s works",
            voice.path,
            status,
            sys.executable,
        )
        return
    with contextlib.suppress(SinkError):  # the next start then tries the voice again
        write_atomically(note, b"", parents=True, durable=False)


def _note(voice: Voice) -> Path:
    """Return the file that exists if this version of onnxruntime has loaded this voice."""
    manifest = (voice.path / MANIFEST_FILE).read_bytes()  # it has the checksums of all other files
    return cache_folder("tried") / hashlib.sha256(ort.__version__.encode() + b"\n" + manifest).hexdigest()


def _size(voice: Voice) -> int:
    """Return the number of bytes of the files that have a checksum."""
    return sum((voice.path / name).stat().st_size for name in voice.manifest.files if not is_document(name))


def _status(voice: Voice, seconds: int, most: int) -> int:
    """Load the voice in another process, and return the status with which the process ends."""
    # Nothing is imported from the current folder, unless this process imports from there. Python skips what is no str.
    folders = json.dumps([folder or os.getcwd() for folder in sys.path if isinstance(folder, str)])
    command = [sys.executable, "-I", "-c", _CODE, folders, str(voice.path), str(seconds)]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing) as process:
        try:
            return _watch(process, seconds, most)
        finally:
            process.kill()


def _watch(process: "subprocess.Popen[bytes]", seconds: int, most: int) -> int:
    """Wait until a process ends; raise an error if it takes longer, or more bytes of memory, seen every `_PAUSE`."""
    import psutil  # voices without a trial start without it

    end = time.monotonic() + seconds
    while True:
        try:
            return process.wait(_PAUSE)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise
        with contextlib.suppress(psutil.Error):  # it has just ended
            if psutil.Process(process.pid).memory_info().rss > most:
                raise _TooLargeError


def _refused(voice: Voice, why: str) -> VoiceError:
    return VoiceError(
        f"{voice.path}: loading the voice and one step {why}; if you trust its author, set trust to {SIZE!r}",
        ("trust",),
    )


def _has_interpreter() -> bool:
    """Return whether `sys.executable` is Python, not an application that contains it."""
    return not getattr(sys, "frozen", False) and Path(sys.executable or "").stem.lower().startswith("python")
