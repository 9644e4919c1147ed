"""Frame bases: the MDCT compared with the textbook sum, perfect reconstruction, orthonormality and density."""

import numpy as np
import pytest
import torch
from support.oracle import mdct_frames

from vrnn_engine.models.basis import MdctBasis, PlainBasis

SIZE = 20


@pytest.fixture
def basis():
    torch.manual_seed(0)
    made = MdctBasis(SIZE)
    made.scale.copy_(torch.rand(SIZE) + 0.5)
    return made


@pytest.fixture
def signal():
    """Return ten blocks with silence on both sides, [12, F]."""
    torch.manual_seed(1)
    edge = torch.zeros(1, SIZE)
    return torch.cat([edge, torch.randn(10, SIZE), edge])


def test_coefficients_are_the_textbook_mdct(basis, signal):
    expected = mdct_frames(signal.numpy().astype(np.float64)) / basis.scale.numpy()
    assert np.allclose(basis.frames(signal).numpy(), expected, atol=1e-5)


def test_synthesis_reconstructs_the_signal_one_frame_later(basis, signal):
    overlap, blocks = torch.zeros(SIZE), []
    for frame in basis.frames(signal):
        block, overlap = basis.synthesise(overlap, frame)
        blocks.append(block)
    assert torch.allclose(torch.stack(blocks), signal[:-1], atol=1e-5)


def test_an_observed_block_can_be_the_overlap(basis, signal):
    frames = basis.frames(signal)
    block, _ = basis.synthesise(signal[5], frames[5])
    assert torch.allclose(block, signal[5], atol=1e-5)
    wrong, _ = basis.synthesise(torch.zeros(SIZE), frames[5])
    assert not torch.allclose(wrong, signal[5], atol=0.1)


def test_the_transform_is_orthonormal_and_keeps_densities(basis, signal):
    coefficients = basis.frames(signal)
    assert (coefficients * basis.scale).pow(2).sum() == pytest.approx(signal.pow(2).sum().item(), rel=1e-5)
    # White Gaussian noise has the same density in both bases.
    white = torch.distributions.Normal(0.0, 1.0)
    scaled = torch.distributions.Normal(torch.zeros(SIZE), 1 / basis.scale)
    in_mdct = scaled.log_prob(coefficients).sum() + len(coefficients) * basis.log_det
    in_samples = white.log_prob(signal).sum() + white.log_prob(torch.zeros(SIZE)).sum() * (len(coefficients) - 12)
    assert in_mdct.item() == pytest.approx(in_samples.item(), rel=1e-5)


def test_fit_scales_every_bin_to_unit_power(basis):
    torch.manual_seed(2)
    loud = torch.randn(4000, SIZE).cumsum(-1)
    basis.fit(loud)
    assert torch.allclose(basis.frames(loud).pow(2).mean(0), torch.ones(SIZE), atol=1e-3)


def test_plain_frames_are_the_signal():
    signal = torch.randn(5, 2, SIZE)
    basis = PlainBasis(SIZE)
    assert torch.equal(basis.frames(signal), signal)
    assert basis.log_det == 0
