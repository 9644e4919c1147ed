"""Emphasis: compared with scipy's filter, inverted exactly, with determinant one; and its gain."""

import msgspec
import numpy as np
import pytest
import torch
from scipy import signal
from support.tiny_models import config

from vrnn_engine.models.basis import PlainBasis
from vrnn_engine.models.config import EmphasisConfig
from vrnn_engine.models.emphasis import Emphasis

SIZE = 200
CONFIG = EmphasisConfig(order=8, lower=0.00625, upper=0.009375)  # as in the recipe blizzard: 100 and 150 Hz at 16 kHz


@pytest.fixture(scope="module")
def emphasis():
    return Emphasis(CONFIG, SIZE)


@pytest.fixture(scope="module")
def blocks():
    torch.manual_seed(0)
    return torch.randn(30, SIZE)


def walk(step, blocks, memory):
    out = []
    for block in blocks:
        block, memory = step(block, memory)
        out.append(block)
    return torch.stack(out), memory


def by_scipy(samples):
    """Filter all samples at once, in double precision."""
    rising, falling = (
        signal.butter(CONFIG.order, corner, output="zpk", fs=1)[1] for corner in (CONFIG.upper, CONFIG.lower)
    )
    return signal.sosfilt(signal.zpk2sos(rising, falling, 1), samples.double().numpy().ravel())


def test_blocks_are_filtered_as_by_scipy(emphasis, blocks):
    found, _ = walk(emphasis, blocks, torch.zeros(emphasis.memory_size))
    assert np.abs(found.numpy().ravel() - by_scipy(blocks)).max() < 1e-3  # the values are up to 11


def test_undo_inverts_the_filter_after_either_direction(emphasis, blocks):
    start = torch.zeros(emphasis.memory_size)
    lifted, after = walk(emphasis, blocks, start)
    plain, after_undo = walk(emphasis.undo, lifted, start)
    assert torch.allclose(plain, blocks, atol=1e-3)
    assert torch.allclose(after, after_undo, atol=1e-3)
    # A stream that observes blocks and then generates uses the same memory for both.
    _, memory = walk(emphasis, blocks[:10], start)
    rest, _ = walk(emphasis.undo, lifted[10:], memory)
    assert torch.allclose(rest, blocks[10:], atol=1e-3)


def test_densities_need_no_correction(emphasis):
    jacobian = emphasis.forth[:SIZE, :SIZE].double()
    assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(0, abs=1e-3)
    assert torch.equal(jacobian, torch.triu(jacobian))  # a sample changes itself and later ones
    assert torch.equal(jacobian.diagonal(), torch.ones(SIZE, dtype=torch.float64))


def test_low_frequencies_are_lifted_and_others_unchanged(emphasis):
    def gain(hertz):
        tone = torch.sin(2 * np.pi * hertz / 16000 * torch.arange(100 * SIZE))
        lifted, _ = walk(emphasis, tone.reshape(-1, SIZE), torch.zeros(emphasis.memory_size))
        return 20 * torch.log10(lifted[50:].std() / tone.std()).item()

    assert gain(50) == pytest.approx(6.02 * 8 * np.log2(1.5), abs=0.5)
    assert gain(200) == pytest.approx(0, abs=0.6)
    assert gain(4000) == pytest.approx(0, abs=0.6)


def test_the_initial_memory_has_no_effect_after_settling(emphasis, blocks):
    settled = emphasis.settling_blocks
    short, _ = walk(emphasis, blocks[10 - settled :], torch.zeros(emphasis.memory_size))
    long, _ = walk(emphasis, blocks, torch.zeros(emphasis.memory_size))
    assert torch.allclose(short[settled:], long[10:], atol=1e-2)
    assert not torch.allclose(short[:1], long[10 - settled : 11 - settled], atol=0.1)


def test_the_frames_of_the_basis_are_emphasised(emphasis, blocks):
    basis = PlainBasis(SIZE, emphasis)
    frames = basis.frames(blocks)
    lifted = torch.from_numpy(by_scipy(blocks)).float().reshape(-1, SIZE)
    assert len(frames) == len(blocks) - basis.context > 0
    assert torch.allclose(frames, lifted[basis.context :], atol=1e-3)
    assert PlainBasis(SIZE).context == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lower": 0.1, "upper": 0.05}, "emphasis.lower 0.1 is not below emphasis.upper 0.05"),
        ({"basis": "mdct", "source_filter": None}, "emphasis needs basis 'samples'"),
    ],
)
def test_an_invalid_emphasis_is_refused(fields, message):
    described = msgspec.to_builtins(config("source-gauss"))
    described["emphasis"] |= {name: value for name, value in fields.items() if name in described["emphasis"]}
    described |= {name: value for name, value in fields.items() if name not in described["emphasis"]}
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(described, type(config("source-gauss")))
