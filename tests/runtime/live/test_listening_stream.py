"""A voice that listens while it plays: every frame equals that of the same steps made one by one."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from support import sound_server
from support.command import ROOT, Run, the_error

from vrnn_engine import Engine, Player, RecordingError, StreamError
from vrnn_engine.cli import audio
from vrnn_engine.runtime.live.events import Restore, Rewind, Save, Set
from vrnn_engine.runtime.live.inputs import FileInput, open_input
from vrnn_engine.runtime.live.listening_stream import MODES, PAUSE, ListeningStream
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder

HELD = {"latent.hold": 1.0}
SOUND = (0.3 * np.random.default_rng(7).standard_normal(30 * 200)).clip(-1, 1).astype(np.float32)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Thirty frames of noise, as a file holds them exactly."""
    soundfile.write(tmp_path / "clip.wav", SOUND, 16000, subtype="FLOAT")
    return tmp_path / "clip.wav"


def listen(engine: Engine, clip: Path, mode: Any, seed: int = 3, **more: Any) -> ListeningStream:
    stream = engine.stream(seed)
    return ListeningStream(stream, FileInput(clip, stream.voice.manifest), mode, **more)


def test_observing_passes_the_input_on_and_follows_its_state(engine: Engine, clip: Path) -> None:
    listener, stream = listen(engine, clip, "observe"), engine.stream(3)
    assert np.array_equal(listener.read(10), SOUND[:2000])
    assert np.array_equal(listener.read(50), SOUND[2000:])
    assert len(listener.read(1)) == 0
    seen = stream.prime(SOUND)
    assert listener.heard == 30
    assert listener.kl == pytest.approx(seen.kl.mean())
    assert listener.kl_now == pytest.approx(seen.kl[-1])
    assert listener.log_likelihood == pytest.approx(seen.log_likelihood.mean())
    assert np.array_equal(listener.stream.read(5), stream.read(5))


def test_the_observed_input_can_be_muted(engine: Engine, clip: Path) -> None:
    assert not listen(engine, clip, "observe", through=False).read(30).any()


def test_continue_equals_priming_and_then_reading(engine: Engine, clip: Path) -> None:
    listener, stream = listen(engine, clip, "continue"), engine.stream(3)
    made = np.concatenate([listener.read(7), listener.read(43)])
    stream.prime(SOUND)
    assert np.array_equal(made[: len(SOUND)], SOUND)
    assert np.array_equal(made[len(SOUND) :], stream.read(20))


def by_hand(engine: Engine, sound: np.ndarray, shift: dict[int, float] | None = None) -> np.ndarray:
    """Resynthesise step by step; `shift` maps a frame to the value of latent.shift from there on."""
    listener, speaker, made = engine.stream(3), engine.stream(3), []
    for t, frame in enumerate(sound.reshape(-1, 200)):
        if shift and t in shift:
            listener.controls["latent.shift"] = shift[t]
        latent = listener.prime(frame).latents[0]
        speaker.controls.update({**HELD, "latent.target": np.clip(latent, -3, 3)})
        made.append(speaker.read(1))
    return np.concatenate(made)


def test_resynthesis_equals_holding_the_observed_latents(engine: Engine, clip: Path) -> None:
    listener = listen(engine, clip, "resynthesise")
    made = np.concatenate([listener.read(7), listener.read(90)])
    assert np.array_equal(made, by_hand(engine, SOUND))
    assert listener.heard == 30
    assert repr(listener.controls) == repr(engine.stream(1).controls)  # the user's controls are unchanged


def test_controls_change_resynthesis_from_the_next_frame_on(engine: Engine, clip: Path) -> None:
    listener = listen(engine, clip, "resynthesise")
    made = [listener.read(8)]
    listener.controls["latent.shift"] = 0.5
    made.append(listener.read(6))
    listener.controls["latent.shift"] = 0.0
    made.append(listener.read(16))
    assert np.array_equal(np.concatenate(made), by_hand(engine, SOUND, {8: 0.5, 14: 0.0}))
    assert not np.array_equal(by_hand(engine, SOUND, {8: 0.5, 14: 0.0}), by_hand(engine, SOUND))


def test_a_performance_of_it_saves_restores_and_rewinds(engine: Engine, clip: Path, tmp_path: Path) -> None:
    listener = listen(engine, clip, "resynthesise")
    performance = Performance(
        listener, [Set(frame=2, control="output.temperature", value=0.0)], saved=SavedFolder("toy", tmp_path)
    )
    performance.read(5)
    performance.send(Save(name="here"))
    performance.read(4)
    performance.send(Set(control="output.temperature", value=2.0))
    performance.read(1)
    performance.send(Restore(name="here"))
    performance.read(1)
    assert listener.controls["output.temperature"] == performance.controls["output.temperature"] == 0.0
    assert listener.controls["latent.hold"].max() == 0  # type: ignore[union-attr]
    performance.send(Rewind(seconds=0.05))
    assert len(performance.read(50)) == 19 * 200  # the input is not rewound
    assert performance.frame == 30


def test_the_end_of_the_input_ends_the_player(engine: Engine, clip: Path, tmp_path: Path) -> None:
    for mode in ("observe", "resynthesise"):
        with Player(Performance(listen(engine, clip, mode)), to=tmp_path / "out.wav") as player:
            assert player.wait(30)
        assert soundfile.info(tmp_path / "out.wav").frames == len(SOUND)


def test_ink_is_observed_and_resynthesised(toy_pen: Path, tmp_path: Path) -> None:
    engine = Engine.load(toy_pen, "cpu")
    ink = engine.stream(9).read(25)
    np.savez(tmp_path / "ink.npz", dx=ink[:, 0], dy=ink[:, 1], pen_up=ink[:, 2])
    assert np.array_equal(listen(engine, tmp_path / "ink.npz", "observe").read(30), ink)
    made = listen(engine, tmp_path / "ink.npz", "resynthesise").read(30)
    listener, speaker = engine.stream(3), engine.stream(3)
    for at in range(25):
        latent = listener.prime(ink[at : at + 1]).latents[0]
        speaker.controls.update({**HELD, "latent.target": np.clip(latent, -3, 3)})
        assert np.array_equal(made[at : at + 1], speaker.read(1))
    with pytest.raises(RecordingError, match=r"a microphone records sound, but voice 'toy-pen' reads ink"):
        open_input("microphone", engine.voice.manifest)


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


def test_a_voice_without_latents_cannot_resynthesise(engine: Engine, clip: Path) -> None:
    without = SimpleNamespace(voice=engine.voice, controls={}, engine=engine)
    with pytest.raises(StreamError, match="no latents to resynthesise from; observe or continue"):
        ListeningStream(without, FileInput(clip, engine.voice.manifest), "resynthesise")  # type: ignore[arg-type]


def test_the_command_line_resynthesises_a_file(run: Run, work: Path, toy_audio: Path, engine: Engine) -> None:
    soundfile.write(work / "clip.wav", np.stack([SOUND] * 2, axis=1), 16000, subtype="FLOAT")
    options = ("--seed", 3, "--from", "clip.wav", "--to", "out.wav", "--set", "latent.shift=0.5")
    done = run("stream", "--voice", toy_audio, *options)
    assert done.returncode == 0, done.stderr
    assert "listening to clip.wav (resynthesise); converted: 2 channels to mono" in done.stderr
    assert "heard 0.38 s of clip.wav, KL " in done.stderr
    made = soundfile.read(work / "out.wav", dtype="float32")[0]
    assert np.abs(made - by_hand(engine, SOUND, {0: 0.5}).clip(-1, 1)).max() < 1e-4
    done = run("stream", "--voice", toy_audio, "--from", "clip.wav", "--to", "on.wav", "--mode", "continue", "-s", 0.5)
    assert soundfile.info(work / "on.wav").frames == 8000, done.stderr


def test_the_command_line_has_all_modes() -> None:
    assert set(audio.MODES) == set(MODES)


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (("--from", "clip.wav", "--mode", "sing"), 2, "'sing' is not one of resynthesise, observe, continue"),
        (("--mode", "observe"), 2, "needs --from SOURCE"),
        (("--volume", -3), 2, "is for a sound device, and out.wav is not one"),
        (("--channels", 2), 2, "is for a sound device"),
        (("--strict",), 2, "is for a sound device"),
        (("--from", "none.wav"), 1, "none.wav: no such file"),
        (("--from", "."), 1, ".: is a folder, not a file; name a recording"),
        (("--to", "speakers", "--volume", 99), 1, "a volume of 99.0 dB is not possible"),
    ],
)
def test_wrong_options_are_refused_in_one_line(run: Run, toy_audio: Path, options: tuple, code: int, part: str) -> None:
    done = run("stream", "--voice", toy_audio, "--to", "out.wav", *options)
    assert done.returncode == code
    assert part in " ".join(done.stderr.replace("│", " ").split())


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
with listener, Player(listener, latency=0.3) as player:
    while player.seconds_played < 1.5:  # by then both devices run steadily
        player.wait(0.01)
    pathlib.Path(sys.argv[2]).touch()
    while not pathlib.Path(sys.argv[3]).exists():
        player.wait(0.01)
    print(json.dumps([listener.heard, listener.delay, player.latency, listener.input.dropped, player.underruns]))
"""


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
