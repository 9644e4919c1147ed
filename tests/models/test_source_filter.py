"""The source-filter output: an exact density, an exact inverse, periods that go on, power that does not grow."""

import math

import msgspec
import numpy as np
import pytest
import torch
from support import tiny_models
from torch.nn import functional

from vrnn_engine.models.analysis import Analysis
from vrnn_engine.models.config import EmphasisConfig, SourceFilter
from vrnn_engine.models.emphasis import Emphasis
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.periodicity import FEW_ROWS, correlate
from vrnn_engine.models.source_filter import (
    DECAY,
    MOST_GAIN,
    Heard,
    SourceFilterOutput,
    convolve,
)

SIZE, INPUTS = 200, 12
CONFIG = SourceFilter(cepstrum=40, warp=0.42, shortest=40, longest=160, pitch=(16,))


@pytest.fixture
def output():
    torch.manual_seed(0)
    return SourceFilterOutput(CONFIG, INPUTS, SIZE).eval()


def heard(past):
    """Two past frames with the periodicity that phi_x was shown."""
    return Heard(past, periodicity(past))


def periodicity(both, emphasis=None):
    """Of the second of two frames."""
    return Analysis(CONFIG, SIZE, emphasis)(both)[1]


def fix(output, cepstrum=None, gain=None, share=None, std=None):
    """Let parameters no longer depend on the features."""
    with torch.no_grad():
        for value, rows in zip(
            (cepstrum, gain, share, std), torch.arange(sum(output.parts)).split(output.parts), strict=True
        ):
            if value is not None:
                output.head.weight[rows] = 0
                output.head.bias[rows] = value


def test_the_density_is_that_of_the_samples(output):
    """By the change of variables: p(x) = N(e) / |dx/de|, with the Jacobian of the whole frame."""
    torch.manual_seed(1)
    parameters = output(torch.randn(1, INPUTS), heard(torch.randn(1, 2 * SIZE)))
    noise = torch.randn(1, SIZE)
    frame = output.sample(parameters, OutputNoise(noise))
    jacobian = torch.autograd.functional.jacobian(lambda e: output.sample(parameters, OutputNoise(e))[0], noise)[:, 0]
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(noise).sum() - torch.linalg.slogdet(jacobian.double())[1]
    assert output.log_prob(parameters, frame).item() == pytest.approx(expected.item(), abs=1e-2)


def test_many_rows_and_few_come_out_alike(output):
    """Spectra and sums: the unroll of training and the step."""
    torch.manual_seed(2)
    features, past = torch.randn(FEW_ROWS + 1, INPUTS), torch.randn(FEW_ROWS + 1, 2 * SIZE)
    past[:, :SIZE] *= 1000  # a loud past leaves nothing of its rounding in what is quiet
    frame = 1e-3 * torch.randn(FEW_ROWS + 1, SIZE)
    with torch.no_grad():
        together, alone = output(features, heard(past)), output(features[:3], heard(past[:3]))
        for name in together._fields:
            assert torch.allclose(getattr(together, name)[:3], getattr(alone, name), rtol=1e-3, atol=1e-4), name
        found, expected = output.log_prob(together, frame)[:3], output.log_prob(alone, frame[:3])
    assert torch.allclose(found, expected, rtol=1e-4)


def test_correlate_is_the_plain_sum():
    x, taps = torch.randn(FEW_ROWS + 1, 9), torch.randn(FEW_ROWS + 1, 4)
    expected = torch.stack([(x[:, n : n + 4] * taps).sum(-1) for n in range(6)], dim=-1)
    assert torch.allclose(correlate(x, taps), expected, atol=1e-5)
    assert torch.allclose(correlate(x[:2], taps[:2]), expected[:2], atol=1e-5)


@pytest.mark.parametrize("size", [0.1, 1.0])
def test_the_filter_and_its_inverse_undo_each_other(output, size):
    cepstrum = size * torch.randn(5, CONFIG.cepstrum) / torch.arange(1, CONFIG.cepstrum + 1)
    inverse, response = output.filters(cepstrum)
    impulse = torch.eye(1, SIZE, dtype=torch.float64).expand(5, -1)
    assert torch.allclose(inverse[:, 0], impulse[:, 0])
    assert torch.allclose(convolve(inverse[:, :SIZE], response), impulse, atol=1e-6)


def test_the_filter_has_the_warped_spectrum(output):
    cepstrum = 0.5 * torch.randn(1, CONFIG.cepstrum) / torch.arange(1, CONFIG.cepstrum + 1)
    spectrum = -torch.fft.rfft(output.filters(cepstrum)[0], 1024).abs().log()
    delay = DECAY * torch.exp(-1j * torch.arange(513) * 2 * math.pi / 1024)
    order = torch.arange(1, CONFIG.cepstrum + 1)[:, None]
    expected = cepstrum @ (((delay - 0.42) / (1 - 0.42 * delay)) ** order - (-0.42) ** order).real
    assert torch.allclose(spectrum, expected.double(), atol=0.01)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_a_filter_is_stable_whatever_the_cepstrum(output, slope):
    """Cut off after two frames, too: all zeros of that polynomial lie inside the unit circle."""
    cepstrum = 10 * torch.randn(20, CONFIG.cepstrum) / torch.arange(1, CONFIG.cepstrum + 1) ** slope
    taps = output.filters(cepstrum)[0].numpy()
    spectra = 20 * np.log10(np.abs(np.fft.rfft(taps, 1024)))
    assert 30 < np.abs(spectra).max() < 43  # it asked for hundreds of dB, and the more it asks the same it gets
    assert np.allclose(output.filters(2 * cepstrum)[0].numpy(), taps, atol=1e-4)
    assert max(np.abs(np.roots(polynomial)).max() for polynomial in taps) < 1


def tone(period, length=2 * SIZE, level=1.0):
    return level * torch.sin(2 * math.pi * torch.arange(length) / period)[None]


def test_periodicity_tells_the_period_and_not_the_level():
    found = periodicity(tone(100.0))[0]
    assert 160 - found.argmax().item() == 100
    assert found.max().item() == pytest.approx(1, abs=1e-3)
    assert torch.allclose(found, periodicity(tone(100.0, level=0.1))[0], atol=1e-2)
    assert not periodicity(torch.zeros(1, 2 * SIZE)).any()
    assert periodicity(torch.randn(1, 2 * SIZE)).abs().max() < 0.5


def test_what_the_emphasis_lifts_does_not_hide_a_period():
    """A rumble lifted far over a voice, below any pitch of it."""
    emphasis = EmphasisConfig(order=6, lower=0.00625, upper=0.009375)
    voice = tone(75.0) + tone(25.0) + 0.3 * tone(300.0)
    lifted = Emphasis(emphasis, SIZE).walk(voice.unflatten(-1, (2, SIZE)).movedim(1, 0)).movedim(0, 1).flatten(1)
    assert lifted.square().mean() > 4 * voice.square().mean()
    deaf, hears = (periodicity(lifted, e)[0] for e in (None, emphasis))
    assert 160 - hears.argmax().item() == 75
    assert hears.max() > 0.9
    assert 160 - deaf.argmax().item() != 75


def follow(output, past, frames, features, noise=0.0):
    """Let a past of two frames [B, 2F], oldest sample first, go on for so many frames: [B, frames * F]."""
    made = [past[:, :SIZE], past[:, SIZE:]]
    with torch.no_grad():
        for _ in range(frames):
            past = torch.cat(made[-2:], dim=-1)
            drawn = noise * torch.randn(len(past), SIZE)
            made.append(output.sample(output(features, heard(past)), OutputNoise(drawn)))
    return torch.cat(made[2:], dim=-1)


def test_what_has_a_period_goes_on_with_it(output):
    """With nothing new, a frame is what was there a period ago, less the gain, whatever the filter."""
    fix(output, gain=20.0, share=-20.0, std=-20.0)
    with torch.no_grad():
        output.choice.weight.zero_()
        output.choice.bias[-1] = 1e4  # the likeliest period alone
    shape = torch.randn(100)
    frames = follow(output, shape.repeat(4)[None], 3, 0.2 * torch.randn(1, INPUTS))[0].unflatten(-1, (6, 100))
    for turn, frame in enumerate(frames, start=1):
        assert torch.allclose(frame, MOST_GAIN**turn * shape, atol=0.05)


def test_no_tone_feeds_on_itself(output):
    """Where a period comes back as strongly as it may, a loud past fades, and a soft one grows to the same power."""
    fix(output, gain=4.0, share=4.0, std=-1.0)
    torch.manual_seed(3)
    features = 0.2 * torch.randn(32, INPUTS)
    powers = []
    for level in (1e-2, 1.0, 1e2):
        made = follow(output, tone(100.0, level=level).expand(32, -1), 150, features, noise=1.0)
        powers.append(made[:, 100 * SIZE :].square().mean())
    assert max(powers) < 2 * min(powers)


def test_voicing_goes_from_a_whisper_to_a_tone(output):
    """It changes how well the past repeats itself, and at zero nothing."""
    fix(output, cepstrum=0.0, gain=2.0, share=-20.0)
    past, noise = tone(100.0, level=5.0), torch.randn(1, SIZE)
    with torch.no_grad():
        parameters = output(torch.randn(1, INPUTS), heard(past))
        frames = {
            v: output.sample(parameters, OutputNoise(noise, voicing=torch.tensor([[v]]))) for v in (-30.0, 0.0, 5.0)
        }
        plain = output.sample(parameters, OutputNoise(noise))
    assert torch.equal(frames[0.0], plain)
    assert torch.allclose(frames[-30.0], parameters.std.repeat_interleave(SIZE // CONFIG.levels, -1) * noise, atol=1e-4)
    loud = [frames[v].square().mean().item() for v in (-30.0, 0.0, 5.0)]
    assert loud[0] < 0.5 * loud[1] < 0.5 * loud[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"basis": "mdct", "emphasis": None}, "source_filter goes with basis 'samples'"),
        ({"input_compression": 1.0}, "source_filter goes with"),
        ({"source_filter": msgspec.structs.replace(CONFIG, longest=30, gains=4)}, "shortest 40, longest 30"),
        ({"source_filter": msgspec.structs.replace(CONFIG, shortest=5, longest=9, gains=3)}, "gains 3 does not divide"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(tiny_models.config("source-gauss"), **changes)


def test_phi_x_hears_the_same_whatever_the_sign():
    """What a recurrence is shown does not hang on the phase of a tone but on what can be heard of it."""
    model = tiny_models.model("source-gauss")
    both = torch.randn(2, 40)
    said = torch.cat(model.analysis(both), dim=-1)
    assert said.shape == (2, model.analysis.size)
    assert torch.allclose(said, torch.cat(model.analysis(-both), dim=-1))
    moved = functional.pad(both[:, 1:], (0, 1))
    assert not torch.allclose(said, torch.cat(model.analysis(moved), dim=-1), atol=1e-2)


def test_signals_are_not_rounded_to_bfloat16(output):
    """Autocast is for features: a filter is still undone by its inverse, and phi_x hears every bit."""
    features, past = torch.randn(3, INPUTS), torch.randn(3, 2 * SIZE)
    model = tiny_models.model("source-gauss")
    said = model.analysis(past[:, :40])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        parameters = output(features, heard(past))
        for found, expected in zip(model.analysis(past[:, :40]), said, strict=True):
            assert torch.equal(found, expected)
    impulse = torch.eye(1, SIZE, dtype=torch.float64).expand(3, -1)
    assert torch.allclose(convolve(parameters.inverse, parameters.response), impulse, atol=1e-6)
