"""Output distributions: densities compared with SciPy and numerical integrals, samples compared with densities."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from vrnn_engine.models.normal import Normal, gumbel_of, kl_divergence, log_density, positive, uniform_of
from vrnn_engine.models.outputs import (
    MANY_COMPONENTS,
    GaussianOutput,
    Mixture,
    MixtureOutput,
    OutputNoise,
    PenMixture,
    PenOutput,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def pen(k=3):
    return PenMixture(
        torch.tensor(-0.7),
        torch.log_softmax(torch.randn(k), -1),
        torch.randn(k, 2),
        torch.rand(k, 2) + 0.3,
        torch.tanh(torch.randn(k)),
    )


def mixture(k=4, size=2):
    return Mixture(torch.log_softmax(torch.randn(k), -1), Normal(2 * torch.randn(k, size), torch.rand(k, size) + 0.2))


def test_the_gaussian_density_equals_scipys():
    normal, x = Normal(torch.randn(5), torch.rand(5) + 0.1), torch.randn(5)
    expected = stats.norm.logpdf(x.numpy(), normal.mean.numpy(), normal.std.numpy()).sum()
    assert log_density(normal, x).item() == pytest.approx(expected, rel=1e-5)


def test_the_kl_equals_that_of_torch_distributions():
    q, p = (Normal(torch.randn(6), torch.rand(6) + 0.1) for _ in range(2))
    expected = torch.distributions.kl_divergence(torch.distributions.Normal(*q), torch.distributions.Normal(*p)).sum()
    assert kl_divergence(q, p).item() == pytest.approx(expected.item(), rel=1e-5)
    assert kl_divergence(q, q).item() == pytest.approx(0, abs=1e-6)


def test_standard_deviation_has_the_papers_floor():
    assert positive(torch.tensor([-100.0])).item() == pytest.approx(1e-4)
    assert positive(torch.tensor([0.6])).item() == pytest.approx(np.log1p(np.exp(0.6)) + 1e-4)


def test_mixture_density_integrates_to_one():
    parameters, output = mixture(size=1), MixtureOutput(3, 1, 4)
    density = lambda x: output.log_prob(parameters, torch.tensor([x])).exp().item()  # noqa: E731
    assert integrate.quad(density, -20, 20, limit=200)[0] == pytest.approx(1, abs=1e-4)


def test_pen_density_integrates_to_one_over_both_pen_states():
    output = PenOutput(3, 3)
    axis = torch.linspace(-8, 8, 641)
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    parameters = PenMixture(*(value.expand(*x.shape, *value.shape) for value in pen()))
    total = 0.0
    for up in (0.0, 1.0):
        points = torch.stack([x, y, torch.full_like(x, up)], -1)
        total += output.log_prob(parameters, points).exp().sum().item() * (axis[1] - axis[0]).item() ** 2
    assert total == pytest.approx(1, abs=2e-3)


def test_pen_density_has_the_correlation():
    parameters = pen(1)
    mean, std, rho = parameters.mean[0].numpy(), parameters.std[0].numpy(), parameters.correlation[0].item()
    covariance = np.outer(std, std) * np.array([[1, rho], [rho, 1]])
    point = np.array([0.3, -0.4])
    expected = stats.multivariate_normal.logpdf(point, mean, covariance) + np.log(1 / (1 + np.exp(-0.7)))
    found = PenOutput(3, 1).log_prob(parameters, torch.tensor([*point, 0.0], dtype=torch.float32))
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_samples_of_each_output_follow_its_density():
    """Moments of the samples agree with the parameters."""
    count = 40_000
    gaussian = Normal(torch.randn(2), torch.rand(2) + 0.2)
    drawn = GaussianOutput(3, 2).sample(gaussian, OutputNoise(torch.randn(count, 2)))
    assert torch.allclose(drawn.mean(0), gaussian.mean, atol=0.03)
    assert torch.allclose(drawn.std(0), gaussian.std, rtol=0.03)

    parameters = mixture()
    many = Mixture(
        parameters.log_weights.expand(count, -1), Normal(*(v.expand(count, -1, -1) for v in parameters.components))
    )
    drawn = MixtureOutput(3, 2, 4).sample(many, OutputNoise(torch.randn(count, 2), torch.randn(count, 4)))
    weights = parameters.log_weights.exp()
    assert torch.allclose(drawn.mean(0), (weights[:, None] * parameters.components.mean).sum(0), atol=0.06)
    nearest = ((drawn[:, None] - parameters.components.mean) / parameters.components.std).pow(2).sum(-1)
    likeliest = (parameters.log_weights - nearest / 2 - parameters.components.std.log().sum(-1)).argmax(-1)
    assert torch.bincount(likeliest, minlength=4).float().div(count).sub(weights).abs().max() < 0.15


@pytest.mark.parametrize("components", [4, MANY_COMPONENTS])
def test_sampling_one_component_equals_sampling_the_mixture(components):
    output, features = MixtureOutput(6, 20, components), torch.randn(64, 6)
    for weight in output.parameters():
        torch.nn.init.normal_(weight)
    noise = OutputNoise(torch.randn(64, 20), torch.randn(64, components), 0.7, torch.rand(64, 1))
    parameters = output(features, features[:, :0])
    assert len(parameters.log_weights.argmax(-1).unique()) > 2
    assert torch.allclose(output.draw(features, noise), output.sample(parameters, noise), rtol=1e-4, atol=1e-5)


def test_pen_samples_have_the_correlation_and_the_pen_ups():
    count, parameters = 40_000, pen(1)
    many = PenMixture(*(value.expand(count, *value.shape) for value in parameters))
    drawn = PenOutput(3, 1).sample(many, OutputNoise(torch.randn(count, 3)))
    assert np.corrcoef(drawn[:, :2].T)[0, 1] == pytest.approx(parameters.correlation[0].item(), abs=0.02)
    assert torch.allclose(drawn[:, :2].std(0), parameters.std[0], rtol=0.03)
    assert set(drawn[:, 2].unique().tolist()) == {0.0, 1.0}
    assert drawn[:, 2].mean().item() == pytest.approx(1 / (1 + np.exp(0.7)), abs=0.01)


def test_temperature_zero_is_the_mean_of_the_likeliest_component():
    parameters = mixture()
    noise = OutputNoise(torch.randn(2), torch.randn(4), 0.0, 0.0)
    drawn = MixtureOutput(3, 2, 4).sample(parameters, noise)
    assert torch.equal(drawn, parameters.components.mean[parameters.log_weights.argmax()])


def test_normal_noise_becomes_uniform_and_gumbel_noise():
    noise = torch.randn(20_000)
    assert stats.kstest(uniform_of(noise).numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(gumbel_of(noise).numpy(), "gumbel_r").pvalue > 0.01
    assert torch.isfinite(gumbel_of(torch.tensor([-40.0, 40.0]))).all()
