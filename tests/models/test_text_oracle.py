"""The step of the text-conditioned model compared with an independent NumPy oracle; the known porting mistakes."""

import numpy as np
import pytest
import torch
from support import text_models
from support.text_oracle import MISTAKES, TextOracle

from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.text.state import TextState
from vrnn_engine.models.text.window import CLOSEST, REACH, SPAN, START

FRAMES, CHARACTERS = 14, 16
TOLERANCE = 1e-9


def noise_for(model, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((FRAMES, size)) for size in (model.config.latent_size, 3, model.config.components)]


def text_for(model):
    text = np.random.default_rng(5).integers(1, model.text.end, CHARACTERS)
    text[-3], text[-2:] = model.text.end, 0
    return text


def generated(model, temperature=1.0):
    """Return points [T, 3], and states with attention, of the PyTorch step."""
    state = TextState(*(part.double() for part in model.initial_state(1)))
    text, frames, states = torch.from_numpy(text_for(model))[None], [], []
    with torch.no_grad():
        for latent, output, mixture in zip(*map(torch.from_numpy, noise_for(model)), strict=True):
            made = model.generate(state, text, latent[None], OutputNoise(output[None], mixture[None], temperature))
            state = made.state
            frames.append(made.frame[0].numpy())
            states.append(torch.cat([state.h, state.c, state.position + START, made.attention], -1)[0].numpy())
    return np.stack(frames), np.stack(states)


def generated_by_oracle(model, mistake=None, temperature=1.0):
    oracle, frames, states = TextOracle(model, text_for(model), mistake), [], []
    for parts in zip(*noise_for(model), strict=True):
        frames.append(oracle.generate(*parts, temperature))
        states.append(np.concatenate([*oracle.h, *oracle.c, [oracle.position], oracle.attention]))
    return np.stack(frames), np.stack(states)


def difference(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_the_constants_are_those_of_the_equations():
    assert (REACH, SPAN, START, CLOSEST) == (3.0, 10.0, -0.5, 0.05)


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_generate_agrees_with_the_oracle(temperature):
    model = text_models.model()
    for found, expected in zip(
        generated(model, temperature), generated_by_oracle(model, temperature=temperature), strict=True
    ):
        assert difference(found, expected) < TOLERANCE


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_oracle_notices_every_known_porting_mistake(mistake):
    model = text_models.model()
    pairs = zip(generated(model), generated_by_oracle(model, mistake), strict=True)
    assert max(difference(found, wrong) for found, wrong in pairs) > 1e-2
