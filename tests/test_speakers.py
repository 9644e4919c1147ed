"""Speakers: what is sent through PortAudio arrives at a real sound server, sample for sample."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sound_server

SECONDS = 1.5
SENT = np.random.default_rng(0).uniform(-0.5, 0.5, round(SECONDS * 16000)).astype(np.float32)

# Plays the array in a process of its own: PortAudio looks for devices once, when it is imported.
PLAY = """
import json, sys
from types import SimpleNamespace
import numpy as np
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.player import Player

samples, target, latency, rate = np.load(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
manifest = SimpleNamespace(modality="audio", rate=rate, frame_size=200, unit="full scale", name="noise")
position = 0

def read(frames):
    global position
    block = samples[position : position + frames * 200]
    position += frames * 200
    return block

stream = SimpleNamespace(read=read, voice=SimpleNamespace(manifest=manifest))
try:
    with Player(stream, to=target, latency=latency, seconds=len(samples) / rate) as player:
        player.wait()
    print(json.dumps({"label": player.label, "played": player.seconds_played, "underruns": player.underruns}))
except SinkError as error:
    print(json.dumps({"error": str(error)}))
"""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sound_server.SoundServer]:
    if reason := sound_server.missing():
        pytest.skip(reason)
    running = sound_server.SoundServer(tmp_path_factory.mktemp("sound"))
    yield running
    running.close()


def play(
    server: sound_server.SoundServer, tmp_path: Path, target: str = "speakers", latency: float = 0.2, rate: int = 16000
) -> dict[str, object]:
    np.save(tmp_path / "sent.npy", SENT)
    command = [sys.executable, "-c", PLAY, str(tmp_path / "sent.npy"), target, str(latency), str(rate)]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def align(heard: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Return the part of `heard` that best matches `sent`."""
    size = 1 << (len(heard) + len(sent)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)))
    start = int(np.argmax(match))
    return heard[start : start + len(sent)]


def test_all_that_is_sent_is_heard(server: sound_server.SoundServer, tmp_path: Path) -> None:
    """From the first sample to the last: devices like to swallow both ends."""
    recorder = server.record()
    answer = play(server, tmp_path, latency=0.5)
    heard = recorder.finish()
    assert answer["played"] == pytest.approx(SECONDS)
    assert str(answer["label"]).startswith("speakers (")
    if answer["underruns"]:  # on a machine too busy to play, the gaps are counted; the sound is still all there
        assert np.count_nonzero(np.abs(heard) > 1e-6) >= 0.98 * len(SENT)
    else:
        assert np.abs(align(heard, SENT) - SENT).max() < 1e-4
        assert np.count_nonzero(np.abs(heard) > 1e-6) == np.count_nonzero(np.abs(SENT) > 1e-6)


def test_a_device_by_part_of_its_name(server: sound_server.SoundServer, tmp_path: Path) -> None:
    assert play(server, tmp_path, "speakers:PULS")["label"] == "speakers (pulse)"


def test_an_unknown_device_lists_the_near_ones(server: sound_server.SoundServer, tmp_path: Path) -> None:
    error = str(play(server, tmp_path, "speakers:pulze")["error"])
    assert "no sound device is called 'pulze'" in error
    assert "pulse" in error.replace("pulze", "")


def test_the_command_line_plays_by_default_where_there_is_a_device(
    server: sound_server.SoundServer, tmp_path: Path, toy_audio: Path
) -> None:
    recorder = server.record()
    command = [
        sys.executable,
        "-m",
        "vrnn_engine",
        "stream",
        "--voice",
        str(toy_audio),
        "--seconds",
        "1",
        "--seed",
        "1",
    ]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    heard = recorder.finish()
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "speakers (" in done.stderr
    assert "underruns" in done.stderr
    assert not list(tmp_path.glob("*.wav"))
    assert np.sqrt(np.mean(align(heard, SENT[:8000]) ** 2)) > 0.01


def test_devices_lists_them(server: sound_server.SoundServer) -> None:
    command = [sys.executable, "-m", "vrnn_engine", "devices", "--json"]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["sound_error"] is None
    assert "pulse" in [one["name"] for one in found["sound"]]
    assert [one["default"] for one in found["sound"]].count(True) == 1
