"""Training on made-up ink and sound: it learns, validates, resumes to the same numbers, refuses nonsense."""

import dataclasses
import os
import pickle
import signal
from importlib import resources

import msgspec
import numpy as np
import pytest
import torch
from scipy import stats
from support import tiny_models
from support.corpora import make_ink, make_speech
from support.recipes import SCHEDULE, pen_recipe, speech_recipe

from vrnn_engine.data.batches import Batch
from vrnn_engine.errors import CheckpointError, RecipeError, TrainingError
from vrnn_engine.training import training_run
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.gradient import draw_noise
from vrnn_engine.training.recipe import load_recipe
from vrnn_engine.training.schedule import kl_weight, learning_rate
from vrnn_engine.training.trainer import train
from vrnn_engine.training.training_run import TrainingRun
from vrnn_engine.training.validation import Bound, validate


@pytest.fixture(scope="module")
def ink(tmp_path_factory):
    return make_ink(tmp_path_factory.mktemp("ink") / "ink.npz")


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    names = [f"{split}/{i}.wav" for split in ("train", "valid", "test") for i in range(3)]
    return make_speech(tmp_path_factory.mktemp("speech"), names)


def interrupted_after(updates):
    def report(progress):
        if progress.update == updates:
            raise KeyboardInterrupt

    return report


def test_training_raises_the_bound_and_keeps_the_best(ink, tmp_path):
    seen = []
    best = train(pen_recipe(updates=60), ink, tmp_path, report=seen.append)
    assert [progress.update for progress in seen] == list(range(1, 61))
    assert np.mean([p.bound for p in seen[-10:]]) > np.mean([p.bound for p in seen[:10]]) + 0.5
    kept = load_checkpoint(tmp_path / "best.pt")
    assert kept.metrics == best.metrics
    assert {"valid_elbo_per_frame", "test_elbo_per_frame", "test_kl_per_frame"} <= set(kept.metrics)
    assert kept.metrics["valid_elbo_per_frame"] == pytest.approx(kept.resume["best"])
    bound = validate(kept.build(), open_corpus(pen_recipe(), ink), "valid")
    assert bound.elbo == pytest.approx(kept.metrics["valid_elbo_per_frame"], rel=1e-5)


@pytest.mark.parametrize("stop", [5, 8, 19])
@pytest.mark.parametrize("modality", ["pen", "speech"])
def test_an_interrupted_run_resumes_to_the_same_numbers(ink, speech, tmp_path, modality, stop):
    recipe, data = (pen_recipe(), ink) if modality == "pen" else (speech_recipe(), speech)
    whole = []
    train(recipe, data, tmp_path / "whole", report=lambda p: whole.append((p.bound, p.kl)))
    parts = []
    with pytest.raises(KeyboardInterrupt):
        train(recipe, data, tmp_path / "parts", report=interrupted_after(stop))
    train(recipe, data, tmp_path / "parts", resume=True, report=lambda p: parts.append((p.bound, p.kl)))
    assert parts == whole[stop:]
    one, two = (load_checkpoint(tmp_path / folder / "last.pt") for folder in ("whole", "parts"))
    assert all(torch.equal(one.model[name], two.model[name]) for name in one.model)
    seconds = {"training_seconds"}
    assert {k: v for k, v in one.metrics.items() if k not in seconds} == {
        k: v for k, v in two.metrics.items() if k not in seconds
    }


def test_an_interrupt_waits_for_the_end_of_an_update(ink, tmp_path, monkeypatch):
    whole = []
    train(pen_recipe(), ink, tmp_path / "whole", report=lambda p: whole.append(p.bound))

    def stepped(run):
        follow(run)
        if run.done == 11:
            os.kill(os.getpid(), signal.SIGINT)  # after the weights have moved, before the update is over
            for _ in range(1000):
                pass

    # A shell that starts the tests in the background has them ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    follow = TrainingRun.move_average
    monkeypatch.setattr(TrainingRun, "move_average", stepped)
    with pytest.raises(KeyboardInterrupt):
        train(pen_recipe(), ink, tmp_path / "parts")
    monkeypatch.undo()
    parts = []
    train(pen_recipe(), ink, tmp_path / "parts", resume=True, report=lambda p: parts.append(p.bound))
    assert parts == whole[11:]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_resampling_begins_where_the_recipe_says(speech, tmp_path):
    bounds = {}
    for name, changes in (("never", {}), ("late", {"resample": 1.0, "resample_from": 12})):
        bounds[name] = []
        recipe = speech_recipe(**changes)
        train(recipe, speech, tmp_path / name, report=lambda p, to=bounds[name]: to.append(p.bound))
    assert bounds["late"][:12] == bounds["never"][:12]
    assert bounds["late"][12] != bounds["never"][12]


def test_what_was_best_before_resampling_is_forgotten(speech, tmp_path, monkeypatch):
    falling = iter(range(0, -100, -1))
    monkeypatch.setattr(training_run, "validate", lambda *given: Bound(next(falling), 0.0, 1, 1))
    for name, changes, updates in (("never", {}, 8), ("late", {"resample": 1.0, "resample_from": 12}, 16)):
        train(speech_recipe(**changes), speech, tmp_path / name)
        assert load_checkpoint(tmp_path / name / "best.pt").metrics["updates"] == updates


def test_a_run_can_begin_with_the_weights_of_another(ink, tmp_path):
    first = train(pen_recipe(updates=40), ink, tmp_path / "first")
    seen = {}
    for name, start in (("fresh", None), ("tuned", tmp_path / "first" / "best.pt")):
        seen[name] = []
        recipe = pen_recipe(updates=5, learning_rate=1e-4, kl_start=1.0)
        train(recipe, ink, tmp_path / name, start=start, report=lambda p, to=seen[name]: to.append(p.bound))
    assert seen["tuned"][0] == pytest.approx(first.metrics["valid_elbo_per_frame"], abs=0.5)
    assert seen["tuned"][0] > seen["fresh"][0] + 0.5
    other = msgspec.structs.replace(pen_recipe(), model=tiny_models.config("pen-gauss"))
    with pytest.raises(CheckpointError, match="does not fit the model"):
        train(other, ink, tmp_path / "other", start=tmp_path / "first" / "best.pt")


def test_seeds_decide_the_run(ink, tmp_path):
    bounds = {}
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        bounds[name] = []
        recipe = msgspec.structs.replace(pen_recipe(updates=3), seed=seed)
        train(recipe, ink, tmp_path / name, report=lambda p, to=bounds[name]: to.append(p.bound))
    assert bounds["a"] == bounds["b"] != bounds["c"]


@pytest.mark.slow
@pytest.mark.parametrize("basis", ["mdct-gauss", "samples-gmm"])
def test_white_noise_reaches_its_entropy_in_either_basis(speech, tmp_path, basis):
    """The bound of white noise of sd 1 cannot pass its entropy, 1.419 nats a sample, and comes close."""
    best = train(speech_recipe(basis, updates=150), speech, tmp_path)
    bound = best.metrics["test_elbo_per_frame"] / 20
    assert -1.6 < bound < -1.40


def test_a_run_is_not_overwritten_and_nothing_is_resumed_from_nothing(ink, tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        train(pen_recipe(), ink, tmp_path, resume=True)
    train(pen_recipe(updates=1), ink, tmp_path)
    with pytest.raises(CheckpointError, match="this folder has a run already; continue it with --resume"):
        train(pen_recipe(updates=1), ink, tmp_path)
    with pytest.raises(CheckpointError, match="another recipe"):
        train(pen_recipe(updates=1, clip=2.0), ink, tmp_path, resume=True)


def test_a_finished_run_goes_on_with_more_updates(ink, tmp_path):
    def steps_of(updates, folder, **options):
        seen = []
        schedule = {"learning_rate": 1e-3, "final_learning_rate": 1e-3, "kl_warmup": 0}
        train(pen_recipe(updates=updates, **schedule), ink, tmp_path / folder, report=seen.append, **options)
        return [(step.update, step.bound) for step in seen]

    whole = steps_of(9, "whole")  # at one step size, so that its first updates are those of a shorter run
    assert steps_of(5, "part") == whole[:5]
    assert steps_of(9, "part", resume=True) == whole[5:]
    assert load_checkpoint(tmp_path / "part" / "last.pt").resume["begun"] == [5]
    before = (tmp_path / "part" / "last.pt").read_bytes()
    with pytest.raises(
        CheckpointError, match=r"last\.pt: this run has 9 updates; resume it with --updates 9, and with more"
    ):
        steps_of(5, "part", resume=True)
    assert (tmp_path / "part" / "last.pt").read_bytes() == before


def test_an_interrupted_run_is_finished_first(ink, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(pen_recipe(updates=9), ink, tmp_path, report=interrupted_after(5))
    with pytest.raises(
        CheckpointError, match=r"last\.pt: this run has 9 updates; resume it with --updates 9, and with more"
    ):
        train(pen_recipe(updates=12), ink, tmp_path, resume=True)


@pytest.mark.parametrize("spoil", [lambda state: state.pop("h"), lambda state: state.update(extra=state["h"])])
def test_what_another_version_left_is_not_gone_on_from(ink, tmp_path, spoil):
    train(pen_recipe(updates=1), ink, tmp_path)
    fields = torch.load(tmp_path / "last.pt", weights_only=True)
    assert fields["resume"]["state"]
    spoil(fields["resume"]["state"])
    torch.save(fields, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt: another version of vrnn-engine wrote it.*another --out"):
        train(pen_recipe(updates=1), ink, tmp_path, resume=True)


def test_a_run_is_not_resumed_on_another_corpus(ink, tmp_path):
    other = make_ink(tmp_path / "other.npz", lines=200)
    with pytest.raises(KeyboardInterrupt):
        train(pen_recipe(), ink, tmp_path / "run", report=interrupted_after(5))
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(CheckpointError, match=r"last\.pt: the run began on another corpus than .*other\.npz.*--from"):
        train(pen_recipe(), other, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run(ink, tmp_path):
    with pytest.raises(TrainingError, match=r"loss became .*gradient.* at update .* before a checkpoint was saved"):
        train(pen_recipe(learning_rate=1e12, clip=1e12), ink, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_whose_loss_is_not_finite_are_not_kept(ink, tmp_path, monkeypatch):
    def broken(run):
        if run.done == 19:
            next(run.model.parameters()).data.fill_(np.nan)
        follow(run)

    follow = TrainingRun.move_average
    monkeypatch.setattr(TrainingRun, "move_average", broken)
    with pytest.raises(TrainingError, match=r"loss became nan .* at update 20; .* lower learning_rate") as caught:
        train(pen_recipe(), ink, tmp_path / "run")
    corpus = open_corpus(pen_recipe(), ink)
    for name in ("best.pt", "last.pt"):
        kept = load_checkpoint(tmp_path / "run" / name)
        assert f"{name} holds update {kept.resume['done']}" in str(caught.value)
        assert np.isfinite(validate(kept.build(), corpus, "valid").elbo)
    assert kept.resume["done"] == 16
    assert f"--from {tmp_path / 'run' / 'best.pt'}" in str(caught.value)
    monkeypatch.undo()
    train(pen_recipe(updates=1), ink, tmp_path / "again", start=tmp_path / "run" / "best.pt")


def test_a_validation_that_is_not_finite_stops_the_run(ink, tmp_path):
    table = dict(np.load(ink))
    table["split"] = np.array(["train", "train", "valid", "test"] * 100)
    table["dxy"] = table["dxy"].astype(np.float64)
    table["dxy"][2 * len(table["dxy"]) // 400 + 5] = 1e30  # in a line of the valid part
    np.savez(tmp_path / "odd.npz", **table)
    recipe = pen_recipe()
    recipe = msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, resample=False, height_mm=None))
    with pytest.raises(TrainingError, match=r"validation after update 8 gave (-inf|nan), before a checkpoint"):
        train(recipe, tmp_path / "odd.npz", tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_the_latents_are_trained_with_normal_noise():
    batch = Batch(np.zeros((100, 20, 3), np.float32), np.ones((100, 20), np.float32), True)
    draws = draw_noise(tiny_models.model("pen-gmm"), 0, batch, resampling=True)
    for noise in draws[:3]:
        assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 0.01
    assert stats.kstest(draws.choice.flatten().numpy(), "uniform").pvalue > 0.01


def test_kl_weight_and_learning_rate_follow_the_schedule():
    assert [kl_weight(SCHEDULE, n) for n in (0, 5, 10, 24)] == pytest.approx([0.5, 0.75, 1, 1])
    assert learning_rate(SCHEDULE, 0) == pytest.approx(1e-2)
    assert learning_rate(SCHEDULE, 12) == pytest.approx(5.5e-3)
    assert learning_rate(SCHEDULE, 24) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("updates = 3400", "updates = 0"), "updates"),
        (("latent_size = 64", "latent_sise = 64"), "latent_sise"),
        (("[model]", "[model"), "recipe"),
        (('basis = "samples"', 'basis = "points"'), "points"),
        (('kind = "speech"', 'kind = "pen"'), "kind|rate|lanes|rows"),
        (("kl_start = 0.2 ", "kl_start = -5 "), r">= 0.*training\.kl_start"),
        (("kl_start = 0.2 ", "kl_start = nan "), r"finite number, got nan .*training\.kl_start"),
        (("kl_start = 0.2 ", "kl_start = 1.5 "), r"<= 1.*training\.kl_start"),
        (("learning_rate = 1e-3", "learning_rate = inf"), r"finite number, got inf.*training\.learning_rate"),
        (("clip = 1.0", "clip = inf"), r"finite number, got inf.*training\.clip"),
        (('name = "blizzard"', 'name = ""'), "name '': letters, digits"),
        (('name = "blizzard"', 'name = "../../x"'), r"name '\.\./\.\./x': letters, digits"),
        (('name = "blizzard"', 'name = "x\\n"'), r"name 'x\\n': letters, digits"),
        (("resample = 0.5", "resample = 0.0"), "resample_from 2600 needs a resample above 0"),
        (("clip = 1.0", "clip = 1.0\naccumulate = 0"), r">= 1.*training\.accumulate"),
    ],
)
def test_a_wrong_recipe_is_one_clear_line(tmp_path, change, message):
    assert_refused(tmp_path, "blizzard", change, message)


@pytest.mark.parametrize(
    ("value", "message"),
    [("10.0", "input_compression is for audio"), ("inf", r"finite number, got inf.*model\.input_compression")],
)
def test_a_pen_is_not_compressed(tmp_path, value, message):
    assert_refused(tmp_path, "handwriting", ("frame_size = 3", f"frame_size = 3\ninput_compression = {value}"), message)


def assert_refused(tmp_path, name, change, message):
    text = (resources.files("vrnn_engine.training") / "recipes" / f"{name}.toml").read_text()
    assert change[0] in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(*change))
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(str(path))
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_suggests_near_ones():
    with pytest.raises(RecipeError, match="did you mean blizzard"):
        load_recipe("blizard")
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe("missing.toml")


class Evil:
    def __reduce__(self):
        return (open, ("pwned", "w"))


@pytest.mark.parametrize(
    "spoil", ["missing", "truncated", "empty", "pickle", "plain pickle", "sound", "other", "lacking", "newer"]
)
def test_a_bad_checkpoint_is_one_clear_line_and_runs_nothing(ink, tmp_path, monkeypatch, spoil):
    monkeypatch.chdir(tmp_path)
    train(pen_recipe(updates=1), ink, tmp_path)
    path = tmp_path / "best.pt"
    if spoil == "missing":
        path.unlink()
    elif spoil == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    elif spoil == "empty":
        path.write_bytes(b"")
    elif spoil == "pickle":
        torch.save({"magic": Evil()}, path)
    elif spoil == "plain pickle":
        path.write_bytes(pickle.dumps({"magic": 1}))
    elif spoil == "sound":
        path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt")
    elif spoil == "lacking":
        fields = torch.load(path, weights_only=True)
        del fields["recipe"]["model"]["basis"]
        torch.save(fields, path)
    elif spoil == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        fields = torch.load(path, weights_only=True)
        torch.save(fields | {"version": 99}, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tiny_disk):
    weights = tiny_models.model("pen-gmm").state_dict()
    kept = Checkpoint(pen_recipe(), weights, (0.0, 0.0), (1.0, 1.0), {"which": 1.0}, "", {})
    save_checkpoint(kept, tiny_disk / "best.pt")
    old = (tiny_disk / "best.pt").read_bytes()
    (tiny_disk / "other").write_bytes(bytes(60_000 - len(old) // 4096 * 4096 - 16_384))  # the next one fits in part
    with pytest.raises(CheckpointError, match=r"cannot write .*best\.pt: No space left on device") as caught:
        save_checkpoint(dataclasses.replace(kept, metrics={"which": 2.0}), tiny_disk / "best.pt")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tiny_disk.iterdir()) == ["best.pt", "other"]
    assert (tiny_disk / "best.pt").read_bytes() == old
    assert load_checkpoint(tiny_disk / "best.pt").metrics == {"which": 1.0}


def test_a_checkpoint_in_a_folder_that_is_gone_says_so(tmp_path):
    kept = Checkpoint(pen_recipe(), {}, (0.0, 0.0), (1.0, 1.0), {}, "", {})
    with pytest.raises(CheckpointError, match=r"cannot write .*best\.pt: there is no folder .*none; make it first"):
        save_checkpoint(kept, tmp_path / "none" / "best.pt")
