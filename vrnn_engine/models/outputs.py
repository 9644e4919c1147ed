"""Output distributions p(x | z, h): Gaussian frames, Gaussian-mixture frames, and pen points.

Each distribution maps decoder features to its parameters.  Given the parameters, it computes the log density of a frame
or samples a frame.  A sample is a pure function of the parameters and of standard normal noise.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import linear, to_float32
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
"""Upper limit of |rho|: at 1 the bivariate density is degenerate."""

MANY_COMPONENTS = 12
"""With at least this many components, only the chosen component is computed, from its gathered weights.

Gathering copies these weights for each row of a batch; computing all components reads all weights once.  With 20
components of 200 samples (onnxruntime 1.31, one core), gathering takes 0.25 times as long for one row, as long for 8
rows, and 1.7 times as long for 64 rows; with 8 components 0.5, 1.3 and 3.4 times.  A graph always uses the same way,
because the bits of a row must not depend on the number of rows.
"""


Parameters = Any
"""Parameters of an output distribution: a named tuple, one type for each distribution."""


class Output(Protocol):
    """Interface of an output distribution."""

    mixture_size: int
    """K, the width of `noise.mixture`; 0 if the distribution is not a mixture."""

    def __call__(self, features: Tensor, past: Heard) -> Parameters:
        """Return the parameters for decoder features [..., .] and the past."""

    def log_prob(self, parameters: Parameters, x: Tensor) -> Tensor:
        """Return the log density [...] of frames x [..., F], in nats."""

    def sample(self, parameters: Parameters, noise: OutputNoise) -> Tensor:
        """Return a sampled frame [..., F]."""


class GaussianOutput(nn.Module):
    """One diagonal Gaussian over the frame.

    Parameters
    ----------
    inputs : int
        Width of the decoder features.
    frame_size : int
        F.
    """

    mixture_size = 0

    def __init__(self, inputs: int, frame_size: int):
        super().__init__()
        self.head = NormalHead(inputs, frame_size)

    def forward(self, features: Tensor, past: Heard) -> Normal:
        """Return the Gaussian [..., F] for features [..., inputs]."""
        normal: Normal = self.head(features)
        return normal

    def log_prob(self, parameters: Normal, x: Tensor) -> Tensor:
        """Return the log density [...] of frames x [..., F], in nats."""
        return log_density(parameters, x)

    def sample(self, parameters: Normal, noise: OutputNoise) -> Tensor:
        """Return a sampled frame [..., F]."""
        return _sample_normal(parameters, noise)


class Mixture(NamedTuple):
    """Parameters of a mixture of K diagonal Gaussians."""

    log_weights: Tensor
    """[..., K]."""
    components: Normal
    """[..., K, F]."""


class MixtureOutput(nn.Module):
    """A mixture of K diagonal Gaussians over the frame (the VRNN-GMM of Chung et al. 2015).

    Parameters
    ----------
    inputs : int
        Width of the decoder features.
    frame_size : int
        F.
    components : int
        K.
    """

    def __init__(self, inputs: int, frame_size: int, components: int):
        super().__init__()
        self.mixture_size = components
        self.frame_size = frame_size
        self.weights = linear(inputs, components)
        self.head = NormalHead(inputs, components * frame_size)

    def forward(self, features: Tensor, past: Heard) -> Mixture:
        """Return the mixture for features [..., inputs]."""
        shape = (self.mixture_size, self.frame_size)
        normal: Normal = self.head(features)
        components = Normal(normal.mean.unflatten(-1, shape), normal.std.unflatten(-1, shape))
        return Mixture(self.log_weights(features), components)

    def log_weights(self, features: Tensor) -> Tensor:
        """Return the log weights [..., K] for features [..., inputs]."""
        return functional.log_softmax(to_float32(self.weights(features)), dim=-1)

    def log_prob(self, parameters: Mixture, x: Tensor) -> Tensor:
        """Return the log density [...] of frames x [..., F], in nats."""
        each = log_density(parameters.components, x.unsqueeze(-2))
        return torch.logsumexp(parameters.log_weights + each, dim=-1)

    def sample(self, parameters: Mixture, noise: OutputNoise) -> Tensor:
        """Return a sampled frame [..., F]."""
        chosen = choose_component(parameters.log_weights, noise)
        return _sample_normal(Normal(*(gather_component(value, chosen) for value in parameters.components)), noise)

    def draw(self, features: Tensor, noise: OutputNoise) -> Tensor:
        """Sample a frame [B, F] for features [B, inputs]: equals `sample(forward(...))`, but may cost less."""
        return _sample_normal(self.component(features, choose_component(self.log_weights(features), noise)), noise)

    def component(self, features: Tensor, chosen: Tensor) -> Normal:
        """Return component `chosen` [B, 1], a Gaussian [B, F], for features [B, inputs]."""
        shape, both = (2, self.mixture_size, self.frame_size), self.head.both
        if self.mixture_size < MANY_COMPONENTS:
            of_all = to_float32(both(features)).unflatten(-1, shape)
            mean, raw = gather_component(of_all, chosen.unsqueeze(-2).expand(-1, 2, 1)).unbind(-2)
        else:
            rows = chosen.squeeze(-1)
            weight = both.weight.unflatten(0, shape).index_select(1, rows)
            bias = both.bias.unflatten(0, shape).index_select(1, rows)
            mean, raw = to_float32((weight @ features.unsqueeze(-1)).squeeze(-1) + bias).unbind(0)
        return Normal(mean, positive(raw))


class PenMixture(NamedTuple):
    """Parameters of a pen point: a Bernoulli pen-up, and a mixture of K bivariate Gaussians for (dx, dy)."""

    pen_logit: Tensor
    """Logit of the probability of pen-up, [...]."""
    log_weights: Tensor
    """[..., K]."""
    mean: Tensor
    """[..., K, 2]."""
    std: Tensor
    """[..., K, 2]."""
    correlation: Tensor
    """rho, [..., K]."""


class PenOutput(nn.Module):
    """Bernoulli pen-up and a mixture of bivariate Gaussians with correlation for (dx, dy).

    Graves, Generating Sequences With Recurrent Neural Networks, 2013 (arXiv:1308.0850), equations 18 to 26.

    Parameters
    ----------
    inputs : int
        Width of the decoder features.
    components : int
        K.
    """

    def __init__(self, inputs: int, components: int):
        super().__init__()
        self.components = components
        self.mixture_size = components if components > 1 else 0
        self.head = linear(inputs, 1 + 6 * components)
        with torch.no_grad():
            self.head.bias[1 + 3 * components : 1 + 5 * components] = STD_BIAS

    def forward(self, features: Tensor, past: Heard) -> PenMixture:
        """Return the parameters for features [..., inputs]."""
        k = self.components
        pen, weights, mean, raw, rho = to_float32(self.head(features)).split([1, k, 2 * k, 2 * k, k], dim=-1)
        return PenMixture(
            pen.squeeze(-1),
            functional.log_softmax(weights, dim=-1),
            mean.unflatten(-1, (k, 2)),
            positive(raw).unflatten(-1, (k, 2)),
            MAX_CORRELATION * torch.tanh(rho),
        )

    def log_prob(self, parameters: PenMixture, x: Tensor) -> Tensor:
        """Return the log density [...] of points x = (dx, dy, pen-up) [..., 3], in nats."""
        error = (x[..., None, :2] - parameters.mean) / parameters.std
        rho = parameters.correlation
        rest = (1 - rho) * (1 + rho)
        # (e_x^2 + e_y^2 - 2 rho e_x e_y) / (1 - rho^2), in a form that does not cancel if |rho| is near 1.
        across = error[..., 0] - rho * error[..., 1]
        quadratic = across * across / rest + error[..., 1] * error[..., 1]
        log_det = torch.log(parameters.std).sum(-1) + 0.5 * torch.log(rest)
        each = parameters.log_weights - 0.5 * quadratic - log_det - LOG_2PI
        # Not binary_cross_entropy_with_logits: in a graph it becomes log(sigmoid), which is inexact for small values.
        pen = x[..., 2] * parameters.pen_logit - functional.softplus(parameters.pen_logit)
        return torch.logsumexp(each, dim=-1) + pen

    def sample(self, parameters: PenMixture, noise: OutputNoise) -> Tensor:
        """Return a sampled point [..., 3]; the third column of the noise decides pen-up."""
        if self.mixture_size:
            chosen = choose_component(parameters.log_weights, noise)
            mean, std = gather_component(parameters.mean, chosen), gather_component(parameters.std, chosen)
            rho = parameters.correlation.gather(-1, chosen)
        else:
            mean, std, rho = parameters.mean[..., 0, :], parameters.std[..., 0, :], parameters.correlation
        first, second = noise.output[..., 0:1], noise.output[..., 1:2]
        unit = torch.cat([first, rho * first + torch.sqrt(1 - rho * rho) * second], dim=-1)
        move = mean + noise.output_temperature * std * unit
        up = uniform_of(noise.output[..., 2:3]) < torch.sigmoid(parameters.pen_logit.unsqueeze(-1))
        return torch.cat([move, up.to(move.dtype)], dim=-1)


def _sample_normal(normal: Normal, noise: OutputNoise) -> Tensor:
    return normal.mean + noise.output_temperature * normal.std * noise.output


def choose_component(log_weights: Tensor, noise: OutputNoise) -> Tensor:
    """Sample the index [..., 1] of a component by the Gumbel-max trick.

    Parameters
    ----------
    log_weights : Tensor
        [..., K].
    noise : OutputNoise
        `mixture` and `mixture_temperature` are used; at temperature 0 the likeliest component is chosen.

    Raises
    ------
    ValueError
        `noise.mixture` is None.
    """
    if noise.mixture is None:
        raise ValueError("noise.mixture is None, but sampling a mixture needs it")
    scores = log_weights + noise.mixture_temperature * gumbel_of(noise.mixture)
    return scores.argmax(dim=-1, keepdim=True)


def gather_component(values: Tensor, index: Tensor) -> Tensor:
    """Return the values [..., D] of one component: `values` [..., K, D] at `index` [..., 1]."""
    rows = index.unsqueeze(-1).expand(*index.shape, values.shape[-1])
    return values.gather(-2, rows).squeeze(-2)


def build_output(config: ModelConfig, inputs: int) -> GaussianOutput | MixtureOutput | PenOutput | SourceFilterOutput:
    """Return the output distribution that a configuration describes.

    Parameters
    ----------
    config : ModelConfig
        Gives the modality, F, the number of components and the source-filter options.
    inputs : int
        Width of the decoder features.
    """
    if config.modality == "pen":
        return PenOutput(inputs, config.components)
    if config.source_filter:
        return SourceFilterOutput(config.source_filter, inputs, config.frame_size)
    if config.components > 1:
        return MixtureOutput(inputs, config.frame_size, config.components)
    return GaussianOutput(inputs, config.frame_size)
