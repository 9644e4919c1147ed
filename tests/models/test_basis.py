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


def test_stereo_mdct_is_orthonormal_inverted_and_keeps_middle_and_side_apart():
    basis = MdctBasis(12, channels=2)
    sound = torch.randn(40, 3, 12, generator=torch.Generator().manual_seed(0))
    sound[0] = sound[-1] = 0
    frames = basis.frames(sound)
    assert frames.shape == (39, 3, 12)
    assert torch.allclose(frames.pow(2).sum(), sound.pow(2).sum(), rtol=1e-5)
    overlap, blocks = torch.zeros(3, 12), []
    for frame in frames:
        block, overlap = basis.synthesise(overlap, frame)
        blocks.append(block)
    assert torch.allclose(torch.stack(blocks), sound[:-1], atol=1e-5)
    # The same signal on both channels, interleaved, has no side; its middle is the mono transform times sqrt(2).
    mono = torch.randn(10, 6, generator=torch.Generator().manual_seed(1))
    both = basis.frames(mono.repeat_interleave(2, dim=-1))
    assert torch.allclose(both[:, 6:], torch.zeros(9, 6), atol=1e-6)
    assert torch.allclose(both[:, :6], 2**0.5 * MdctBasis(6).frames(mono), atol=1e-5)


def test_observed_stereo_block_may_be_the_overlap_of_a_generated_one():
    basis = MdctBasis(12, channels=2)
    before, block, frame = torch.randn(3, 2, 12, generator=torch.Generator().manual_seed(0))
    _, overlap = basis.synthesise(torch.zeros(2, 12), basis.analyse(before, block))
    for ours, theirs in zip(basis.synthesise(block, frame), basis.synthesise(overlap, frame), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_quietest_limits_the_scale():
    loud = torch.zeros(50, 8)
    loud[:, ::2] = 1.0  # one tone, and rounding errors elsewhere
    basis = MdctBasis(8, quietest=0.01)
    basis.fit(loud)
    assert basis.scale.min() == pytest.approx(0.01 * float(basis.scale.max()))
