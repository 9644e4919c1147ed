"""The text-conditioned model: attention, step, unroll and gradients agree; how latent and position behave."""

import numpy as np
import pytest
import torch
from support import text_models

from vrnn_engine.models import build_model
from vrnn_engine.models.noise import LatentControls, OutputNoise
from vrnn_engine.models.text.state import TextState
from vrnn_engine.models.text.window import CLOSEST, NONE, REACH, SPAN, START, attend

FRAMES, ROWS, CHARACTERS = 14, 3, 9


def inputs(model, seed=1):
    """Return frames [T, B, 3], noise [T, B, Z] and texts [B, U] of different lengths."""
    rng = torch.Generator().manual_seed(seed)
    frames = torch.randn(FRAMES, ROWS, 3, generator=rng, dtype=torch.float64)
    frames[..., 2] = (frames[..., 2] > 0.5).double()
    noise = torch.randn(FRAMES, ROWS, model.config.latent_size, generator=rng, dtype=torch.float64)
    text = torch.randint(1, model.text.end, (ROWS, CHARACTERS), generator=rng)
    for row in range(ROWS):
        text[row, CHARACTERS - 1 - row] = model.text.end
        text[row, CHARACTERS - row :] = NONE
    return frames, noise, text


def attention_by_hand(weight, offset, sharpness, position, count):
    """Return the attention of one row by the equations of the module's docstring, character by character."""
    mix = np.exp(weight) / np.exp(weight).sum()
    found = []
    for u in range(count):
        bumps = np.exp(-np.exp(sharpness) * ((position + REACH * np.tanh(offset) - u) ** 2 + CLOSEST**2))
        found.append(float(mix @ bumps) if abs(position - u) < SPAN else 0.0)
    return np.array(found)


def walk(model, frames, latent, text, state=None):
    """Step through frames; return h before each, attention and position after each, and the last state."""
    state = state or TextState(*(part.double() for part in model.initial_state(frames.shape[1])))
    z_features, characters = model.phi_z(latent), model.window.embed(text)
    old, looks, places = [], [], []
    for frame in frames:
        old.append(state.h)
        state, attention = model.advance(frame, z_features, characters, state)
        looks.append(attention)
        places.append(state.position)
    return torch.stack(old), torch.stack(looks), torch.stack(places), state


def test_rounding_of_the_position_changes_the_attention_of_a_sharp_gaussian_little():
    places = torch.linspace(2.9, 3.1, 20001, dtype=torch.float64).unsqueeze(-1)
    for sharpness in (0.0, 3.0, 6.0, 9.0, 15.0):
        still = torch.zeros(len(places), 1, dtype=torch.float64)
        found = attend(still, still, still + sharpness, places, 6)
        steepest = float((found.diff(dim=0) / places.diff(dim=0)).abs().max())
        assert steepest < 10, sharpness
    assert float(found.max()) < 1e-9  # the sharpest reads nothing


def test_attention_agrees_with_the_equations():
    rng = np.random.default_rng(0)
    for position in (-0.5, 3.2, 14.0):
        weight, offset, sharpness = rng.normal(size=(3, 4))
        given = (torch.from_numpy(part)[None] for part in (weight, offset, sharpness))
        found = attend(*given, torch.tensor([[position]], dtype=torch.float64), 20)[0]
        assert np.allclose(found, attention_by_hand(weight, offset, sharpness, position, 20), atol=1e-14)


def test_unroll_agrees_with_the_step_in_values_and_gradients():
    model = text_models.model()
    frames, noise, text = inputs(model)
    unroll = model.unroll(frames, noise, text=text)
    old, looks, places, state = walk(model, frames, unroll.latent, text)
    expected = model.output.log_prob(model.decode(unroll.latent, old), frames)
    assert torch.allclose(unroll.log_likelihood, expected, atol=1e-11)
    assert torch.allclose(unroll.old_h, old, atol=1e-12)
    assert torch.allclose(unroll.attention, looks, atol=1e-12)
    assert torch.allclose(unroll.position - START, places, atol=1e-12)
    for name in ("h", "c", "position", "window"):
        assert torch.allclose(getattr(unroll.state, name), getattr(state, name), atol=1e-12)
    named = dict(model.named_parameters())
    weigh = torch.linspace(-1, 2, FRAMES, dtype=torch.float64)[:, None]
    found = torch.autograd.grad((weigh * unroll.log_likelihood).sum(), named.values(), retain_graph=True)
    true = torch.autograd.grad((weigh * expected).sum(), named.values())
    for name, one, other in zip(named, found, true, strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-10), name


def test_two_chunks_with_carried_state_have_the_posterior_of_one():
    model = text_models.model()
    frames, noise, text = inputs(model)
    noise = noise[:1].expand(FRAMES, -1, -1)
    with torch.no_grad():
        whole = model.unroll(frames, noise, text=text)
        first = model.unroll(frames[:5], noise[:5], text=text)
        second = model.unroll(frames[5:], noise[5:], first.state, text=text)
    # The first posterior knows less of the line; the last one knows all of it.
    assert torch.allclose(second.posterior.mean, whole.posterior.mean)
    assert torch.allclose(first.kl.sum(0) + second.kl.sum(0), whole.kl.sum(0))
    assert torch.allclose(second.state.summary, whole.state.summary)


def test_positions_never_move_back():
    model = text_models.model()
    frames, noise, text = inputs(model)
    for scale in (1, 30):
        with torch.no_grad():
            model.window.heads.weight.mul_(scale)
            position = model.unroll(frames, noise, text=text).position
        assert (position[1:] >= position[:-1]).all()
        assert (position[0] >= START).all()


def test_padding_and_characters_out_of_reach_change_nothing():
    model = text_models.model()
    frames, noise, text = inputs(model)
    wide = torch.cat([text, torch.full((ROWS, 30), NONE)], dim=-1)
    far = torch.cat([wide, torch.ones(ROWS, 5, dtype=torch.long)], dim=-1)
    with torch.no_grad():
        plain, padded, other = (model.unroll(frames, noise, text=some).log_likelihood for some in (text, wide, far))
        changed = model.unroll(frames, noise, text=text.flip(-1)).log_likelihood
    assert torch.equal(plain[0], changed[0])  # the first point is generated before any character is read
    assert torch.allclose(plain, padded, atol=1e-12)
    assert torch.allclose(plain, other, atol=1e-12)
    assert not torch.allclose(plain[2:], changed[2:], atol=1e-3)


def test_rows_are_independent_and_padded_frames_change_no_latent():
    model = text_models.model()
    frames, noise, text = inputs(model)
    mask = torch.ones(FRAMES, ROWS, dtype=torch.float64)
    mask[9:, 1] = 0
    with torch.no_grad():
        whole = model.unroll(frames, noise, text=text, mask=mask)
        alone = model.unroll(frames[:9, 1:2], noise[:9, 1:2], text=text[1:2])
    assert torch.allclose(whole.latent[1], alone.latent[0])
    assert torch.allclose(whole.log_likelihood[:9, 1], alone.log_likelihood[:, 0])


def test_observing_generated_frames_with_the_same_latent_gives_the_same_states():
    model = text_models.model()
    _, noise, text = inputs(model)
    rng = torch.Generator().manual_seed(2)
    state = TextState(*(part.double() for part in model.initial_state(ROWS)))
    made = []
    with torch.no_grad():
        for _ in range(FRAMES):
            drawn = OutputNoise(
                torch.randn(ROWS, 3, generator=rng).double(), torch.randn(ROWS, 4, generator=rng).double()
            )
            step = model.generate(state, text, noise[0], drawn)
            made.append(step)
            state = step.state
            noise = noise.roll(1, 0)
        assert all(torch.equal(step.latent, made[0].latent) for step in made), "later noise must not change z"
        assert not made[0].prior.mean.any()
        assert (made[0].prior.std == 1).all()
        held = LatentControls(
            torch.ones(ROWS, 1).double(), torch.zeros(1, 5).double(), torch.ones(1, 5).double(), made[0].latent
        )
        seen = TextState(*(part.double() for part in model.initial_state(ROWS)))
        for step in made:
            found = model.observe(step.frame, seen, text, noise[0], held)
            seen = found.state
            assert torch.allclose(found.latent, step.latent)
            assert torch.allclose(found.attention, step.attention, atol=1e-10)
            assert torch.allclose(seen.h, step.state.h, atol=1e-10)


def test_observing_all_frames_gives_the_posterior_of_the_unroll():
    model = text_models.model()
    frames, noise, text = inputs(model)
    state = TextState(*(part.double() for part in model.initial_state(ROWS)))
    with torch.no_grad():
        whole = model.unroll(frames, noise, text=text)
        for frame in frames:
            found = model.observe(frame, state, text, noise[0])
            state = found.state
        after = model.generate(state, text, noise[3], OutputNoise(frames[0], torch.zeros(ROWS, 4).double()))
    assert torch.allclose(found.posterior.mean, whole.posterior.mean)
    assert torch.allclose(found.posterior.std, whole.posterior.std)
    assert torch.allclose(found.latent, whole.latent)
    assert torch.allclose(after.latent, whole.latent), "generation must continue with the observed latent"


def test_the_attention_begins_near_the_first_character_and_moves_at_the_given_speed():
    torch.manual_seed(0)
    model = build_model(text_models.config())
    text = torch.ones(1, 40, dtype=torch.long)
    with torch.no_grad():
        position = model.unroll(torch.zeros(40, 1, 3), torch.zeros(40, 1, 5), text=text).position[:, 0, 0]
    assert position[-1].item() == pytest.approx(START + 10, abs=1.5)
