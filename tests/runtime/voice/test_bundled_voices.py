"""The bundled voices: parity with PyTorch, size, controls, and likeness to their training data."""

import json
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine, Voice
from vrnn_engine.evaluation.sound import SoundStatistics, describe
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.training.recipe import load_recipe

VOICES = ("blizzard", "handwriting")
SPEECH = Path(__file__).parents[2] / "support" / "kathleen.json"
"""Statistics of the training speech, written by `benchmarks/speech.py --save`."""


@pytest.mark.parametrize("name", VOICES)
def test_a_bundled_voice_replays_its_parity_vectors(name):
    voice = Voice.open(name)
    report = verify(voice)
    reading = {"text.position", "text.attention", "observe.text.position", "observe.text.attention"}
    inferred = {"observe.posterior.mean", "observe.kl", "observe.log_likelihood"}
    assert set(report.differences) == {"frame"} | inferred | (
        reading if voice.manifest.text else {"resynthesise.own.frame"}
    )
    assert max(report.differences.values()) < report.tolerance == 1e-4


@pytest.mark.parametrize("name", VOICES)
def test_the_card_names_the_commands_of_the_manifest(name):
    voice = Voice.open(name)
    assert voice.manifest.provenance.command in (voice.path / "CARD.md").read_text("utf-8")


def test_the_bundled_voices_are_small():
    size = sum(path.stat().st_size for name in VOICES for path in Voice.open(name).path.iterdir())
    assert size <= 20 * 2**20


def test_the_model_of_the_paper_has_no_source_filter():
    assert load_recipe("blizzard-paper").model.source_filter is None


@pytest.mark.parametrize("name", VOICES)
def test_blocks_and_other_streams_in_the_batch_change_no_bit(name):
    alone = Engine.load(name, "cpu").stream(7).read(90)
    engine = Engine.load(name, "cpu", rows=9)
    others = [engine.stream(seed) for seed in range(9)]
    others[3].controls["latent.temperature"] = 0.3
    together = [engine.read(n)[7] for n in (1, 7, 80)]
    assert np.array_equal(np.concatenate(together), alone[: sum(map(len, together))])
    assert np.array_equal(np.concatenate([*together, others[7].read(2)]), alone)


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("control", ["latent.temperature", "latent.shift", "output.temperature"])
def test_every_control_changes_the_output(name, control):
    plain, steered = (Engine.load(name, "cpu").stream(7) for _ in range(2))
    steered.controls[control] = 0.5 if control == "latent.shift" else 0.0
    a, b = plain.read(80), steered.read(80)
    assert np.isfinite(b).all()
    # More than rounding, and more than a little: a latent that the decoder ignores fails here.
    assert np.sqrt(np.mean((a - b) ** 2)) > 0.1 * a.std()


@pytest.fixture(scope="module")
def speech():
    fields = json.loads(SPEECH.read_text())
    return SoundStatistics(**(fields | {"bands": tuple(fields["bands"])}))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_blizzard_sounds_like_its_training_speech(speech, seed):
    """Half a minute.  Steady noise with the spectrum of the speech has a depth of 1.8 dB and fails."""
    sound = Engine.load("blizzard", "cpu").stream(seed).read(2400)
    found = describe(sound, 16000)
    assert found.clipped == 0
    assert abs(found.level - speech.level) < 6
    assert np.abs(found.band_differences(speech)).max() < 6  # third octaves from 100 Hz to 4 kHz
    assert found.depth > 6
    assert found.syllabic > 0.5 * speech.syllabic


def test_blizzard_has_a_pitch_and_can_whisper(speech):
    """Speech with the phases of its frames drawn at random has a voiced share of 0.3.

    The power above 4 kHz is a mean over streams: it differs by 1.5 dB (one standard deviation) from stream to stream.
    """
    engine = Engine.load("blizzard", "cpu", rows=5)
    streams = [engine.stream(seed) for seed in (1, 2, 3, 4, 4)]
    streams[-1].controls["output.voicing"] = -10.0
    *sounds, whispered = (describe(sound, 16000) for sound in engine.read(1600))
    assert np.mean([sound.voiced for sound in sounds]) > 0.6 * speech.voiced
    assert abs(np.mean([sound.high for sound in sounds]) - speech.high) < 3  # within a factor of two
    assert whispered.voiced < 0.1


@pytest.mark.slow
def test_blizzard_keeps_its_level_for_minutes(speech):
    stream = Engine.load("blizzard", "cpu").stream(5)
    levels = [describe(stream.read(1600), 16000).level for _ in range(6)]
    assert np.abs(np.subtract(levels, speech.level)).max() < 9


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_handwriting_writes_a_text_at_the_pace_of_people(seed):
    """Points and width per character, and pen lifts, are like those of the data, whose slowest hands take 25 points."""
    text = "the quick brown fox jumps over the lazy dog"
    stream = Engine.load("handwriting", "cpu").stream(seed, text=text)
    ink = stream.read_text()
    assert (stream.written, stream.faults) == (len(text), 0)
    assert 5 < len(ink) / len(text) < 30
    assert 1.7 < ink[:, 0].sum() / len(text) < 6
    assert 0.03 < ink[:, 2].mean() < 0.25


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_handwriting_without_a_text_moves_as_the_data(seed):
    """The sizes of moves within a line, and pen lifts, are like those of the data."""
    voice = Voice.open("handwriting")
    ink = Engine.load(voice, "cpu").stream(seed).read(1000)
    moves = ink[np.abs(ink[:, 0]) < 20, :2]
    assert len(moves) > 950
    assert set(np.unique(ink[:, 2])) == {0, 1}
    assert 0.03 < ink[:, 2].mean() < 0.25
    assert moves[:, 0].sum() > 30
    assert (moves.std(0) / voice.manifest.normalisation.std > 0.5).all()
    assert (moves.std(0) / voice.manifest.normalisation.std < 2).all()


@pytest.mark.slow
def test_no_allowed_setting_is_20_db_louder_than_the_voice():
    """`output.temperature` used to go to 4, where the sound grew without limit."""
    engine = Engine.load("blizzard", "cpu")
    specs = {control.name: control for control in engine.voice.manifest.controls}

    def level(settings):
        with engine.stream(seed=7) as stream:
            stream.controls.update(settings)
            return 10 * np.log10(np.mean(np.square(stream.read(400), dtype=np.float64)))

    usual = level({})
    ends = [{name: end} for name, one in specs.items() for end in (one.minimum, one.maximum)]
    latents = ("latent.temperature", specs["latent.temperature"].minimum, specs["latent.temperature"].maximum)
    voicings = (specs["output.voicing"].minimum, specs["output.voicing"].default, specs["output.voicing"].maximum)
    loudest = {"output.temperature": specs["output.temperature"].maximum}
    ends += [{**loudest, latents[0]: latent, "output.voicing": to} for latent in latents[1:] for to in voicings]
    ends += [{**loudest, "latent.hold": 1, "latent.target": side} for side in (-10, 10)]
    louder = {str(settings): level(settings) - usual for settings in ends}
    assert max(louder.values()) < 20, louder
