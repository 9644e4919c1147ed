"""`vrnn-engine evaluate --free-running`: takes of a checkpoint beside real ones of the same length."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from support import tiny_models
from support.command import environment, the_error
from support.corpora import syllables, zigzag
from support.recipes import pen_recipe, speech_recipe

from vrnn_engine.evaluation.repetition import repetition
from vrnn_engine.evaluation.sound import describe
from vrnn_engine.exporters.export import export
from vrnn_engine.training.checkpoint import Checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint and a corpus of each modality."""
    folder = tmp_path_factory.mktemp("free")
    for name, recipe, kind, std in (
        ("speech.pt", speech_recipe(), "mdct-gauss", (0.1,)),
        ("pen.pt", pen_recipe(), "pen-gmm", (1.0, 1.0)),
    ):
        mean, weights = (0.0,) * len(std), tiny_models.model(kind).state_dict()
        save_checkpoint(Checkpoint(recipe, weights, mean, std, {}, "", {"update": torch.tensor(1)}), folder / name)
    for seed, split in enumerate(("train", "valid", "test")):
        (folder / "recordings" / split).mkdir(parents=True)
        soundfile.write(folder / "recordings" / split / "a.wav", syllables(10, seed), 8000, subtype="PCM_16")
    lines = [np.rint(zigzag(20 * (i % 2), points=360) * [100, 100, 1]) for i in range(120)]
    np.savez(
        folder / "ink.npz",
        dxy=np.concatenate(lines)[:, :2].astype(np.int16),
        eos=np.concatenate(lines)[:, 2].astype(np.uint8),
        offsets=np.arange(121) * 360,
        ids=np.array([f"line{i}" for i in range(120)]),
        contributor=np.array(["upright", "leaning"] * 60),
        points_per_inch=np.full(120, 2540, np.float32),
        points_per_second=np.full(120, 50, np.float32),
    )
    return folder


@pytest.fixture
def evaluate(folder):
    def run(*words):
        command = [sys.executable, "-m", "vrnn_engine", "evaluate", *words, "--free-running"]
        return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)

    return run


@pytest.mark.slow
def test_sound_is_held_against_takes_of_the_split(evaluate, folder):
    done = evaluate("speech.pt", "--data", "recordings", "--seeds", "2", "--seed", "7", "--seconds", "5", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seeds"] == [7, 8]
    sound, rate = soundfile.read(folder / "recordings" / "test" / "a.wav")
    halves = sound[: 5 * rate], sound[5 * rate :]
    assert found["real"]["level_db"] == pytest.approx([describe(half, rate).level for half in halves], abs=0.01)
    assert found["real"]["repetition"] == pytest.approx([repetition(half, rate) for half in halves], abs=0.01)
    assert set(found["real"]) == set(found["generated"])
    assert not any(name.startswith("drift") for name in found["real"])
    one, two = found["generated"]["level_db"]
    assert one != two


@pytest.mark.slow
def test_two_minutes_drift_in_a_table(evaluate):
    done = evaluate("speech.pt", "--data", "recordings", "--seeds", "1", "--seconds", "120")
    assert done.returncode == 0, done.stderr
    rows = {row[:24].strip(): row[24:].split() for row in done.stdout.splitlines()}
    assert rows["drift level"][0] == "-"  # ten seconds are too few to drift
    assert float(rows["drift depth"][1]) > 0
    assert "8% as long" in done.stderr


@pytest.mark.slow
def test_ink_is_held_against_the_writers_of_the_split(evaluate):
    done = evaluate("pen.pt", "--data", "ink.npz", "--seeds", "3", "--seconds", "12", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found["real"]["slant_median"]) == pytest.approx([0, 20], abs=0.5)
    assert found["real"]["constancy_slant"][0] < 0.1
    assert len(found["generated"]["lifted"]) == 3
    assert found["generated"]["constancy_size"][0] > 0


@pytest.mark.slow
def test_a_voice_runs_free_with_its_own_defaults(evaluate, folder, tmp_path, toy_audio):
    quiet = tmp_path / "quiet"
    export(folder / "speech.pt", quiet, defaults={"output.temperature": 0.01})
    words = ("speech.pt", "--data", "recordings", "--seeds", "1", "--seconds", "5", "--json")
    plain, of_voice = (json.loads(evaluate(*words, *more).stdout) for more in ((), ("--voice", str(quiet))))
    assert of_voice["real"] == plain["real"]
    assert of_voice["generated"]["level_db"][0] < plain["generated"]["level_db"][0] - 1
    assert "is not of speech.pt" in the_error(evaluate(*words, "--voice", str(toy_audio)))


@pytest.mark.slow
def test_the_recipe_of_a_voice_will_do_for_its_checkpoint(evaluate):
    words = ("handwriting", "--data", "ink.npz", "--seeds", "2", "--seconds", "12", "--json")
    done = evaluate(*words, "--voice", "handwriting")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["recipe"], found["voice"]) == ("handwriting", "handwriting")
    assert sorted(found["real"]["slant_median"]) == pytest.approx([0, 20], abs=0.5)
    assert len(found["generated"]["slant_median"]) == 2
    assert "recipe handwriting has no weights to run free: give a --voice" in the_error(evaluate(*words))
    assert "did you mean handwriting" in the_error(evaluate("handwritin", "--data", "ink.npz"))
    wrong = the_error(evaluate("iamondb", "--data", "ink.npz", "--voice", "handwriting"))
    assert "is not of iamondb, which has another family, basis, rate or unit" in wrong


def test_a_voice_needs_a_free_run(run, folder):
    done = run("evaluate", folder / "speech.pt", "--data", folder / "recordings", "--voice", "blizzard")
    assert done.returncode == 2
    assert "--free-running" in done.stderr


def test_a_lost_checkpoint_is_one_line(evaluate):
    assert "none.pt" in the_error(evaluate("none.pt", "--data", "ink.npz"))
