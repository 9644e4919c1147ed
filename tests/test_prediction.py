"""Gated linear prediction: what its gates read of the past does not depend on level or sign, but on frequency."""

import math

import pytest
import torch

from vrnn_engine.models.basis import MdctBasis
from vrnn_engine.models.config import LinearPrediction
from vrnn_engine.models.prediction import GatedLinearPrediction

FRAMES, BINS, SIZE = 3, 12, 200


@pytest.fixture
def prediction():
    torch.manual_seed(0)
    return GatedLinearPrediction(LinearPrediction(frames=FRAMES, bins=BINS, predictors=4, gates=(16,)), 5, SIZE)


def tone(hertz, phase=0.0, level=1.0):
    """The past of a frame in a steady tone at 16 kHz, [P * M], newest first."""
    time = torch.arange((FRAMES + 1) * SIZE, dtype=torch.float64) / 16000
    blocks = (level * torch.sin(2 * math.pi * hertz * time + phase)).float().reshape(-1, SIZE)
    return MdctBasis(SIZE).frames(blocks).flip(0)[:, :BINS].flatten()


def test_correlations_tell_a_tones_frequency_and_not_its_level_or_sign(prediction):
    read = prediction.correlations
    assert torch.allclose(read(tone(200)), read(tone(200, level=0.01)), atol=1e-2)
    assert torch.allclose(read(tone(200)), read(-tone(200)))
    phases = [read(tone(200, phase)) for phase in torch.arange(8) * math.pi / 4]
    others = [read(tone(215, phase)) for phase in torch.arange(8) * math.pi / 4]
    apart = (torch.stack(phases).mean(0) - torch.stack(others).mean(0)).norm()
    assert apart > 1
    assert len(read(tone(200))) == prediction.stack.project.in_features


def test_silence_is_no_division_by_zero(prediction):
    assert not prediction.correlations(torch.zeros(FRAMES * BINS)).any()
    assert not prediction(torch.randn(5), torch.zeros(FRAMES * SIZE)).any()


def test_a_prediction_is_as_loud_as_its_past(prediction):
    features, past = torch.randn(5), torch.randn(FRAMES * SIZE)
    assert torch.allclose(prediction(features, 10 * past), 10 * prediction(features, past), rtol=1e-3, atol=1e-6)
    assert torch.allclose(prediction(features, -past), -prediction(features, past), atol=1e-6)
    assert not prediction(features, past)[BINS:].any()
