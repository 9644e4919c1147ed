"""The families: their registry, their differences, and the training of each."""

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from support import tiny_models
from support.recipes import speech_recipe

from vrnn_engine.errors import RecipeError
from vrnn_engine.models import build_model, families
from vrnn_engine.models.config import SlowCells
from vrnn_engine.models.families import check
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.training.recipe import Recipe, load_recipe, recipe_fields
from vrnn_engine.training.trainer import train

PAPER = {"vrnn-gauss", "vrnn-gmm", "vrnn-i-gauss", "rnn-gauss", "rnn-gmm"}
ONE_OF_EACH = ("samples-gauss", "samples-i-gauss", "samples-rnn-gmm", "samples-srnn-gauss")


def generate(model, state, seed=0):
    torch.manual_seed(seed)
    noise = OutputNoise(torch.randn(3, 20), torch.randn(3, model.output.mixture_size))
    with torch.no_grad():
        return model.generate(state, torch.randn(3, model.config.latent_size), noise)


def test_the_families_of_the_paper_and_the_srnn_exist():
    assert set(families()) >= PAPER | {"srnn-gauss", "srnn-gmm"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "vrn-gauss"}, "unknown family 'vrn-gauss'; did you mean 'vrnn-gauss'"),
        ({"family": "rnn-gauss"}, "family 'rnn-gauss' does not use latent_size; remove it"),
        ({"family": "vrnn-i-gauss"}, "family 'vrnn-i-gauss' does not use prior; remove it"),
        ({"encoder": ()}, "family 'vrnn-gauss' needs encoder"),
        ({"latent_size": 0}, "family 'vrnn-gauss' needs latent_size"),
    ],
)
def test_a_configuration_that_does_not_fit_its_family_is_refused(changes, message):
    config = msgspec.structs.replace(tiny_models.config("samples-gauss"), **changes)
    with pytest.raises(ValueError, match=message):
        check(config)
    with pytest.raises(ValueError, match=message):
        build_model(config)
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(recipe_fields(speech_recipe()) | {"model": msgspec.to_builtins(config)}, Recipe)


def test_a_gmm_family_needs_components():
    with pytest.raises(ValueError, match="needs components > 1"):
        msgspec.structs.replace(tiny_models.config("samples-gauss"), family="rnn-gmm")


@pytest.mark.parametrize("kind", ["samples-gauss", "samples-rnn-gmm"])
def test_slow_cells_stay_leaky_averages_during_training(kind):
    torch.manual_seed(0)
    slow = SlowCells(count=3, shortest=10, longest=1000)
    model = build_model(msgspec.structs.replace(tiny_models.config(kind), slow_cells=slow))
    before = {name: weight.clone() for name, weight in model.recurrence.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        unroll = model.unroll(torch.randn(5, 2, 20), torch.randn(5, 2, model.config.latent_size))
        (unroll.kl - unroll.log_likelihood).sum().backward()
        optimizer.step()
    assert not any(torch.equal(weight, before[name]) for name, weight in model.recurrence.named_parameters())
    gates = model.recurrence.from_x(torch.randn(50, 9))
    z_features = torch.randn(50, model.recurrence.from_z.in_features if model.recurrence.from_z else 0)
    h, c = torch.randn(50, 12), torch.randn(50, 12)
    kept = model.recurrence(gates, z_features, h, c)[1]
    candidate = torch.tanh(model.recurrence.join(gates, z_features, h)[:, 36:])
    leak = 1 / torch.tensor([10.0, 100, 1000])
    expected = (1 - leak) * c[:, :3] + leak * candidate[:, :3]
    torch.testing.assert_close(kept[:, :3], expected)
    others = (1 - leak) * c[:, 3:6] + leak * candidate[:, 3:6]
    assert not torch.isclose(kept[:, 3:6], others, atol=0.01).all()


def test_a_recipe_with_an_unknown_family_is_a_one_line_error(tmp_path):
    from importlib import resources

    text = (resources.files("vrnn_engine.training") / "recipes" / "blizzard.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('family = "vrnn-gauss"', 'family = "vrnn-gaus"'))
    with pytest.raises(RecipeError, match=r"mine\.toml: .*did you mean 'vrnn-gauss'"):
        load_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_each_family_has_its_dependencies(kind):
    """The prior depends on h (but for VRNN-I) and on the last z (only SRNN); the next h on z (but for RNN and SRNN)."""
    model = tiny_models.model(kind)
    start = model.initial_state(3)
    first = generate(model, start)
    prior_at_start = model.prior(model.condition(start))
    prior_after = model.prior(model.condition(first.state))
    if model.config.latent_size:
        assert torch.equal(prior_at_start.mean, prior_after.mean) == (kind == "samples-i-gauss")
        other_z = first.latent + 1
        features = model.features(first.frame, start.past)
        one = model.advance(features, first.latent, model.phi_z(first.latent), start)
        two = model.advance(features, other_z, model.phi_z(other_z), start)
        assert torch.equal(one.h, two.h) == (kind == "samples-srnn-gauss")
        priors = [model.prior(model.condition(state._replace(h=start.h))).mean for state in (one, two)]
        assert torch.equal(*priors) == (kind != "samples-srnn-gauss")
    else:
        assert first.latent.shape == prior_at_start.mean.shape == (3, 0)
        assert not any(name.startswith(("prior", "encoder", "phi_z")) for name, _ in model.named_parameters())


def test_the_prior_of_vrnn_i_is_standard_normal():
    model = tiny_models.model("samples-i-gauss")
    prior = model.prior(torch.randn(5, 4, 12))
    assert torch.equal(prior.mean, torch.zeros(5, 4, 7))
    assert torch.equal(prior.std, torch.ones(5, 4, 7))


@pytest.mark.parametrize("kind", ["samples-i-gauss", "samples-rnn-gmm", "samples-srnn-gauss", "mdct-rnn-gauss"])
def test_every_family_trains(tmp_path, kind):
    speech = tmp_path / "speech"
    for number, split in enumerate(("train", "valid", "test")):
        noise = np.random.default_rng(number).standard_normal(16000)
        loud = np.arange(16000) // 200 % 2  # louder or quieter for ten frames each, which h can predict
        (speech / split).mkdir(parents=True)
        soundfile.write(speech / split / "noise.wav", (0.01 + 0.1 * loud) * noise, 8000)
    seen = []
    # Wider than other tiny models: with initial weights below 0.08, a dozen units have almost no output.
    wide = {
        name: (64,)
        for name in ("phi_x", "phi_z", "encoder", "prior", "decoder")
        if getattr(tiny_models.config(kind), name)
    }
    model = msgspec.structs.replace(tiny_models.config(kind), recurrent_size=64, **wide)
    recipe = speech_recipe(kind, updates=60, learning_rate=4e-3, validate_every=2)
    recipe = msgspec.structs.replace(recipe, model=model)
    best = train(recipe, speech, tmp_path / "run", report=seen.append)
    assert best.metrics["valid_elbo_per_frame"] > seen[1].valid_bound + 0.5
    assert (best.metrics["test_kl_per_frame"] > 0) == bool(best.recipe.model.latent_size)
