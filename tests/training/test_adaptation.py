"""Adapting the weights of a text-conditioned model to the lines of one writer: `keep`, and the table `[adapt]`."""

import msgspec
import numpy as np
import pytest
import torch
from support import text_models
from support.command import run_command
from support.recipes import text_recipe, toml

from vrnn_engine.errors import CheckpointError, RecipeError
from vrnn_engine.exporters.export import export
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.command import training_command
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.plan.adapt import adapted, full, recipe_of_run
from vrnn_engine.training.recipe import load_recipe, recipe_fields
from vrnn_engine.training.trainer import train

TABLE = {"data": {"rows": 8, "text": {"parts": 8}}, "training": {"updates": 8, "keep": 0.4, "warmup": 0, "decay": 0}}
"""A table `[adapt]`."""


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


def test_the_bundled_recipe_adapts_the_same_model():
    recipe = load_recipe("handwriting")
    changed = adapted(recipe)
    assert changed.name == "handwriting-adapted"
    assert changed.model == recipe.model
    assert changed.data.style == recipe.data.style
    assert (changed.data.rate, changed.data.height_mm) == (recipe.data.rate, recipe.data.height_mm)
    assert changed.data.rows < recipe.data.rows
    assert changed.training.keep > 0 == recipe.training.keep
    assert changed.training.updates < 100
    assert not changed.adapt


def test_a_recipe_without_the_table_is_not_changed():
    assert recipe_of_run(text_recipe(), True, None) == text_recipe()


def test_a_run_from_random_weights_does_not_use_the_table():
    recipe = load_recipe("handwriting")
    assert recipe_of_run(recipe, False, None) == full(recipe)
    assert recipe_of_run(recipe, True, None) == adapted(recipe)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"model": {"components": 3}}, "'model' cannot be replaced; there are about, data, training"),
        ({"training": {"keep": 2.0}}, "Expected `float` < 1.0 - at `$.training.keep`"),
        ({"training": {"updtes": 2}}, "Object contains unknown field `updtes`"),
    ],
)
def test_a_table_that_is_not_valid_is_an_error_that_names_it(table, words):
    recipe = msgspec.structs.replace(text_recipe(), adapt=table)
    for start in (False, True):
        with pytest.raises(RecipeError) as error:
            recipe_of_run(recipe, start, None)
        assert str(error.value).startswith("recipe tiny-text, table [adapt]: ")
        assert words in str(error.value)


def test_a_name_that_is_too_long_with_its_addition_is_an_error():
    recipe = msgspec.structs.replace(text_recipe(), adapt=TABLE, name="a" * 56)
    assert len(adapted(recipe).name) == 64
    with pytest.raises(RecipeError, match=r"a voice cannot be named 'a{57}-adapted'; use up to 64 letters"):
        recipe_of_run(msgspec.structs.replace(recipe, name="a" * 57), True, None)


def test_the_command_of_an_adapted_checkpoint_names_the_recipe_with_the_table(base, tmp_path):
    recipe = adapted(msgspec.structs.replace(text_recipe(), adapt=TABLE))
    first = train(recipe, base / "mine.npz", tmp_path / "a", start=base / "run" / "best.pt")
    full_run = "vrnn-engine train tiny-text.toml --data DATA"
    once = f"{full_run} --from runs/tiny-text/best.pt --out runs/tiny-text-adapted"
    assert training_command(first) == f"{full_run}; {once}"
    second = train(recipe, base / "mine.npz", tmp_path / "b", start=first)
    again = f"{full_run} --from runs/tiny-text-adapted/best.pt --out runs/tiny-text-adapted-2"
    assert training_command(second) == f"{full_run}; {once}; {again}"
    third = train(text_recipe(updates=2, warmup=0, decay=0), base / "mine.npz", tmp_path / "c", start=second)
    last = f"{full_run} --from runs/tiny-text-adapted-2/best.pt --out runs/tiny-text-2"
    assert training_command(third) == f"{full_run}; {once}; {again}; {last}"


def test_the_command_adapts_and_resumes(base, tmp_path):
    fields = recipe_fields(text_recipe()) | {"adapt": TABLE}
    (tmp_path / "tiny.toml").write_text(toml(fields))
    words = ("train", "tiny.toml", "--data", str(base / "mine.npz"))
    done = run_command(*words, "--from", str(base / "run" / "best.pt"), "--updates", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tiny-text: adapts the weights of" in done.stderr.splitlines()[0]
    assert "a copy of the recipe without this table continues a full training" in done.stderr.splitlines()[0]
    folder = tmp_path / "runs" / "tiny-text-adapted"
    assert load_checkpoint(folder / "last.pt").recipe.training.keep == 0.4
    again = run_command(*words, "--out", str(folder), "--resume", "--updates", "6", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert load_checkpoint(folder / "last.pt").resume["done"] == 6


def test_the_command_adapts_a_voice_by_its_name(base, tmp_path, monkeypatch):
    fields = recipe_fields(text_recipe()) | {"adapt": TABLE}
    (tmp_path / "tiny.toml").write_text(toml(fields))
    monkeypatch.setenv("VRNN_ENGINE_VOICES", str(tmp_path / "voices"))
    export(base / "run" / "best.pt", tmp_path / "exported")
    installed = run_command("voices", "install", tmp_path / "exported", cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    words = ("train", "tiny.toml", "--data", base / "mine.npz", "--from", "tiny-text", "--updates", "2")
    done = run_command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    best = load_checkpoint(tmp_path / "runs" / "tiny-text-adapted" / "best.pt")
    assert best.started_from == "tiny-text"
    assert export(tmp_path / "runs" / "tiny-text-adapted" / "best.pt", tmp_path / "mine").voice.manifest.text
