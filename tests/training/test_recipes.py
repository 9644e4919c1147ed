"""The bundled recipes: five at the sizes of the paper, and a small one for each of these corpora."""

import msgspec
import pytest
import torch
from support.command import ROOT

from vrnn_engine.models import build_model
from vrnn_engine.training.recipe import bundled_recipes, load_recipe, recipe_fields, recipe_from

CORPORA = ("blizzard", "timit", "onomatopoeia", "accent", "iamondb")


def weights(config):
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_model(config).parameters())


@pytest.mark.parametrize("name", bundled_recipes())
def test_bundled_recipe_loads_and_converts_to_plain_values_and_back(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from(recipe_fields(recipe)) == recipe


def test_every_corpus_of_the_paper_has_two_recipes():
    assert set(bundled_recipes()) == {
        *CORPORA,
        *(f"{name}-paper" for name in CORPORA),
        "handwriting",
        "sound",
    }


@pytest.mark.parametrize(
    ("name", "changes", "millions"),
    [
        ("blizzard-paper", {}, 93.9),
        (
            "blizzard-paper",
            {"family": "vrnn-gmm", "components": 20, "phi_x": (500,) * 4, "decoder": (500,) * 4},
            94.9,
        ),
        ("iamondb-paper", {"family": "vrnn-gauss", "components": 1}, 8.46),
        ("iamondb-paper", {}, 8.49),
    ],
)
def test_paper_recipe_has_the_number_of_weights_of_the_authors_code(name, changes, millions):
    config = msgspec.structs.replace(load_recipe(name).model, **changes)
    assert weights(config) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("name", CORPORA)
def test_paper_recipe_has_the_paper_schedule_and_the_other_is_small(name):
    paper, small = load_recipe(f"{name}-paper"), load_recipe(name)
    schedule = paper.training
    assert schedule.kl_start == 1  # no annealing
    assert schedule.learning_rate == schedule.final_learning_rate
    assert schedule.resample == schedule.average == 0
    assert weights(small.model) < 0.1 * weights(paper.model)
    assert small.training.updates < 0.1 * schedule.updates
    assert (small.data.rate, small.about) == (paper.data.rate, paper.about) or name == "blizzard"


def test_recipe_without_latents_differs_from_blizzard_only_in_them():
    """The comparison is about latents alone: the number of weights, the frames, data and schedule are the same."""
    rnn, vrnn = load_recipe(str(ROOT / "benchmarks" / "blizzard-rnn.toml")), load_recipe("blizzard")
    assert (rnn.about, rnn.data, rnn.seed) == (vrnn.about, vrnn.data, vrnn.seed)
    mine, theirs = (msgspec.to_builtins(recipe.training) for recipe in (rnn, vrnn))
    assert {name for name in mine if mine[name] != theirs[name]} == {"kl_start", "kl_warmup"}
    mine, theirs = (msgspec.to_builtins(recipe.model) for recipe in (rnn, vrnn))
    latents = {"latent_size", "phi_z", "encoder", "prior"}
    assert {name for name in theirs if mine.get(name) != theirs[name]} == {"family", "recurrent_size"} | latents
    sizes = [sum(weight.numel() for weight in build_model(recipe.model).parameters()) for recipe in (rnn, vrnn)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.001)
