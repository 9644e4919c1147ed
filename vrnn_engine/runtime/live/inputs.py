"""Opens the input that a voice listens to while it plays: a recording or a microphone, named by a string."""

import math
import os
from collections import deque
from typing import Protocol

import numpy as np

from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.recording import open_recording
from vrnn_engine.runtime.voice.manifest import Manifest


class FrameInput(Protocol):
    """Provides frames of sound or ink.  One thread opens, reads and closes it."""

    label: str
    """Name of the input in messages."""
    live: bool
    """Whether frames arrive in real time and without end."""
    seconds: float
    """Length of the input in seconds; inf if it has no end, or if its length is not known."""
    conversions: tuple[str, ...]
    """How the input was converted to fit the voice, one line per conversion."""

    @property
    def delay(self) -> float:
        """Time in seconds since the first sample of the next frame sounded."""
        ...

    @property
    def dropped(self) -> int:
        """Samples that were lost because they were not read in time."""
        ...

    def read(self) -> np.ndarray | None:
        """Wait for the next frame and return it, float32 [F]; None after the last."""

    def interrupt(self) -> None:
        """Make a `read` that waits return soon.  Any thread may call this."""

    def close(self) -> None:
        """Close the file or device."""


class RecordingInput:
    """Reads a recording from a file or a pipe one frame at a time, and converts it, while it plays.

    Parameters
    ----------
    source : path
        A recording that `open_recording` can open: a sound file, .jsonl or .npz for ink, `-` or a pipe.
    manifest : Manifest
        Manifest of the voice that listens.

    Raises
    ------
    RecordingError
        The recording cannot be read, or does not fit the voice.
    """

    live = False
    delay = 0.0
    dropped = 0

    def __init__(self, source: str | os.PathLike[str], manifest: Manifest) -> None:
        self._recording = open_recording(source, manifest)
        self.label = self._recording.label
        self.conversions = self._recording.conversions
        length = self._recording.length
        self.seconds = math.inf if length is None else length / manifest.frames_per_second
        self._blocks = iter(self._recording)
        self._frames: deque[np.ndarray] = deque()  # the rest of the block that was read last

    def read(self) -> np.ndarray | None:
        """Wait for the next frame and return it, float32 [F]; None after the last."""
        while not self._frames:
            block = next(self._blocks, None)
            if block is None:
                return None
            self._frames.extend(block)
        return self._frames.popleft()

    def interrupt(self) -> None:
        """Make a `read` that waits for a pipe return None soon."""
        self._recording.interrupt()

    def close(self) -> None:
        """Close the file or pipe."""
        self._recording.close()


def open_input(what: str, manifest: Manifest, latency: float = 0.05, strict: bool = False) -> FrameInput:
    """Open an input for a voice.

    Parameters
    ----------
    what : str
        `microphone`, `microphone:NAME` (a part of the device's name, or its index), or a recording as for
        `open_recording`.
    manifest : Manifest
        Manifest of the voice.
    latency : float
        Largest number of seconds that a microphone buffers.
    strict : bool
        Whether a disconnection of the microphone is an error; otherwise silence is read until it is back.

    Returns
    -------
    FrameInput

    Raises
    ------
    RecordingError
        The input cannot be opened or read, or does not fit the voice.
    """
    scheme, _, name = what.partition(":")
    if scheme != "microphone":
        return RecordingInput(what, manifest)
    if manifest.modality == "pen":
        raise RecordingError(
            f"a microphone records sound, but voice {manifest.name!r} reads ink: give a .jsonl or .npz"
        )
    from vrnn_engine.runtime.audio.microphone import Microphone

    return Microphone(name, manifest, latency, strict)
