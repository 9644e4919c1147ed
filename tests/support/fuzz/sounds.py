"""Readers of sound: files that prime a voice, files of a corpus, and WAV streams from a pipe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from support import toy_voice
from support.fuzz.pens import piped
from support.fuzz.reader import Reader
from vrnn_engine.data.recordings import read_mono
from vrnn_engine.runtime.recording import read_recording
from vrnn_engine.runtime.voice.manifest import read_manifest


def _sound(home: Path, ending: str, rate: int) -> bytes:
    path = home / f"whole.{ending}"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((4000, 2)), rate)
    return path.read_bytes()


def _recordings(ending: str, rate: int) -> Callable[[Path], Reader]:
    """A sound file that primes a voice."""

    def make(home: Path) -> Reader:
        manifest = read_manifest(toy_voice.build(home / "toy"))
        data = _sound(home, ending, rate)
        return Reader.of_file(
            home / f"take.{ending}", data, lambda path: read_recording(path, manifest).frames.tobytes()
        )

    return make


def corpora(home: Path) -> Reader:
    """A recording of a corpus."""
    data = _sound(home, "flac", 22050)
    return Reader.of_file(home / "take.flac", data, lambda path: read_mono(path, 16000).tobytes())


def streams(home: Path) -> Reader:
    """A WAV stream from a pipe."""
    manifest = read_manifest(toy_voice.build(home / "toy"))
    data = _sound(home, "wav", 16000)

    def read(given: bytes) -> Any:
        with piped(given) as place:
            return read_recording(place, manifest).frames.tobytes()

    return Reader.of_bytes(data, read)


READERS = {
    "sound-wav": _recordings("wav", 22050),
    "sound-flac": _recordings("flac", 16000),
    "sound-ogg": _recordings("ogg", 16000),
    "sound-corpus": corpora,
    "sound-piped": streams,
}
