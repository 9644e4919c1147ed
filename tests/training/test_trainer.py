"""Training on small corpora: it learns, validates, and stops at numbers that are not finite."""

import msgspec
import numpy as np
import pytest
from scipy import stats
from support import tiny_models
from support.corpora import make_ink, make_speech, split_names
from support.recipes import SCHEDULE, pen_recipe, speech_recipe

from vrnn_engine.data.batches import Batch
from vrnn_engine.errors import TrainingError
from vrnn_engine.training import training_run
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.corpus import open_checkpoint_corpus, open_corpus
from vrnn_engine.training.gradient import draw_noise
from vrnn_engine.training.schedule import average_decay, kl_weight, learning_rate
from vrnn_engine.training.trainer import train
from vrnn_engine.training.training_run import TrainingRun
from vrnn_engine.training.validation import Bound, validate


@pytest.fixture(scope="module")
def ink(tmp_path_factory):
    return make_ink(tmp_path_factory.mktemp("ink") / "ink.npz")


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return make_speech(tmp_path_factory.mktemp("speech"), split_names(3))


def test_training_raises_the_bound_and_saves_the_best_checkpoint(ink, tmp_path):
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


def test_resampling_begins_at_resample_from(speech, tmp_path):
    bounds = {}
    for name, changes in (("never", {}), ("late", {"resample": 1.0, "resample_from": 12})):
        bounds[name] = []
        recipe = speech_recipe(**changes)
        train(recipe, speech, tmp_path / name, report=lambda p, to=bounds[name]: to.append(p.bound))
    assert bounds["late"][:12] == bounds["never"][:12]
    assert bounds["late"][12] != bounds["never"][12]


def test_best_checkpoint_before_resampling_does_not_count(speech, tmp_path, monkeypatch):
    falling = iter(range(0, -100, -1))
    monkeypatch.setattr(training_run, "validate", lambda *given: Bound(next(falling), 0.0, 1, 1))
    for name, changes, updates in (("never", {}, 8), ("late", {"resample": 1.0, "resample_from": 12}, 16)):
        train(speech_recipe(**changes), speech, tmp_path / name)
        assert load_checkpoint(tmp_path / name / "best.pt").metrics["updates"] == updates


def test_same_seed_gives_the_same_run(ink, tmp_path):
    bounds = {}
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        bounds[name] = []
        recipe = msgspec.structs.replace(pen_recipe(updates=3), seed=seed)
        train(recipe, ink, tmp_path / name, report=lambda p, to=bounds[name]: to.append(p.bound))
    assert bounds["a"] == bounds["b"] != bounds["c"]


@pytest.mark.slow
@pytest.mark.parametrize("basis", ["mdct-gauss", "samples-gmm"])
def test_bound_of_white_noise_approaches_its_entropy(speech, tmp_path, basis):
    """The bound of white noise of sd 1 cannot pass its entropy, 1.419 nats a sample, and comes close."""
    best = train(speech_recipe(basis, updates=150), speech, tmp_path)
    bound = best.metrics["test_elbo_per_frame"] / 20
    assert -1.6 < bound < -1.40


def test_loss_that_is_not_finite_stops_the_run(ink, tmp_path):
    with pytest.raises(TrainingError, match=r"loss became .*gradient.* at update .* before a checkpoint was saved"):
        train(pen_recipe(learning_rate=1e12, clip=1e12), ink, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_whose_loss_is_not_finite_are_not_saved(ink, tmp_path, monkeypatch):
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
    assert f"from the weights in {tmp_path / 'run' / 'best.pt'}" in str(caught.value)
    monkeypatch.undo()
    train(pen_recipe(updates=1), ink, tmp_path / "again", start=tmp_path / "run" / "best.pt")


def test_validation_that_is_not_finite_stops_the_run(ink, tmp_path):
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


def test_latents_are_trained_with_normal_noise():
    batch = Batch(np.zeros((100, 20, 3), np.float32), np.ones((100, 20), np.float32), True)
    draws = draw_noise(tiny_models.model("pen-gmm"), 0, batch, resampling=True)
    for noise in draws[:3]:
        assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 0.01
    assert stats.kstest(draws.choice.flatten().numpy(), "uniform").pvalue > 0.01


def test_checkpoint_corpus_has_the_normalisation_of_the_checkpoint(ink):
    checkpoint = Checkpoint(pen_recipe(), {}, (1.0, 2.0), (3.0, 4.0), {}, "", {})
    corpus, own = open_checkpoint_corpus(checkpoint, ink), open_corpus(pen_recipe(), ink)
    assert (corpus.mean, corpus.std) == ((1.0, 2.0), (3.0, 4.0))
    one, other = (next(iter(each.epoch("test", None))) for each in (corpus, own))
    shown = one.mask.astype(bool)
    signal = one.signal[shown][:, :2] * corpus.std + corpus.mean
    np.testing.assert_allclose(signal, other.signal[shown][:, :2] * own.std + own.mean, atol=1e-4)
    assert not np.allclose(one.signal, other.signal)


def test_decay_of_the_average_rises_to_that_of_the_recipe():
    schedule = msgspec.structs.replace(SCHEDULE, average=0.9)
    assert [average_decay(schedule, done) for done in (1, 10, 90, 1000)] == pytest.approx([1 / 11, 0.5, 0.9, 0.9])


def test_kl_weight_and_learning_rate_follow_the_schedule():
    assert [kl_weight(SCHEDULE, n) for n in (0, 5, 10, 24)] == pytest.approx([0.5, 0.75, 1, 1])
    assert learning_rate(SCHEDULE, 0) == pytest.approx(1e-2)
    assert learning_rate(SCHEDULE, 12) == pytest.approx(5.5e-3)
    assert learning_rate(SCHEDULE, 24) == pytest.approx(1e-3)
