"""The diagonal Gaussian: its parameters, KL, log density and sampling, as pure functions."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.layers import linear, single

STD_FLOOR = 1e-4
STD_BIAS = 0.6
"""sd = softplus(a) + 1e-4, and the bias of a starts at 0.6 (the paper's authors' code)."""

LOG_2PI = math.log(2 * math.pi)


class Normal(NamedTuple):
    """A diagonal Gaussian; both tensors are [..., D]."""

    mean: Tensor
    std: Tensor


class NormalHead(nn.Module):
    """Features -> Normal; mean and sd come out of one product."""

    def __init__(self, inputs: int, size: int):
        super().__init__()
        self.both = linear(inputs, 2 * size)
        with torch.no_grad():
            self.both.bias[size:] = STD_BIAS

    def forward(self, features: Tensor) -> Normal:
        """[..., inputs] -> Normal of [..., size]."""
        mean, raw = single(self.both(features)).chunk(2, dim=-1)
        return Normal(mean, positive(raw))


def positive(raw: Tensor) -> Tensor:
    """Map a free value to a standard deviation, softplus(a) + 1e-4."""
    return in_fours(functional.softplus, raw) + STD_FLOOR


def in_fours(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply an elementwise function with the last axis padded to a multiple of four.

    onnxruntime computes Softplus and Log four values at a time over the whole batch, and what is
    left over by another routine that differs in the last bit.  In rows of whole fours a row's bits do
    not depend on the rows beside it.
    """
    spare = -x.shape[-1] % 4
    if not spare:
        return function(x)
    return function(functional.pad(x, (0, spare), value=1.0))[..., :-spare]


def log_density(normal: Normal, x: Tensor) -> Tensor:
    """Return log N(x; mean, diag(std^2)) in nats, summed over the last axis: [..., D] -> [...]."""
    error = (x - normal.mean) / normal.std
    return -0.5 * (error * error + 2 * torch.log(normal.std) + LOG_2PI).sum(-1)


def kl_divergence(q: Normal, p: Normal) -> Tensor:
    """Return KL(q || p) of diagonal Gaussians in nats, [..., D] -> [...] (Kingma & Welling 2014, app. B)."""
    ratio = q.std / p.std
    shift = (q.mean - p.mean) / p.std
    return 0.5 * (ratio * ratio + shift * shift - 1 - 2 * torch.log(ratio)).sum(-1)


def uniform_of(normal: Tensor) -> Tensor:
    """Turn standard normal noise into U(0, 1), kept a hair away from both ends."""
    return (0.5 * (1 + torch.erf(normal / math.sqrt(2)))).clamp(1e-6, 1 - 1e-6)


def gumbel_of(normal: Tensor) -> Tensor:
    """Turn standard normal noise into standard Gumbel noise, so that one kind of noise serves all."""
    return in_fours(lambda u: -torch.log(-torch.log(u)), uniform_of(normal))
