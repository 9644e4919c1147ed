"""`vrnn-engine evaluate --free-running`: generated takes of a checkpoint beside real takes of the same length."""

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

from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.evaluation import free_running
from vrnn_engine.evaluation.repetition import repetition
from vrnn_engine.evaluation.sound import describe
from vrnn_engine.exporters.export import export
from vrnn_engine.training.checkpoint import Checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of a checkpoint and a corpus for sound, and for ink."""
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
        texts=np.array(["Jig-jag, up and down"] * 120),
    )
    return folder


@pytest.fixture
def evaluate(folder):
    def run(*words):
        command = [sys.executable, "-m", "vrnn_engine", "evaluate", *words, "--free-running"]
        return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)

    return run


def test_cut_takes_are_spread_over_the_signal():
    samples = np.arange(100, dtype=np.int16)
    takes = free_running.cut_takes(samples, 30, 3)
    assert [(take[0] * 32768, len(take)) for take in takes] == [(0, 30), (35, 30), (70, 30)]
    assert len(free_running.cut_takes(samples, 30, 9)) == 3  # without overlap
    assert [len(take) for take in free_running.cut_takes(samples, 100, 2)] == [100]


def test_signal_shorter_than_a_take_gives_one_take_and_a_warning(logged):
    (take,) = free_running.cut_takes(np.ones(40, np.int16), 100, 4)
    assert len(take) == 40
    assert logged == ["the real material is only 40% as long as a generated take, and so repeats less"]


def test_writer_takes_have_the_first_lines_of_each_writer(folder):
    corpus = PenCorpus(folder / "ink.npz", PenData(rows=4, chunk=10, rate=50))
    takes = free_running.writer_takes(corpus, "train", 800)
    assert [len(take) for take in takes] == [3, 3]  # lines of 360 points
    assert takes[0][0] is corpus.lines["train"][0]


def test_ink_columns_have_a_value_per_take_and_one_constancy(logged):
    takes = [[zigzag(10 * seed, seed=seed)] for seed in range(3)]
    columns = free_running.ink_columns(takes)
    assert columns["slant_median"] == pytest.approx([0, 10, 20], abs=0.5)
    assert len(columns["lifted"]) == 3
    assert len(columns["constancy_slant"]) == 1
    assert "constancy_slant" not in free_running.ink_columns(takes[:1])
    assert "constancy of style needs two samples" in logged[0]


def test_line_returns_and_rests_of_a_page_are_no_ink(folder):
    corpus = PenCorpus(folder / "ink.npz", PenData(rows=4, chunk=10, rate=30))
    lines = [zigzag(10, points=198, wobble=8, seed=seed) for seed in range(3)]
    page = np.concatenate(lines)
    page[[198, 396], :2] = -lines[0][:, 0].sum(), 11
    rests = np.tile(np.float32([0, 0, 1]), (100, 1))
    columns = free_running.generated_columns([np.concatenate([page, rests])] * 2, corpus, 30, line_height=11.0)
    expected = free_running.ink_columns([lines] * 2, piece=90)
    for name, values in expected.items():
        assert columns[name] == pytest.approx(values, rel=1e-5, nan_ok=True), name
    assert columns["size_median"] != pytest.approx(free_running.ink_columns([[page]] * 2, piece=90)["size_median"])


@pytest.mark.parametrize(("seconds", "has_drift"), [(5, False), (120, True)])
def test_sound_columns_have_drift_from_two_minutes_on(seconds, has_drift):
    columns = free_running.sound_columns([syllables(seconds, 1)], 8000)
    assert ("drift_level" in columns) == has_drift
    assert len(columns["level_db"]) == 1


@pytest.mark.slow
def test_sound_is_compared_with_takes_of_the_split(evaluate, folder):
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
def test_takes_of_two_minutes_have_drift_in_the_table(evaluate):
    done = evaluate("speech.pt", "--data", "recordings", "--seeds", "1", "--seconds", "120")
    assert done.returncode == 0, done.stderr
    rows = {row[:24].strip(): row[24:].split() for row in done.stdout.splitlines()}
    assert rows["drift level"][0] == "-"  # ten seconds are too short for drift
    assert float(rows["drift depth"][1]) > 0
    assert "8% as long" in done.stderr


@pytest.mark.slow
def test_ink_is_compared_with_writers_of_the_split(evaluate):
    done = evaluate("pen.pt", "--data", "ink.npz", "--seeds", "3", "--seconds", "12", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found["real"]["slant_median"]) == pytest.approx([0, 20], abs=0.5)
    assert found["real"]["constancy_slant"][0] < 0.1
    assert len(found["generated"]["lifted"]) == 3
    assert found["generated"]["constancy_size"][0] > 0


@pytest.mark.slow
def test_voice_generates_with_its_default_controls(evaluate, folder, tmp_path, toy_audio):
    quiet = tmp_path / "quiet"
    export(folder / "speech.pt", quiet, defaults={"output.temperature": 0.01})
    words = ("speech.pt", "--data", "recordings", "--seeds", "1", "--seconds", "5", "--json")
    plain, of_voice = (json.loads(evaluate(*words, *more).stdout) for more in ((), ("--voice", str(quiet))))
    assert of_voice["real"] == plain["real"]
    assert of_voice["generated"]["level_db"][0] < plain["generated"]["level_db"][0] - 1
    assert "was not made from speech.pt" in the_error(evaluate(*words, "--voice", str(toy_audio)))


@pytest.mark.slow
def test_recipe_replaces_the_checkpoint_of_a_voice(evaluate):
    words = ("handwriting", "--data", "ink.npz", "--seeds", "2", "--seconds", "12", "--json")
    done = evaluate(*words, "--voice", "handwriting")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["recipe"], found["voice"]) == ("handwriting", "handwriting")
    assert sorted(found["real"]["slant_median"]) == pytest.approx([0, 20], abs=0.5)
    assert len(found["generated"]["slant_median"]) == 2
    assert set(found["written"]) == set(found["generated"])
    assert found["written"]["slant_median"] != found["generated"]["slant_median"]
    assert "recipe handwriting has no weights to generate with; give a --voice" in the_error(evaluate(*words))
    assert "did you mean 'handwriting'" in the_error(evaluate("handwritin", "--data", "ink.npz"))
    wrong = the_error(evaluate("iamondb", "--data", "ink.npz", "--voice", "handwriting"))
    assert "was not made from iamondb, which has another family, basis, rate or unit" in wrong


@pytest.mark.slow
def test_voice_writes_a_given_text_and_writes_freely(evaluate, folder, text_voice):
    (folder / "cab.txt").write_text("A cab.\nNo. 12\n", encoding="utf-8")
    words = ("handwriting", "--data", "ink.npz", "--voice", str(text_voice), "--seeds", "2", "--seconds", "30")
    page, cab = (json.loads(evaluate(*words, "--json", *more).stdout) for more in ((), ("--texts", "cab.txt")))
    assert page["generated"] == cab["generated"]
    assert page["written"]["lifted"] != cab["written"]["lifted"]
    table = evaluate(*words, "--texts", "cab.txt").stdout.splitlines()
    assert table[0].split()[-3:] == ["a", "written", "page"]


def test_text_for_a_model_without_text_is_refused(evaluate, folder):
    (folder / "cab.txt").write_text("A cab.\n", encoding="utf-8")
    done = evaluate("pen.pt", "--data", "ink.npz", "--texts", "cab.txt")
    assert "reads no text; leave out --texts" in the_error(done)


def test_voice_option_needs_free_running(run, folder):
    done = run("evaluate", folder / "speech.pt", "--data", folder / "recordings", "--voice", "blizzard")
    assert done.returncode == 2
    assert "--free-running" in done.stderr


def test_missing_checkpoint_raises_one_line(evaluate):
    assert "none.pt" in the_error(evaluate("none.pt", "--data", "ink.npz"))


def test_split_too_short_fails_before_anything_is_generated(evaluate, tmp_path):
    for seed, split in enumerate(("train", "valid", "test")):
        (tmp_path / "short" / split).mkdir(parents=True)
        soundfile.write(tmp_path / "short" / split / "a.wav", syllables(3, seed), 8000, subtype="PCM_16")
    done = evaluate("speech.pt", "--data", tmp_path / "short", "--split", "valid", "--seconds", "4")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path / 'short'}: its valid split cannot be compared: ")
    assert "24000 samples at 8000 Hz are too few" in last
    assert "generating" not in done.stderr
