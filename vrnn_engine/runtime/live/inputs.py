"""What a voice can listen to while it plays: a file, or a microphone.  From a string to an input."""

import os
from typing import Protocol

import numpy as np

from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.recording import read_recording
from vrnn_engine.runtime.voice.manifest import Manifest


class Input(Protocol):
    """Frames from outside.  One thread opens, reads and closes it."""

    label: str
    """What to call it in messages."""
    live: bool
    """Whether it brings its frames in their own time, and has no end."""
    seconds: float
    """How long it lasts; inf without an end."""
    conversions: tuple[str, ...]
    """What it takes to make it fit, a line each."""

    @property
    def delay(self) -> float:
        """Seconds since what the next frame begins with was sounded."""
        ...

    @property
    def dropped(self) -> int:
        """Samples that came and were not read in time."""
        ...

    def read(self) -> np.ndarray | None:
        """Return the next frame `[F]`, waiting for it; None where there is no more."""

    def close(self) -> None:
        """Let go of it."""


class FileInput:
    """A recording, a frame at a time.

    Parameters
    ----------
    path : path
        As `read_recording` reads it.
    manifest : Manifest
        Of the voice that listens.

    Raises
    ------
    RecordingError
        It cannot be read, or does not fit.
    """

    live = False
    delay = 0.0
    dropped = 0

    def __init__(self, path: str | os.PathLike[str], manifest: Manifest) -> None:
        found = read_recording(path, manifest)
        self.label = os.fspath(path)
        self.conversions = found.conversions
        self.seconds = len(found.frames) / manifest.frames_per_second
        self._frames = iter(found.frames)

    def read(self) -> np.ndarray | None:
        """Return the next frame `[F]`, or None after the last."""
        return next(self._frames, None)

    def close(self) -> None:
        """Nothing to let go of."""


def open_input(what: str, manifest: Manifest, latency: float = 0.05, strict: bool = False) -> Input:
    """Open what a voice is to listen to.

    Parameters
    ----------
    what : str
        `microphone`, `microphone:NAME` (or an index), or a file.
    manifest : Manifest
        Of the voice.
    latency : float
        Seconds that may wait to be listened to.
    strict : bool
        Whether a microphone that vanishes is an error.

    Raises
    ------
    RecordingError
        It cannot be opened or read, or does not fit the voice.
    """
    scheme, _, name = what.partition(":")
    if scheme != "microphone":
        return FileInput(what, manifest)
    if manifest.modality == "pen":
        raise RecordingError(f"a microphone brings sound, but voice {manifest.name!r} reads ink: give a .jsonl or .npz")
    from vrnn_engine.runtime.audio.microphone import Microphone

    return Microphone(name, manifest, latency, strict)
