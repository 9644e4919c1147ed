"""Output distributions p(x | z, h): Gaussian frames, Gaussian-mixture frames, and pen points.

Each turns decoder features into parameters once, and then gives a log density or a sample of
them.  A sample is a pure function of standard normal noise.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import linear, single
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import (
    LOG_2PI,
    STD_BIAS,
    Normal,
    NormalHead,
    gumbel_of,
    log_density,
    positive,
    uniform_of,
)
from vrnn_engine.models.source_filter import Heard, SourceFilterOutput

MAX_CORRELATION = 0.999
"""|rho| stays under this: at 1 the bivariate density is degenerate."""

MANY_COMPONENTS = 12
"""From here on a frame is drawn from gathered rows of its component alone, in place of the product of all.

Its bytes are copied for every row of a batch, where the product reads all of them once.  Of 20 components of 200
samples (onnxruntime 1.31, one core) that takes a quarter of the time for one row, as long for eight, and 1.7 times as
long for 64; of 8 components half, 1.3 times and 3.4 times.  A graph has one form, and rows must not depend on how many
there are.
"""


Parameters = Any
"""What an output distribution is described by: a named tuple of its own."""


class Output(Protocol):
    """What a decoder needs of its output distribution."""

    mixture_size: int
    """K, the width of `noise.mixture`; 0 where the distribution is no mixture."""

    def __call__(self, features: Tensor, past: Heard) -> Parameters:
        """[..., features] and the past -> parameters."""

    def log_prob(self, parameters: Parameters, x: Tensor) -> Tensor:
        """Log density of x, [..., F] -> [...], in nats."""

    def sample(self, parameters: Parameters, noise: OutputNoise) -> Tensor:
        """Return a frame [..., F]."""


class GaussianOutput(nn.Module):
    """One diagonal Gaussian over the frame."""

    mixture_size = 0

    def __init__(self, inputs: int, frame_size: int):
        super().__init__()
        self.head = NormalHead(inputs, frame_size)

    def forward(self, features: Tensor, past: Heard) -> Normal:
        """[..., inputs] -> Normal of [..., F]."""
        normal: Normal = self.head(features)
        return normal

    def log_prob(self, parameters: Normal, x: Tensor) -> Tensor:
        """Return the log density of x, [..., F] -> [...], in nats."""
        return log_density(parameters, x)

    def sample(self, parameters: Normal, noise: OutputNoise) -> Tensor:
        """Return a frame [..., F]."""
        return _drawn(parameters, noise)


class Mixture(NamedTuple):
    """K weighted diagonal Gaussians: `log_weights` [..., K], the components [..., K, F]."""

    log_weights: Tensor
    components: Normal


class MixtureOutput(nn.Module):
    """A mixture of K diagonal Gaussians, one index for the whole frame (the paper's VRNN-GMM)."""

    def __init__(self, inputs: int, frame_size: int, components: int):
        super().__init__()
        self.mixture_size = components
        self.frame_size = frame_size
        self.weights = linear(inputs, components)
        self.head = NormalHead(inputs, components * frame_size)

    def forward(self, features: Tensor, past: Heard) -> Mixture:
        """[..., inputs] -> Mixture."""
        shape = (self.mixture_size, self.frame_size)
        normal: Normal = self.head(features)
        components = Normal(normal.mean.unflatten(-1, shape), normal.std.unflatten(-1, shape))
        return Mixture(self.log_weights(features), components)

    def log_weights(self, features: Tensor) -> Tensor:
        """[..., inputs] -> [..., K]."""
        return functional.log_softmax(single(self.weights(features)), dim=-1)

    def log_prob(self, parameters: Mixture, x: Tensor) -> Tensor:
        """Return the log density of x, [..., F] -> [...], in nats."""
        each = log_density(parameters.components, x.unsqueeze(-2))
        return torch.logsumexp(parameters.log_weights + each, dim=-1)

    def sample(self, parameters: Mixture, noise: OutputNoise) -> Tensor:
        """Return a frame [..., F]."""
        chosen = choose_component(parameters.log_weights, noise)
        return _drawn(Normal(*(pick(value, chosen) for value in parameters.components)), noise)

    def draw(self, features: Tensor, noise: OutputNoise) -> Tensor:
        """[B, inputs] -> a frame [B, F], as `sample` of `forward` makes it, without the components not chosen."""
        return _drawn(self.component(features, choose_component(self.log_weights(features), noise)), noise)

    def component(self, features: Tensor, chosen: Tensor) -> Normal:
        """[B, inputs] and the index of a component [B, 1] -> Normal of [B, F]."""
        shape, both = (2, self.mixture_size, self.frame_size), self.head.both
        if self.mixture_size < MANY_COMPONENTS:
            of_all = single(both(features)).unflatten(-1, shape)
            mean, raw = pick(of_all, chosen.unsqueeze(-2).expand(-1, 2, 1)).unbind(-2)
        else:
            rows = chosen.squeeze(-1)
            weight = both.weight.unflatten(0, shape).index_select(1, rows)
            bias = both.bias.unflatten(0, shape).index_select(1, rows)
            mean, raw = single((weight @ features.unsqueeze(-1)).squeeze(-1) + bias).unbind(0)
        return Normal(mean, positive(raw))


class PenMixture(NamedTuple):
    """Pen-up and where to: `pen_logit` [...], `log_weights` and `correlation` [..., K], the two
    coordinates' `mean` and `std` [..., K, 2]."""

    pen_logit: Tensor
    log_weights: Tensor
    mean: Tensor
    std: Tensor
    correlation: Tensor


class PenOutput(nn.Module):
    """Bernoulli pen-up and a mixture of bivariate Gaussians with correlation for (dx, dy).

    Graves, Generating Sequences With Recurrent Neural Networks, 2013, equations 18 to 26.
    """

    def __init__(self, inputs: int, components: int):
        super().__init__()
        self.components = components
        self.mixture_size = components if components > 1 else 0
        self.head = linear(inputs, 1 + 6 * components)
        with torch.no_grad():
            self.head.bias[1 + 3 * components : 1 + 5 * components] = STD_BIAS

    def forward(self, features: Tensor, past: Heard) -> PenMixture:
        """[..., inputs] -> PenMixture."""
        k = self.components
        pen, weights, mean, raw, rho = single(self.head(features)).split([1, k, 2 * k, 2 * k, k], dim=-1)
        return PenMixture(
            pen.squeeze(-1),
            functional.log_softmax(weights, dim=-1),
            mean.unflatten(-1, (k, 2)),
            positive(raw).unflatten(-1, (k, 2)),
            MAX_CORRELATION * torch.tanh(rho),
        )

    def log_prob(self, parameters: PenMixture, x: Tensor) -> Tensor:
        """Return the log density of x = (dx, dy, pen-up), [..., 3] -> [...], in nats."""
        error = (x[..., None, :2] - parameters.mean) / parameters.std
        rho = parameters.correlation
        rest = (1 - rho) * (1 + rho)
        # (e_x^2 + e_y^2 - 2 rho e_x e_y) / (1 - rho^2), without its cancellation where |rho| is near 1.
        across = error[..., 0] - rho * error[..., 1]
        quadratic = across * across / rest + error[..., 1] * error[..., 1]
        log_det = torch.log(parameters.std).sum(-1) + 0.5 * torch.log(rest)
        each = parameters.log_weights - 0.5 * quadratic - log_det - LOG_2PI
        pen = functional.binary_cross_entropy_with_logits(parameters.pen_logit, x[..., 2], reduction="none")
        return torch.logsumexp(each, dim=-1) - pen

    def sample(self, parameters: PenMixture, noise: OutputNoise) -> Tensor:
        """Return a point [..., 3]; the third column of the noise decides on pen-up."""
        if self.mixture_size:
            chosen = choose_component(parameters.log_weights, noise)
            mean, std = pick(parameters.mean, chosen), pick(parameters.std, chosen)
            rho = parameters.correlation.gather(-1, chosen)
        else:
            mean, std, rho = parameters.mean[..., 0, :], parameters.std[..., 0, :], parameters.correlation
        first, second = noise.output[..., 0:1], noise.output[..., 1:2]
        unit = torch.cat([first, rho * first + torch.sqrt(1 - rho * rho) * second], dim=-1)
        move = mean + noise.output_temperature * std * unit
        up = uniform_of(noise.output[..., 2:3]) < torch.sigmoid(parameters.pen_logit.unsqueeze(-1))
        return torch.cat([move, up.to(move.dtype)], dim=-1)


def _drawn(normal: Normal, noise: OutputNoise) -> Tensor:
    return normal.mean + noise.output_temperature * normal.std * noise.output


def choose_component(log_weights: Tensor, noise: OutputNoise) -> Tensor:
    """Draw one component by the Gumbel-max trick: [..., K] -> index [..., 1]."""
    if noise.mixture is None:
        raise ValueError("a mixture is sampled with noise.mixture")
    scores = log_weights + noise.mixture_temperature * gumbel_of(noise.mixture)
    return scores.argmax(dim=-1, keepdim=True)


def pick(values: Tensor, index: Tensor) -> Tensor:
    """Take one component's row: [..., K, D] at [..., 1] -> [..., D]."""
    rows = index.unsqueeze(-1).expand(*index.shape, values.shape[-1])
    return values.gather(-2, rows).squeeze(-2)


def build_output(config: ModelConfig, inputs: int) -> GaussianOutput | MixtureOutput | PenOutput | SourceFilterOutput:
    """Return the output distribution that a config asks for."""
    if config.modality == "pen":
        return PenOutput(inputs, config.components)
    if config.source_filter:
        return SourceFilterOutput(config.source_filter, inputs, config.frame_size)
    if config.components > 1:
        return MixtureOutput(inputs, config.frame_size, config.components)
    return GaussianOutput(inputs, config.frame_size)
