"""The diagonal Gaussian: parameters, KL divergence and log density; uniform and Gumbel noise from normal noise."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.layers import linear, to_float32

STD_FLOOR = 1e-4
STD_BIAS = 0.6
"""std = softplus(a) + 1e-4, where the initial bias of a is 0.6, as in the code of Chung et al. (2015)."""

LOG_2PI = math.log(2 * math.pi)


class Normal(NamedTuple):
    """A diagonal Gaussian."""

    mean: Tensor
    """[..., D]."""
    std: Tensor
    """Standard deviation, [..., D]."""


class NormalHead(nn.Module):
    """A linear map from features to a diagonal Gaussian; one matrix product gives mean and std.

    Parameters
    ----------
    inputs : int
        Width of the features.
    size : int
        D, the dimensions of the Gaussian.
    """

    def __init__(self, inputs: int, size: int):
        super().__init__()
        self.both = linear(inputs, 2 * size)
        with torch.no_grad():
            self.both.bias[size:] = STD_BIAS

    def forward(self, features: Tensor) -> Normal:
        """Return the Gaussian [..., size] of features [..., inputs]."""
        mean, raw = to_float32(self.both(features)).chunk(2, dim=-1)
        return Normal(mean, positive(raw))


def positive(raw: Tensor) -> Tensor:
    """Map any number a to a standard deviation, softplus(a) + 1e-4."""
    return pad_to_multiple_of_4(functional.softplus, raw) + STD_FLOOR


def pad_to_multiple_of_4(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply an elementwise function with the last axis padded to a multiple of four.

    onnxruntime computes Softplus and Log over the whole batch, four values at a time, and the remaining values with
    another routine, whose last bit differs.  If the length of a row is a multiple of four, its bits do not depend on
    the other rows.

    Parameters
    ----------
    function : callable
        An elementwise function that accepts 1.
    x : Tensor
        [..., D].

    Returns
    -------
    Tensor
        `function(x)`, [..., D].
    """
    spare = -x.shape[-1] % 4
    if not spare:
        return function(x)
    return function(functional.pad(x, (0, spare), value=1.0))[..., :-spare]


def log_density(normal: Normal, x: Tensor) -> Tensor:
    """Return log N(x; mean, diag(std^2)).

    Parameters
    ----------
    normal : Normal
        Of [..., D].
    x : Tensor
        [..., D].

    Returns
    -------
    Tensor
        The density's logarithm, summed over the last axis, [...], in nats.
    """
    error = (x - normal.mean) / normal.std
    return -0.5 * (error * error + 2 * torch.log(normal.std) + LOG_2PI).sum(-1)


def kl_divergence(q: Normal, p: Normal) -> Tensor:
    """Return KL(q || p) of two diagonal Gaussians (Kingma and Welling 2014, appendix B).

    Parameters
    ----------
    q, p : Normal
        Of [..., D].

    Returns
    -------
    Tensor
        The divergence, summed over the last axis, [...], in nats.
    """
    ratio = q.std / p.std
    shift = (q.mean - p.mean) / p.std
    return 0.5 * (ratio * ratio + shift * shift - 1 - 2 * torch.log(ratio)).sum(-1)


def uniform_of(normal: Tensor) -> Tensor:
    """Convert standard normal noise to uniform noise in [1e-6, 1 - 1e-6]."""
    return (0.5 * (1 + torch.erf(normal / math.sqrt(2)))).clamp(1e-6, 1 - 1e-6)


def gumbel_of(normal: Tensor) -> Tensor:
    """Convert standard normal noise to standard Gumbel noise, so that all noise inputs of a graph are normal."""
    return pad_to_multiple_of_4(lambda u: -torch.log(-torch.log(u)), uniform_of(normal))
