"""Adapting the weights of a text-conditioned model to the lines of one writer: `keep` and `handwriting-adapt`."""

import numpy as np
import pytest
import torch
from support import text_models
from support.recipes import text_recipe

from vrnn_engine.errors import CheckpointError
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.recipe import load_recipe
from vrnn_engine.training.trainer import train


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folder with the checkpoint of a trained model, and the lines of one writer, which are larger."""
    folder = tmp_path_factory.mktemp("base")
    train(text_recipe(), text_models.write_ink(folder / "ink.npz"), folder / "run")
    table = dict(np.load(text_models.write_ink(folder / "mine.npz", lines=40, seed=1)))
    np.savez(folder / "mine.npz", **table | {"dxy": (table["dxy"] * [2, 1]).astype(np.int16)})
    return folder


def adapt(base, out, resume=False, data="mine.npz", report=lambda progress: None, **schedule):
    start = None if resume else base / "run" / "best.pt"
    recipe = text_recipe(**({"updates": 16, "keep": 0.4, "learning_rate": 3e-3} | schedule))
    return train(recipe, base / data, out, start=start, resume=resume, report=report)


def distance(one, other):
    return sum(float((one.model[name] - other.model[name]).square().sum()) for name in one.model) ** 0.5


def test_exported_weights_have_the_share_of_the_initial_ones(base, tmp_path):
    before = load_checkpoint(base / "run" / "best.pt")
    adapt(base, tmp_path / "out", keep=0.25)
    after = load_checkpoint(tmp_path / "out" / "last.pt")
    assert distance(after, before) > 0
    for name, average in after.resume["average"].items():
        assert torch.allclose(after.model[name], average.lerp(before.model[name], 0.25), atol=1e-6)


def test_the_normalisation_is_that_of_the_initial_weights(base, tmp_path):
    before, after = load_checkpoint(base / "run" / "best.pt"), adapt(base, tmp_path / "out")
    assert (after.mean, after.std) == (before.mean, before.std)
    own = open_corpus(text_recipe(), base / "mine.npz")
    assert own.std[0] > 1.2 * after.std[0]
    assert after.started_from == "tiny-text"


def test_the_best_checkpoint_is_never_worse_than_the_initial_weights(base, tmp_path):
    bounds = []
    schedule = {"learning_rate": 0.5, "keep": 0.01}
    best = adapt(base, tmp_path / "out", data="ink.npz", report=lambda p: bounds.append(p.valid_bound), **schedule)
    assert best.metrics["updates"] == 0
    assert best.metrics["valid_elbo_per_frame"] == pytest.approx(bounds[0])
    assert bounds[-1] < bounds[0]
    before = load_checkpoint(base / "run" / "best.pt")
    assert distance(best, before) == 0


@pytest.mark.parametrize("stop", [3, 9])
def test_an_interrupted_adaptation_resumes_to_the_same_numbers(base, tmp_path, stop):
    whole, parts = [], []
    adapt(base, tmp_path / "whole", report=lambda p: whole.append(p.bound))

    def interrupt(progress):
        parts.append(progress.bound)
        if progress.update == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(base, tmp_path / "parts", report=interrupt)
    adapt(base, tmp_path / "parts", resume=True, report=lambda p: parts.append(p.bound))
    assert parts == whole
    one, other = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert all(torch.equal(one.model[name], other.model[name]) for name in one.model)


def test_an_adaptation_is_resumed_on_its_own_lines_only(base, tmp_path):
    adapt(base, tmp_path / "out")
    with pytest.raises(CheckpointError, match=r"the run began on another corpus than .*ink\.npz"):
        adapt(base, tmp_path / "out", resume=True, data="ink.npz")


def test_an_adaptation_needs_weights_to_start_from(base, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"recipe tiny-text adapts trained weights; start from those of a checkpoint"
    ):
        train(text_recipe(keep=0.4), base / "mine.npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_recipe_fits_the_weights_of_the_recipe_that_writes_a_text():
    adapted, written = load_recipe("handwriting-adapt"), load_recipe("handwriting")
    assert adapted.model == written.model
    assert adapted.data.style == written.data.style
    assert (adapted.data.rate, adapted.data.height_mm) == (written.data.rate, written.data.height_mm)
    assert adapted.training.keep > 0
