"""A stereo voice: trained, exported, streamed, written to files, played and primed."""

import json

import msgspec
import numpy as np
import pytest
import soundfile
from support.corpora import make_speech, split_names
from support.recipes import speech_recipe

from vrnn_engine import Engine, Player
from vrnn_engine.errors import VoiceError
from vrnn_engine.evaluation.free_running import sound_columns
from vrnn_engine.exporters.export import export
from vrnn_engine.runtime.audio.fader import Fader
from vrnn_engine.runtime.audio.limiter import Limiter
from vrnn_engine.runtime.audio.ring import Ring
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.safety.level_watch import LOUDEST, LevelWatch
from vrnn_engine.runtime.sinks.pcm import streamed_wav_header
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.voices import ServedVoices
from vrnn_engine.serve.web.site import write_site
from vrnn_engine.training.trainer import train

SAMPLES = 10
"""Samples per channel in a frame of the voice."""


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stereo")
    speech = make_speech(folder / "speech", split_names(3), channels=2)
    recipe = speech_recipe(updates=3, kl_warmup=0)
    recipe = msgspec.structs.replace(recipe, model=msgspec.structs.replace(recipe.model, channels=2))
    train(recipe, speech, folder / "run")
    export(folder / "run" / "best.pt", folder / "voice")
    return folder / "voice"


def test_manifest_says_that_it_is_stereo_and_old_releases_refuse_it(voice):
    manifest = json.loads((voice / "voice.json").read_text())
    assert (manifest["channels"], manifest["schema_version"], manifest["frame_size"]) == (2, 4, 2 * SAMPLES)
    assert verify(Voice.open(voice)).rows.difference == 0
    assert "stereo sound" in (voice / "CARD.md").read_text()


def test_blocks_have_two_channels_that_differ(voice):
    engine = Engine.load(str(voice), rows=2)
    assert engine.voice.manifest.frames_per_second == 8000 / SAMPLES
    one, two = (engine.stream(seed) for seed in (1, 2))
    blocks = engine.read(5, [one, two])
    assert [block.shape for block in blocks] == [(5 * SAMPLES, 2)] * 2
    assert not np.allclose(blocks[0][:, 0], blocks[0][:, 1])
    again = engine.stream(1)
    assert np.array_equal(np.concatenate([again.read(2), again.read(3)]), blocks[0])
    assert again.read(0).shape == (0, 2)


def test_a_performance_yields_what_the_stream_yields(voice):
    engine = Engine.load(str(voice))
    made = Performance(engine.stream(3)).read(1000)
    assert np.array_equal(made, engine.stream(3).read(1000))


def test_the_level_of_two_channels_is_that_of_each(voice):
    manifest = Voice.open(voice).manifest
    for level, loud in ((0.95 * LOUDEST, False), (1.05 * LOUDEST, True)):
        watch = LevelWatch(manifest)
        watch.hear(0, np.full((1000 * SAMPLES, 2), level, np.float32), 1000)
        assert watch.alarm() == loud


def test_the_command_streams_it(voice, run, work):
    done = run("stream", "--voice", voice, "--to", "o.wav", "--seconds", 0.5, "--seed", 3)
    assert done.returncode == 0, done.stderr
    sound, rate = soundfile.read(work / "o.wav")
    assert (sound.shape, rate) == ((4000, 2), 8000)
    assert np.allclose(sound, np.clip(Engine.load(str(voice)).stream(3).read(400), -1, 1), atol=1 / 32768)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_files_have_both_channels(voice, tmp_path, name):
    stream = Engine.load(str(voice)).stream(seed=3)
    with Player(stream, to=str(tmp_path / name), seconds=0.1) as player:
        player.wait()
    sound, rate = soundfile.read(tmp_path / name)
    assert (sound.shape, rate) == ((800, 2), 8000)
    expected = Engine.load(str(voice)).stream(seed=3).read(80)
    assert np.allclose(sound, np.clip(expected, -1, 1), atol=1 / 32768)


def test_json_lines_have_pairs(voice, tmp_path):
    with Player(Engine.load(str(voice)).stream(seed=3), to=str(tmp_path / "a.jsonl"), seconds=0.01) as player:
        player.wait()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [np.shape(line["samples"]) for line in lines] == [(SAMPLES, 2)] * 8
    assert [line["t"] for line in lines[:2]] == [0, SAMPLES / 8000]


def test_header_of_a_wav_stream_has_the_channels():
    header = np.frombuffer(streamed_wav_header(8000, 2)[20:36], "<u2")
    assert header[1] == 2
    assert header[6] == 4  # bytes of a sample of both channels


@pytest.mark.parametrize(("channels", "said"), [(2, ()), (1, ("1 channel to stereo",)), (3, ("3 channels to stereo",))])
def test_prime_hears_two_channels(voice, channels, said):
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (95, channels)).astype(np.float32)
    stream = Engine.load(str(voice)).stream(seed=3)
    found = stream.prime(sound)
    assert len(found.kl) == 10
    stereo = sound[:, :2] if channels > 1 else np.repeat(sound, 2, axis=1)
    other = Engine.load(str(voice)).stream(seed=3)
    assert np.array_equal(other.prime(stereo).kl, found.kl)
    if channels == 2:
        swapped = Engine.load(str(voice)).stream(seed=3)
        assert not np.array_equal(swapped.prime(np.ascontiguousarray(sound[:, ::-1])).kl, found.kl)


def test_fader_limiter_and_ring_keep_both_channels():
    sound = np.column_stack([np.full(3000, 0.5), np.full(3000, -2.0)]).astype(np.float32)
    fader, limiter = Fader(), Limiter(8000)
    fader.start(8000, 2)
    faded = np.concatenate([fader.push(sound[:1000]), fader.push(sound[1000:]), fader.finish()])
    assert faded.shape == sound.shape
    assert np.array_equal(faded[100:2900], sound[100:2900])
    assert not faded[-1].any()
    limited = limiter.push(faded)
    loud = limited[100:2900]
    assert np.allclose(loud[:, 1], -(10 ** (-1 / 20)), atol=1e-3)
    assert np.allclose(loud[:, 0] / loud[:, 1], -0.25, atol=1e-3)  # the same gain
    ring, out = Ring(2000, 2), np.zeros((1500, 4), np.float32)
    assert ring.write(limited) == 2000
    assert ring.read_into(out[:, :2]) == 1500
    assert np.array_equal(out[:, :2], limited[:1500])


def test_server_and_page_refuse_it_in_one_line(voice, tmp_path):
    with pytest.raises(VoiceError, match=r"is stereo, and a server plays mono"):
        ServedVoices(ServeOptions(voices=(str(voice),)))
    with pytest.raises(VoiceError, match=r"is stereo, and a page plays mono"):
        write_site([Voice.open(voice)], tmp_path / "site")


def test_statistics_of_stereo_have_its_width():
    rng = np.random.default_rng(0)
    middle, side = rng.standard_normal((2, 5 * 8000))
    sound = 0.1 * np.column_stack([middle + 0.1 * side, middle - 0.1 * side])
    found = sound_columns([sound], 8000)
    assert found["side_db"] == [pytest.approx(-20, abs=0.2)]
    assert found["level_db"] == [pytest.approx(-20, abs=0.2)]
