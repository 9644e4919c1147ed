"""A voice that listens while it plays: every frame equals that of the same steps made one by one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from support.command import Run

from vrnn_engine import Engine, Player, RecordingError, StreamError
from vrnn_engine.cli import audio
from vrnn_engine.runtime.live.events import Restore, Rewind, Save, Set
from vrnn_engine.runtime.live.inputs import RecordingInput, open_input
from vrnn_engine.runtime.live.listening.modes import MODES
from vrnn_engine.runtime.live.listening_stream import ListeningStream
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
    return ListeningStream(stream, RecordingInput(clip, stream.voice.manifest), mode, **more)


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


def test_another_seed_changes_resynthesis_from_the_next_frame_on(engine: Engine, clip: Path) -> None:
    listening = listen(engine, clip, "resynthesise")
    listener, speaker = engine.stream(3), engine.stream(3)
    for at, frame in enumerate(SOUND.reshape(-1, 200)):
        if at in (9, 12):
            for one in (listening, listener, speaker):
                one.reseed(at)
        latent = listener.prime(frame).latents[0]
        speaker.controls.update({**HELD, "latent.target": np.clip(latent, -3, 3)})
        assert np.array_equal(listening.read(1), speaker.read(1))


def test_priming_gives_both_streams_of_a_resynthesis_another_state(engine: Engine, clip: Path) -> None:
    listening, other = listen(engine, clip, "resynthesise"), engine.stream(5)
    listener, speaker = engine.stream(3), engine.stream(3)
    other.prime(SOUND)
    for one in (listening, listener, speaker):
        one.continue_from(other)
    for frame in SOUND.reshape(-1, 200)[:5]:
        latent = listener.prime(frame).latents[0]
        speaker.controls.update({**HELD, "latent.target": np.clip(latent, -3, 3)})
        assert np.array_equal(listening.read(1), speaker.read(1))


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


def test_a_voice_without_latents_cannot_resynthesise(engine: Engine, clip: Path) -> None:
    without = SimpleNamespace(voice=engine.voice, controls={}, engine=engine)
    with pytest.raises(StreamError, match="no latents to resynthesise from; observe or continue"):
        ListeningStream(without, RecordingInput(clip, engine.voice.manifest), "resynthesise")  # type: ignore[arg-type]


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


def test_the_help_describes_all_modes_and_the_default() -> None:
    (option,) = audio.Mode.__metadata__
    assert all(mode in option.help for mode in MODES)
    assert f"{MODES[0]} (the default)" in option.help


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (("--from", "clip.wav", "--mode", "sing"), 2, "'sing' is not one of resynthesise, observe, continue"),
        (("--mode", "observe"), 2, "Error: --mode needs --from SOURCE"),
        (("--latency", 1), 2, "Error: --latency is for a sound device, and out.wav is a file"),
        (("--width", 100), 2, "Error: --width is for a page of ink, and out.wav is not one"),
        (("--volume", -3), 2, "Error: --volume is for a sound device, and out.wav is not one"),
        (("--channels", 2), 2, "is for a sound device"),
        (("--strict",), 2, "is for a sound device"),
        (("--from", "none.wav"), 1, "none.wav: no such file"),
        (("--from", "."), 1, ".: is a folder, not a file; give the path of a recording"),
        (("--to", "speakers", "--volume", 99), 1, "a volume of 99.0 dB is not possible"),
    ],
)
def test_wrong_options_are_refused_in_one_line(run: Run, toy_audio: Path, options: tuple, code: int, part: str) -> None:
    target = () if "--to" in options else ("--to", "out.wav")
    done = run("stream", "--voice", toy_audio, *target, *options)
    assert done.returncode == code
    assert part in " ".join(done.stderr.replace("│", " ").split())
