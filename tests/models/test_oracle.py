"""Step, unroll and state of each model compared with an independent NumPy oracle; the known porting mistakes."""

import numpy as np
import pytest
import torch
from scipy import stats
from support import tiny_models
from support.oracle import LATENT_MISTAKES, MISTAKES, Oracle

from vrnn_engine.models.noise import LatentControls, OutputNoise

FRAMES = 12
TOLERANCE = 1e-4


def noise_for(model, seed=3):
    rng = np.random.default_rng(seed)
    sizes = (model.config.latent_size, model.config.frame_size, model.output.mixture_size)
    return [rng.standard_normal((FRAMES, size)).astype(np.float32) for size in sizes]


def frames_for(model, seed=4):
    frames = np.random.default_rng(seed).standard_normal((FRAMES, model.config.frame_size)).astype(np.float32)
    if model.config.basis == "points":
        frames[:, 2] = frames[:, 2] > 0.5
    return frames


def generated(model, temperature=1.0):
    """Return frames [T, F] and states [T, 2H] of the PyTorch step."""
    state, frames, states = model.initial_state(1), [], []
    latent, output, mixture = (torch.from_numpy(part) for part in noise_for(model))
    with torch.no_grad():
        for t in range(FRAMES):
            noise = OutputNoise(output[t : t + 1], mixture[t : t + 1], temperature)
            made = model.generate(state, latent[t : t + 1], noise)
            state = made.state
            frames.append(made.frame[0].numpy())
            states.append(torch.cat(state[:2], -1)[0].numpy())
    return np.stack(frames), np.stack(states)


def generated_by_oracle(model, mistake=None, temperature=1.0):
    oracle, frames, states = Oracle(model, mistake), [], []
    for parts in zip(*noise_for(model), strict=True):
        frames.append(oracle.generate(*parts, temperature)[0])
        states.append(np.concatenate(oracle.state))
    return np.stack(frames), np.stack(states)


def difference(found, expected):
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12)


@pytest.mark.parametrize("kind", tiny_models.KINDS)
@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_generate_agrees_with_the_oracle(kind, temperature):
    model = tiny_models.model(kind)
    frames, states = generated(model, temperature)
    expected_frames, expected_states = generated_by_oracle(model, temperature=temperature)
    assert difference(frames, expected_frames) < TOLERANCE
    assert difference(states, expected_states) < TOLERANCE


@pytest.mark.parametrize("kind", tiny_models.KINDS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_oracle_notices_every_known_porting_mistake(kind, mistake):
    model = tiny_models.model(kind)
    if mistake in LATENT_MISTAKES and not model.config.latent_size:
        pytest.skip("this model has no latents")
    if mistake == "prior reads the updated h" and not model.config.prior:
        pytest.skip("this prior has no inputs")
    frames, states = generated(model)
    wrong_frames, wrong_states = generated_by_oracle(model, mistake)
    assert max(difference(frames, wrong_frames), difference(states, wrong_states)) > 100 * TOLERANCE


@pytest.mark.parametrize("kind", tiny_models.KINDS)
def test_unroll_agrees_with_the_oracle_and_with_the_step(kind):
    model, oracle = tiny_models.model(kind), Oracle(tiny_models.model(kind))
    frames, noise = frames_for(model), noise_for(model)[0]
    with torch.no_grad():
        unroll = model.unroll(torch.from_numpy(frames)[:, None], torch.from_numpy(noise)[:, None])
        state = model.initial_state(1)
        for t in range(FRAMES):
            if t:
                assert difference(unroll.old.h[t, 0].numpy(), oracle.state[0]) < TOLERANCE
            else:
                assert not unroll.old.h[0].any()
            z, mean, std = oracle.observe(frames[t].astype(np.float64), noise[t])
            step = model.infer(
                model.features(torch.from_numpy(frames[t : t + 1]), state.past),
                state,
                torch.from_numpy(noise[t : t + 1]),
            )
            prior, kl, log_likelihood, _ = model.score(torch.from_numpy(frames[t : t + 1]), step, state)
            state = step.state
            for whole, one, true in (
                (unroll.latent, step.latent, z),
                (unroll.posterior.mean, step.posterior.mean, mean),
                (unroll.posterior.std, step.posterior.std, std),
            ):
                assert np.allclose(whole[t, 0], true, rtol=TOLERANCE, atol=TOLERANCE * np.abs(true).max(initial=0))
                assert np.allclose(one[0], true, rtol=TOLERANCE, atol=TOLERANCE * np.abs(true).max(initial=0))
            assert torch.allclose(unroll.prior.mean[t], prior.mean, rtol=TOLERANCE, atol=1e-5)
            assert torch.allclose(unroll.kl[t], kl, rtol=TOLERANCE)
            assert torch.allclose(unroll.log_likelihood[t], log_likelihood, rtol=TOLERANCE)
    for found, expected in zip(unroll.state[:2], oracle.state, strict=True):
        assert difference(found[0].numpy(), expected) < TOLERANCE


@pytest.mark.parametrize("kind", tiny_models.KINDS)
def test_two_chunks_with_carried_state_equal_one(kind):
    model = tiny_models.model(kind)
    frames, noise = torch.from_numpy(frames_for(model))[:, None], torch.from_numpy(noise_for(model)[0])[:, None]
    with torch.no_grad():
        whole = model.unroll(frames, noise)
        first = model.unroll(frames[:5], noise[:5])
        second = model.unroll(frames[5:], noise[5:], first.state)
    assert torch.allclose(torch.cat([first.kl, second.kl]), whole.kl, rtol=1e-5)
    assert torch.allclose(torch.cat([first.log_likelihood, second.log_likelihood]), whole.log_likelihood, rtol=1e-5)
    assert torch.allclose(second.state.h, whole.state.h, atol=1e-6)
    alone = model.unroll(frames[5:], noise[5:])
    assert not torch.allclose(alone.log_likelihood, second.log_likelihood, rtol=1e-2)


@pytest.mark.parametrize("kind", ["mdct-gauss", "source-gauss", "pen-gmm"])
def test_only_the_recurrence_reads_the_shown_frames(kind):
    """Scheduled sampling: the observed frame is encoded and scored, the shown one advances the state."""
    model = tiny_models.model(kind)
    frames, other = (torch.from_numpy(frames_for(model, seed))[:, None] for seed in (4, 5))
    noise = torch.from_numpy(noise_for(model)[0])[:, None]
    with torch.no_grad():
        plain, shown = model.unroll(frames, noise), model.unroll(frames, noise, shown=other)
        assert torch.equal(model.unroll(frames, noise, shown=frames).kl, plain.kl)
        state = model.initial_state(1)
        for t in range(FRAMES):
            step = model.infer(model.features(frames[t], state.past), state, noise[t])
            _, kl, log_likelihood, _ = model.score(frames[t], step, state)
            assert torch.allclose(shown.kl[t], kl, rtol=TOLERANCE)
            assert torch.allclose(shown.log_likelihood[t], log_likelihood, rtol=TOLERANCE)
            gates = model.features(other[t], state.past).gates
            seen = model.features(frames[t], state.past)._replace(gates=gates)
            state = model.advance(seen, step.latent, step.z_features, state)
    assert torch.equal(shown.kl[0], plain.kl[0])
    assert not torch.allclose(shown.kl[1:], plain.kl[1:], rtol=1e-2)


@pytest.mark.parametrize("kind", ["mdct-gauss", "source-gauss"])
def test_the_encoder_and_the_recurrence_read_the_heard_frames_and_the_likelihood_does_not(kind):
    model = tiny_models.model(kind)
    frames, other = (torch.from_numpy(frames_for(model, seed))[:, None] for seed in (4, 5))
    noise = torch.from_numpy(noise_for(model)[0])[:, None]
    with torch.no_grad():
        plain = model.unroll(frames, noise)
        same = model.unroll(frames, noise, heard=frames)
        both = model.unroll(other, noise)
        mixed = model.unroll(frames, noise, heard=other)
    assert torch.equal(same.log_likelihood, plain.log_likelihood)
    for name in ("h", "c"):
        assert torch.equal(getattr(mixed.state, name), getattr(both.state, name))
    assert torch.equal(mixed.latent, both.latent)
    assert torch.equal(mixed.kl, both.kl)
    assert torch.equal(mixed.state.past, plain.state.past)
    assert torch.equal(mixed.state.periodicity, plain.state.periodicity)
    expected = model.output.log_prob(mixed.decoded, frames) + model.basis.log_det
    assert torch.equal(mixed.log_likelihood, expected)
    assert not torch.equal(mixed.log_likelihood, both.log_likelihood)


@pytest.mark.parametrize("kind", ["mdct-gauss", "source-gauss"])
def test_resampled_frames_follow_the_decoder(kind):
    """Each one continues the observed frames before it."""
    model = tiny_models.model(kind)
    frames = torch.from_numpy(frames_for(model))[:, None]
    noise = OutputNoise(torch.ones_like(frames))
    with torch.no_grad():
        unroll = model.unroll(frames, torch.from_numpy(noise_for(model)[0])[:, None])
        before = torch.cat([torch.zeros(2, 1, 20), frames])
        past = torch.cat([before[:-2], before[1:-1]], dim=-1)[..., : model.config.past_size]
        assert torch.equal(unroll.old.past, past)
        decoded = model.decoder(model.phi_z(unroll.latent), unroll.old.h, unroll.old.heard)
        drawn = model.resample(unroll, noise)
    assert torch.allclose(drawn, model.output.sample(decoded, noise), rtol=1e-4, atol=1e-4)
    if kind == "mdct-gauss":
        assert torch.allclose(drawn, decoded.mean + decoded.std)


def test_the_likelihood_is_a_density_of_the_signal_not_of_scaled_coefficients():
    model = tiny_models.model("mdct-gauss")
    frame = torch.from_numpy(frames_for(model)[:1])
    state = model.initial_state(1)
    with torch.no_grad():
        step = model.infer(model.features(frame, state.past), state, torch.zeros(1, 7))
        decoded = model.decoder(step.z_features, state.h, state.heard)
        found = model.score(frame, step, state)[2]
    scale, (mean, std) = model.basis.scale, decoded
    unscaled = stats.norm.logpdf(frame * scale, mean * scale, std * scale).sum()
    assert found.item() == pytest.approx(unscaled, rel=1e-4)


@pytest.mark.parametrize("kind", ["samples-gauss", "pen-gmm"])
def test_generation_uses_the_prior_not_the_encoder(kind):
    model = tiny_models.model(kind)
    before = generated(model)[0]
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.add_(1.0)
    assert np.array_equal(generated(model)[0], before)
    with torch.no_grad():
        for weight in model.prior.parameters():
            weight.add_(0.5)
    assert difference(generated(model)[0], before) > 1e-2


def test_latent_controls_apply_in_the_documented_order():
    model = tiny_models.model("samples-gauss")
    noise = torch.randn(1, 7)
    state = model.initial_state(1)
    prior = model.prior(state.h)
    controls = LatentControls(
        torch.full((1, 1), 0.5), torch.full((1, 7), 2.0), torch.full((1, 7), 0.25), torch.full((1, 7), -3.0)
    )
    made = model.generate(state, noise, OutputNoise(torch.zeros(1, 20)), controls)
    expected = 0.75 * (prior.mean + 0.5 * prior.std * noise + 2.0) + 0.25 * -3.0
    assert torch.allclose(made.latent, expected, atol=1e-6)
