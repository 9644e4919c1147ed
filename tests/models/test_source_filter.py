"""The source-filter output: exact density, exact inverse, continuing periods, bounded power."""

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
from vrnn_engine.models.filters.cepstral_filter import DECAY, CepstralFilter
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.periodicity import FEW_ROWS, Convolution, correlate
from vrnn_engine.models.source_filter import MAX_GAIN, Heard, SourceFilterOutput

SIZE, INPUTS = 200, 12
CONFIG = SourceFilter(cepstrum=40, warp=0.42, shortest=40, longest=160, pitch=(16,))


@pytest.fixture
def output():
    torch.manual_seed(0)
    return SourceFilterOutput(CONFIG, INPUTS, SIZE).eval()


def heard(past):
    """Return two past frames with the periodicity of the second."""
    return Heard(past, periodicity(past))


def periodicity(both, emphasis=None):
    """Return the periodicity of the second of two frames."""
    return Analysis(CONFIG, SIZE, emphasis)(both)[1]


def fix(output, cepstrum=None, gain=None, share=None, std=None):
    """Make parameters independent of the features."""
    with torch.no_grad():
        for value, rows in zip(
            (cepstrum, gain, share, std), torch.arange(sum(output.parts)).split(output.parts), strict=True
        ):
            if value is not None:
                output.head.weight[rows] = 0
                output.head.bias[rows] = value


def test_the_density_is_that_of_the_sampler(output):
    """Change of variables: p(x) = N(e) / |dx/de|, with the Jacobian of the whole frame."""
    torch.manual_seed(1)
    parameters = output(torch.randn(1, INPUTS), heard(torch.randn(1, 2 * SIZE)))
    noise = torch.randn(1, SIZE)
    frame = output.sample(parameters, OutputNoise(noise))
    jacobian = torch.autograd.functional.jacobian(lambda e: output.sample(parameters, OutputNoise(e))[0], noise)[:, 0]
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(noise).sum() - torch.linalg.slogdet(jacobian.double())[1]
    assert output.log_prob(parameters, frame).item() == pytest.approx(expected.item(), abs=1e-2)


def test_many_and_few_rows_give_the_same_parameters(output):
    """Many rows use spectra, as in training; few rows use sums, as in a step."""
    torch.manual_seed(2)
    features, past = torch.randn(FEW_ROWS + 1, INPUTS), torch.randn(FEW_ROWS + 1, 2 * SIZE)
    past[:, :SIZE] *= 1000  # rounding errors of a loud past must not show in a quiet frame
    frame = 1e-3 * torch.randn(FEW_ROWS + 1, SIZE)
    with torch.no_grad():
        together, alone = output(features, heard(past)), output(features[:3], heard(past[:3]))
        for name in together._fields:
            assert torch.allclose(getattr(together, name)[:3], getattr(alone, name), rtol=1e-3, atol=1e-4), name
        found, expected = output.log_prob(together, frame)[:3], output.log_prob(alone, frame[:3])
    assert torch.allclose(found, expected, rtol=1e-4)


def test_correlate_equals_the_sum():
    x, taps = torch.randn(FEW_ROWS + 1, 9), torch.randn(FEW_ROWS + 1, 4)
    expected = torch.stack([(x[:, n : n + 4] * taps).sum(-1) for n in range(6)], dim=-1)
    assert torch.allclose(correlate(x, taps), expected, atol=1e-5)
    assert torch.allclose(correlate(x[:2], taps[:2]), expected[:2], atol=1e-5)


@pytest.mark.parametrize("rows", [2, FEW_ROWS + 1])
@pytest.mark.parametrize("start", [0, 5, 12])
def test_a_convolution_equals_the_sum(rows, start):
    x, taps = torch.randn(rows, 12), torch.randn(rows, 12, dtype=torch.float64)
    y = torch.stack([sum(taps[:, k] * x[:, n - k] for k in range(12) if 0 <= n - k < 12) for n in range(23)], dim=-1)
    y = functional.pad(y, (0, 1))
    expected = torch.cat([y[:, 12 : 12 + start], y[:, start:12]], dim=-1)
    for zeros in (0, 3, 9):
        found = Convolution(12, start)(x, functional.pad(taps, (0, zeros)))
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", [7, 20, 50, 441])
def test_a_filter_for_frames_of_any_size_inverts_its_inverse(size):
    taps = CepstralFilter(12, 0.3, size)(0.2 * torch.randn(3, 12))
    product = Convolution(size)(taps[:, 0, :size], taps[:, 1])
    assert torch.allclose(product, torch.eye(1, size, dtype=torch.float64).expand(3, -1), atol=1e-6)


@pytest.mark.parametrize("size", [0.1, 1.0])
def test_the_filter_inverts_its_inverse(output, size):
    cepstrum = size * torch.randn(5, CONFIG.cepstrum) / torch.arange(1, CONFIG.cepstrum + 1)
    inverse, response = output.filter(cepstrum).unbind(-2)
    impulse = torch.eye(1, SIZE, dtype=torch.float64).expand(5, -1)
    assert torch.allclose(inverse[:, 0], impulse[:, 0])
    assert not inverse[:, 2 * SIZE :].any()
    assert not response[:, SIZE:].any()
    assert torch.allclose(Convolution(SIZE)(inverse[:, :SIZE], response), impulse, atol=1e-6)


def test_the_filter_has_the_warped_spectrum(output):
    cepstrum = 0.5 * torch.randn(1, CONFIG.cepstrum) / torch.arange(1, CONFIG.cepstrum + 1)
    spectrum = -torch.fft.rfft(output.filter(cepstrum).unbind(-2)[0], 1024).abs().log()
    delay = DECAY * torch.exp(-1j * torch.arange(513) * 2 * math.pi / 1024)
    order = torch.arange(1, CONFIG.cepstrum + 1)[:, None]
    expected = cepstrum @ (((delay - 0.42) / (1 - 0.42 * delay)) ** order - (-0.42) ** order).real
    assert torch.allclose(spectrum, expected.double(), atol=0.01)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_the_filter_is_stable_for_any_cepstrum(output, slope):
    """All zeros of the polynomial that is truncated to two frames lie inside the unit circle."""
    cepstrum = 10 * torch.randn(20, CONFIG.cepstrum) / torch.arange(1, CONFIG.cepstrum + 1) ** slope
    taps = output.filter(cepstrum).unbind(-2)[0].numpy()
    spectra = 20 * np.log10(np.abs(np.fft.rfft(taps, 1024)))
    assert 30 < np.abs(spectra).max() < 43  # limited; more changes nothing
    assert np.allclose(output.filter(2 * cepstrum)[..., 0, :].numpy(), taps, atol=1e-4)
    assert max(np.abs(np.roots(polynomial)).max() for polynomial in taps) < 1


def tone(period, length=2 * SIZE, level=1.0):
    return level * torch.sin(2 * math.pi * torch.arange(length) / period)[None]


def test_periodicity_shows_the_period_at_any_level():
    found = periodicity(tone(100.0))[0]
    assert 160 - found.argmax().item() == 100
    assert found.max().item() == pytest.approx(1, abs=1e-3)
    assert torch.allclose(found, periodicity(tone(100.0, level=0.1))[0], atol=1e-2)
    assert not periodicity(torch.zeros(1, 2 * SIZE)).any()
    assert periodicity(torch.randn(1, 2 * SIZE)).abs().max() < 0.5


def test_the_emphasis_does_not_hide_a_period():
    """A rumble below any pitch is lifted to a level far above the voice."""
    emphasis = EmphasisConfig(order=6, lower=0.00625, upper=0.009375)
    voice = tone(75.0) + tone(25.0) + 0.3 * tone(300.0)
    lifted = Emphasis(emphasis, SIZE).emphasise(voice.unflatten(-1, (2, SIZE)).movedim(1, 0)).movedim(0, 1).flatten(1)
    assert lifted.square().mean() > 4 * voice.square().mean()
    without, corrected = (periodicity(lifted, e)[0] for e in (None, emphasis))
    assert 160 - corrected.argmax().item() == 75
    assert corrected.max() > 0.9
    assert 160 - without.argmax().item() != 75


def follow(output, past, frames, features, noise=0.0):
    """Return the `frames` frames [B, frames * F] that follow a past of two frames [B, 2F], oldest sample first."""
    made = [past[:, :SIZE], past[:, SIZE:]]
    with torch.no_grad():
        for _ in range(frames):
            past = torch.cat(made[-2:], dim=-1)
            drawn = noise * torch.randn(len(past), SIZE)
            made.append(output.sample(output(features, heard(past)), OutputNoise(drawn)))
    return torch.cat(made[2:], dim=-1)


def test_a_period_continues(output):
    """Without noise, a frame is the signal one period earlier times the gain, for any filter."""
    fix(output, gain=20.0, share=-20.0, std=-20.0)
    with torch.no_grad():
        output.choice.weight.zero_()
        output.choice.bias[-1] = 1e4  # only the likeliest period
    shape = torch.randn(100)
    frames = follow(output, shape.repeat(4)[None], 3, 0.2 * torch.randn(1, INPUTS))[0].unflatten(-1, (6, 100))
    for turn, frame in enumerate(frames, start=1):
        assert torch.allclose(frame, MAX_GAIN**turn * shape, atol=0.05)


def test_no_tone_grows(output):
    """With the largest gain, a loud past decays and a soft past rises to the same power."""
    fix(output, gain=4.0, share=4.0, std=-1.0)
    torch.manual_seed(3)
    features = 0.2 * torch.randn(32, INPUTS)
    powers = []
    for level in (1e-2, 1.0, 1e2):
        made = follow(output, tone(100.0, level=level).expand(32, -1), 150, features, noise=1.0)
        powers.append(made[:, 100 * SIZE :].square().mean())
    assert max(powers) < 2 * min(powers)


def test_voicing_ranges_from_a_whisper_to_a_tone(output):
    """Voicing changes the gain of the period; 0 changes nothing."""
    fix(output, cepstrum=0.0, gain=2.0, share=-20.0)
    past, noise = tone(100.0, level=5.0), torch.randn(1, SIZE)
    with torch.no_grad():
        parameters = output(torch.randn(1, INPUTS), heard(past))
        frames = {
            v: output.sample(parameters, OutputNoise(noise, output_voicing=torch.tensor([[v]])))
            for v in (-30.0, 0.0, 5.0)
        }
        plain = output.sample(parameters, OutputNoise(noise))
    assert torch.equal(frames[0.0], plain)
    assert torch.allclose(frames[-30.0], parameters.std.repeat_interleave(SIZE // CONFIG.levels, -1) * noise, atol=1e-4)
    loud = [frames[v].square().mean().item() for v in (-30.0, 0.0, 5.0)]
    assert loud[0] < 0.5 * loud[1] < 0.5 * loud[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"basis": "mdct", "emphasis": None}, "source_filter needs basis 'samples'"),
        ({"input_compression": 1.0}, "source_filter needs"),
        ({"source_filter": msgspec.structs.replace(CONFIG, longest=30, gains=4)}, "shortest 40, longest 30"),
        ({"source_filter": msgspec.structs.replace(CONFIG, shortest=5, longest=9, gains=3)}, "gains 3 does not divide"),
    ],
)
def test_an_invalid_configuration_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(tiny_models.config("source-gauss"), **changes)


def test_the_analysis_does_not_depend_on_the_sign():
    """The recurrence reads what is audible of a tone, and not its phase."""
    model = tiny_models.model("source-gauss")
    both = torch.randn(2, 40)
    features_of = torch.cat(model.analysis(both), dim=-1)
    assert features_of.shape == (2, model.analysis.size)
    assert torch.allclose(features_of, torch.cat(model.analysis(-both), dim=-1))
    moved = functional.pad(both[:, 1:], (0, 1))
    assert not torch.allclose(features_of, torch.cat(model.analysis(moved), dim=-1), atol=1e-2)


def test_autocast_does_not_round_signals(output):
    """Under autocast, the filter still inverts its inverse, and the analysis does not change."""
    features, past = torch.randn(3, INPUTS), torch.randn(3, 2 * SIZE)
    model = tiny_models.model("source-gauss")
    features_of = model.analysis(past[:, :40])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        parameters = output(features, heard(past))
        for found, expected in zip(model.analysis(past[:, :40]), features_of, strict=True):
            assert torch.equal(found, expected)
    impulse = torch.eye(1, SIZE, dtype=torch.float64).expand(3, -1)
    found = Convolution(SIZE)(parameters.inverse[:, :SIZE], parameters.response)
    assert torch.allclose(found, impulse, atol=1e-6)
