"""The style of a styled VRNN: drawn once, held, heard in what is observed, steered, and paid for once."""

import msgspec
import numpy as np
import pytest
import tiny
import torch
from scipy import stats

from vrnn_engine import Engine
from vrnn_engine.exporters.export import write_voice
from vrnn_engine.models import build_model
from vrnn_engine.runtime.manifest import Provenance
from vrnn_engine.training import run as training
from vrnn_engine.training.recipe import Recipe, load_recipe, recipe_fields

KIND, S, FRAMES = "pen-styled-gauss", 3, 12
MADE_UP = Provenance(data="made up", source="a test", licence="none", command="none")


def ink(seed, frames=FRAMES, rows=1):
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((frames, rows, 3)).astype(np.float32)
    made[..., 2] = made[..., 2] > 0.5
    return made


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return write_voice(tiny.steps(KIND), "styled", tmp_path_factory.mktemp("voice") / "styled", MADE_UP).voice


def latents(stream, frames=FRAMES):
    found = []
    for _ in range(frames):
        stream.read(1)
        found.append(stream.latent.copy())
    return np.stack(found)


def test_a_seed_has_a_style_and_keeps_it(voice):
    engine = Engine.load(voice, "cpu")
    found = [latents(engine.stream(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(found[0], found[1])
    for one in found:
        assert (one[:, :S] == one[0, :S]).all()
        assert (np.ptp(one[:, S:], axis=0) > 0.1).all()
    assert (np.abs(found[0][0, :S] - found[2][0, :S]) > 1e-3).all()
    # p(s) = N(0, I)
    first = np.stack([latents(engine.stream(seed), 1)[0, :S] for seed in range(300)])
    assert stats.kstest(first.ravel(), "norm").pvalue > 1e-3


def test_the_style_of_what_is_observed_is_gone_on_in(voice):
    stream = Engine.load(voice, "cpu").stream(1)
    own = latents(stream)[:, :S]
    seen = stream.prime(ink(2, 40)[:, 0])
    mean, std = seen.posterior_mean[:, :S], seen.posterior_std[:, :S]
    assert (np.diff(std, axis=0) < 0).all()  # every frame says something
    after = latents(stream)[:, :S]
    np.testing.assert_allclose(after, np.broadcast_to(seen.latents[-1, :S], after.shape), atol=1e-6)
    assert not np.allclose(after[0], own[0], atol=0.1)
    assert (np.abs(after - mean[-1]) < 5 * std[-1]).all()


def test_the_style_is_steered_as_every_latent_is(voice):
    stream = Engine.load(voice, "cpu").stream(1)
    plain = latents(stream)[0, :S]
    shift = np.zeros(7, np.float32)
    shift[1] = 2
    stream.controls["latent.shift"] = shift
    np.testing.assert_allclose(latents(stream)[:, :S] - plain, np.broadcast_to(shift[:S], (FRAMES, S)), atol=1e-6)
    stream.controls["latent.shift"] = np.zeros(7, np.float32)
    np.testing.assert_allclose(latents(stream)[-1, :S], plain, atol=1e-6)


def test_an_unroll_has_one_style_which_all_of_its_frames_tell_and_pays_for_it_once():
    model, frames = tiny.model(KIND), torch.from_numpy(ink(3, rows=2))
    noise = torch.randn(FRAMES, 2, 7)
    with torch.no_grad():
        first = model.unroll(frames[:5], noise[:5])
        unroll = model.unroll(frames[5:], noise[5:], first.state)
        steps = tiny.walk(model, frames, noise)
    for one in (unroll.latent, unroll.posterior.mean, unroll.posterior.std):
        assert (one[..., :S] == one[:1, :, :S]).all()
    # It ends where the steps end, however the frames came.
    for part in ("mean", "std"):
        whole, last = (getattr(one.posterior, part)[-1, :, :S] for one in (unroll, steps))
        torch.testing.assert_close(whole, last)
        before = getattr(first.posterior, part)[-1, :, :S]
        torch.testing.assert_close(getattr(unroll.prior, part)[0, :, :S], before)
    q, p = (torch.distributions.Normal(*part) for part in (unroll.posterior, unroll.prior))
    kl = torch.distributions.kl_divergence(q, p)
    assert (kl[0, :, :S].sum(-1) > 0.01).all()
    assert not kl[1:, :, :S].any()
    torch.testing.assert_close(unroll.kl, kl.sum(-1))


def slanted(rng, slants, frames):
    """Zigzags [T, B, 3] of independent heights, each row with one slant."""
    up = rng.standard_normal((frames, len(slants))).astype(np.float32)
    x = 0.3 * rng.standard_normal((frames, len(slants))).astype(np.float32) + slants * up
    return np.stack([x, up, np.zeros_like(up)], -1)


def test_with_distorted_ink_the_style_learns_what_the_recurrence_cannot_see(tmp_path):
    rng = np.random.default_rng(0)
    lines = slanted(rng, rng.standard_normal(300).astype(np.float32), 40).swapaxes(0, 1)
    np.savez(
        tmp_path / "ink.npz",
        dxy=np.round(1000 * np.concatenate(lines)[:, :2]).astype(np.int16),
        eos=np.zeros(40 * 300, np.uint8),
        offsets=np.arange(301) * 40,
        ids=np.array([f"line-{i}" for i in range(300)]),
    )
    recipe = load_recipe("handwriting")
    model = msgspec.structs.replace(
        tiny.config(KIND),
        recurrent_size=32,
        style_size=1,
        **dict.fromkeys(("phi_x", "phi_z", "encoder", "prior", "decoder"), (32,)),
    )
    data = msgspec.structs.replace(recipe.data, rows=20, chunk=40, resample=False, height_mm=None, max_move=None)
    schedule = msgspec.structs.replace(
        recipe.training, updates=300, learning_rate=1e-2, kl_warmup=0, distort_slant=2.0, validate_every=300
    )
    recipe = msgspec.structs.replace(recipe, name="toy", model=model, data=data, training=schedule)
    best = training.train(recipe, tmp_path / "ink.npz", tmp_path / "run").build()
    true = np.linspace(-1.5, 1.5, 50).astype(np.float32)
    with torch.no_grad():
        unroll = best.unroll(torch.from_numpy(slanted(rng, true, 40)), torch.zeros(40, 50, 7))
    # Undistorted, the style knows less than half of it: an sd of 0.9, and a correlation of 0.87.
    assert unroll.posterior.std[0, :, 0].mean() < 0.5
    assert abs(np.corrcoef(unroll.posterior.mean[0, :, 0], true)[0, 1]) > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style_size": 7}, "style_size 7 must be below latent_size 7"),
        ({"style_size": 0}, "family 'styled-vrnn-gauss' needs style_size"),
        ({"family": "vrnn-gauss"}, "family 'vrnn-gauss' has no style_size; leave it out"),
    ],
)
def test_a_style_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build_model(msgspec.structs.replace(tiny.config(KIND), **changes))


def test_sound_is_not_distorted():
    fields = recipe_fields(load_recipe("blizzard"))
    fields["training"]["distort_size"] = 0.1
    with pytest.raises(msgspec.ValidationError, match="distort_slant and distort_size go with ink"):
        msgspec.convert(fields, Recipe)
