"""A long recording takes no more memory than a short one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import environment

resource = pytest.importorskip("resource")

MINUTES = 12
"""As float32 at 48 kHz in stereo: 276 MB."""
MOST_MIB = 60

READ = """
import resource, sys
import numpy, soundfile, soxr
from vrnn_engine.runtime.recording import open_recording
from vrnn_engine.runtime.voice.voice import Voice
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024**2)
manifest = Voice.open(sys.argv[1]).manifest
before = peak()
frames = 0
for block in open_recording(sys.argv[2], manifest):
    frames += len(block)
print(frames, peak() - before)
"""
LISTEN = """
import resource, sys
import numpy, soundfile, soxr
from vrnn_engine import Engine
from vrnn_engine.runtime.live.inputs import open_input
from vrnn_engine.runtime.live.listening_stream import ListeningStream
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024**2)
stream = Engine.load(sys.argv[1], "cpu").stream(0)
stream.prime(numpy.zeros(200, numpy.float32))
before = peak()
given = open_input(sys.argv[2], stream.voice.manifest)
ListeningStream(stream, given, "resynthesise").read(5)
print(round(given.seconds * 80), peak() - before)
"""
LATENTS = """
import contextlib, io, resource, sys
from pathlib import Path
import numpy, soundfile, soxr
from vrnn_engine.cli.latents import latents
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024**2)
soundfile.write("short.flac", numpy.zeros((48000, 2)), 48000)
latents(sys.argv[1], Path("short.flac"), Path("short.svg"))
before = peak()
said = io.StringIO()
with contextlib.redirect_stderr(said):
    latents(sys.argv[1], Path(sys.argv[2]), Path("long.svg"))
print(said.getvalue().split()[0], peak() - before)
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.flac"
    with soundfile.SoundFile(path, "w", 48000, 2) as file:
        for _ in range(MINUTES):
            file.write(np.zeros((60 * 48000, 2), np.int16))
    return path


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(READ, id="read to the end"),
        pytest.param(LISTEN, id="listen to the first frames"),
        pytest.param(LATENTS, id="draw the latents", marks=pytest.mark.slow),
    ],
)
def test_a_long_recording_takes_little_memory(code: str, recording: Path, toy_audio: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", code, str(toy_audio), str(recording)]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    frames, mib = map(int, done.stdout.split())
    assert frames == MINUTES * 60 * 80
    assert mib < MOST_MIB
