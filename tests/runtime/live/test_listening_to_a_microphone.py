"""A voice that listens to a microphone, by a sound server of its own: latency, losses and reconnecting."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import sound_server
from support.command import ROOT, Run, the_error

from vrnn_engine import Engine
from vrnn_engine.runtime.live.listening_stream import PAUSE, ListeningStream

SOUND = (0.3 * np.random.default_rng(7).standard_normal(30 * 200)).clip(-1, 1).astype(np.float32)


class Speaker:
    """A microphone into which somebody speaks, with a pause."""

    live = True
    delay, dropped, label, seconds, conversions = 0.03, 0, "somebody", float("inf"), ()

    def __init__(self, frames: np.ndarray) -> None:
        self._frames = iter(frames)

    def read(self) -> np.ndarray:
        return next(self._frames)

    def close(self) -> None:
        pass


def test_in_a_pause_the_voice_continues_by_itself(engine: Engine) -> None:
    sound = SOUND.reshape(30, 200)
    still = np.zeros((50, 200), np.float32)
    listener = ListeningStream(engine.stream(3), Speaker(np.concatenate([sound, still, sound])), "continue")
    made = listener.read(110).reshape(110, 200)
    turn = 30 + round(PAUSE * 80) - 1  # the frame in which the pause becomes long enough
    stream = engine.stream(3)
    stream.prime(np.concatenate([sound, still[: turn - 30]]).reshape(-1))
    alone = stream.read(80 - turn)
    assert not made[:turn].any()  # the sound of a microphone is not passed on
    assert np.array_equal(made[turn:80].reshape(-1), alone)
    assert not made[80:].any()
    stream.prime(sound.reshape(-1))
    assert np.array_equal(listener.stream.read(3), stream.read(3))
    assert listener.delay == pytest.approx(0.03 + 0.0125)


def test_a_pen_cannot_listen_to_a_microphone(run: Run, toy_pen: Path) -> None:
    assert "a microphone records sound" in the_error(run("stream", "--voice", toy_pen, "--from", "microphone"))


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sound_server.SoundServer]:
    if reason := sound_server.missing():
        pytest.skip(reason)
    running = sound_server.SoundServer(tmp_path_factory.mktemp("sound"))
    yield running
    running.close()


# Microphone and speakers in a process of their own: PortAudio looks for devices once, when it is imported.
LISTEN = """
import json, pathlib, sys
from vrnn_engine import Engine, Player
from vrnn_engine.runtime.live.inputs import open_input
from vrnn_engine.runtime.live.listening_stream import ListeningStream

stream = Engine.load(sys.argv[1], "cpu").stream(3)
microphone = open_input("microphone", stream.voice.manifest, latency=0.3)
listener = ListeningStream(stream, microphone, "observe", through=True)
with listener, Player(listener, to="speakers?ceiling=0", latency=0.3) as player:  # the sound has peaks of 0 dB
    while player.seconds_played < 1.5:  # by then both devices run steadily
        player.wait(0.01)
    pathlib.Path(sys.argv[2]).touch()
    while not pathlib.Path(sys.argv[3]).exists():
        player.wait(0.01)
    print(json.dumps([listener.heard, listener.delay, player.latency, listener.input.dropped, player.underruns]))
"""


@pytest.mark.slow
def test_the_speakers_play_what_the_microphone_hears(
    server: sound_server.SoundServer, toy_audio: Path, tmp_path: Path
) -> None:
    recorder = server.record()
    command = [sys.executable, "-c", LISTEN, str(toy_audio), str(tmp_path / "ready"), str(tmp_path / "over")]
    listening = subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sound_server.wait_until((tmp_path / "ready").exists, "it does not listen")
    said = np.tile(SOUND, 4)
    server.say(said)
    (tmp_path / "over").touch()
    out, errors = listening.communicate(timeout=60)
    assert listening.returncode == 0, errors.decode()
    heard = recorder.finish()
    frames, delay, latency, dropped, underruns = json.loads(out)
    assert frames > 80
    assert delay > 0.0125
    assert latency > 0.1
    size = 1 << (len(heard) + len(said)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)))
    start = int(np.argmax(match))
    if not dropped and not underruns:  # a busy machine makes gaps, and counts them
        assert np.abs(heard[start : start + len(said)] - said).max() < 1e-4


NEGLECTED = """
import json, sys, time
from vrnn_engine import Engine
from vrnn_engine.runtime.audio import microphone

microphone.SETTLING = 0.0
ear = microphone.Microphone("", Engine.load(sys.argv[1], "cpu").voice.manifest, latency=0.1)
for _ in range(40):
    ear.read()
before = ear.dropped
time.sleep(2)
full = ear.delay
ear.read()
print(json.dumps([before, ear.dropped, full, ear.delay]))
ear.close()
"""


def test_a_microphone_that_is_not_read_drops_old_sound(server: sound_server.SoundServer, toy_audio: Path) -> None:
    command = [sys.executable, "-c", NEGLECTED, str(toy_audio)]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    before, after, full, then = json.loads(done.stdout)
    assert after - before > 16000
    assert then < full - 0.05


VANISHING = """
import json, logging, pathlib, sys
from vrnn_engine import Engine, Player, VRNNEngineError
from vrnn_engine.runtime.live.inputs import open_input
from vrnn_engine.runtime.live.listening_stream import ListeningStream

said = []
logging.getLogger("vrnn_engine").warning = lambda line, *given: said.append(line % given)
stream = Engine.load(sys.argv[1], "cpu").stream(3)
microphone = open_input("microphone", stream.voice.manifest, 0.2, strict=sys.argv[3] == "strict")
listener = ListeningStream(stream, microphone, "observe")
try:
    with listener, Player(listener, to=sys.argv[4], latency=0.2) as player:
        while player.seconds_played < 0.5:
            player.wait(0.01)
        pathlib.Path(sys.argv[2]).touch()
        while len(said) < 4:
            player.wait(0.01)
        heard = listener.heard
        while listener.heard < heard + 20:
            player.wait(0.01)
except VRNNEngineError as error:
    said.append(str(error))
print(json.dumps(said))
"""


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_microphone_and_speakers_come_back_with_the_sound_server(
    toy_audio: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, strict: bool
) -> None:
    if reason := sound_server.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("sound")
    server = sound_server.SoundServer(folder)
    server.record()
    words = [str(toy_audio), str(tmp_path / "ready"), "strict" if strict else "", "null" if strict else "speakers"]
    listening = subprocess.Popen(
        [sys.executable, "-c", VANISHING, *words], env=server.environment, stdout=subprocess.PIPE
    )
    sound_server.wait_until((tmp_path / "ready").exists, "it does not listen")
    server.close()
    if not strict:
        server = sound_server.SoundServer(folder)
        server.record()
    out, _ = listening.communicate(timeout=60)
    if not strict:
        server.close()
    said = sorted(re.sub(r"\(.*\)|\d+\.\d", "X", line) for line in json.loads(out))
    assert said == (
        ["microphone X is disconnected: it delivers no more sound; connect it and start again"]
        if strict
        else [
            "microphone X is back after X s",
            "microphone X is disconnected; hearing silence until it is back",
            "speakers X is back after X s",
            "speakers X is disconnected; the stream continues without sound until it is back",
        ]
    )


def test_the_command_line_listens_to_a_microphone(
    server: sound_server.SoundServer, work: Path, run: Run, toy_audio: Path
) -> None:
    words = ("stream", "--voice", toy_audio, "--from", "microphone", "--to", "out.wav", "--seconds", 1)
    done = run(*words, env={**server.environment, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert "listening to microphone (" in done.stderr
    assert "heard 1.00 s of microphone (" in done.stderr
    assert "latency 0." in done.stderr
    assert soundfile.info(work / "out.wav").frames == 16000
    error = the_error(run("stream", "--voice", toy_audio, "--from", "microphone:x", env=server.environment))
    assert "no microphone is called 'x'" in error
