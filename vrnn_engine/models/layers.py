"""Small pieces that every conditional is built from: initialised linear maps and ReLU stacks."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

INIT_RANGE = 0.08
"""MLP weights start in U(-0.08, 0.08), biases at zero (the paper's authors' code)."""


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Return a linear map initialised as in the paper."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.uniform_(layer.weight, -INIT_RANGE, INIT_RANGE)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def single(x: Tensor) -> Tensor:
    """Go back to single precision where products are computed in bfloat16."""
    return x.float() if x.dtype == torch.bfloat16 else x


def exactly(device: torch.device) -> AbstractContextManager[object]:
    """Compute products in single precision where autocast would not: those of signals rather than of features."""
    on = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if on else nullcontext()


class ReLUStack(nn.Sequential):
    """Linear and ReLU, once for each entry of `units`; [..., inputs] -> [..., units[-1]]."""

    def __init__(self, inputs: int, units: Sequence[int]):
        layers: list[nn.Module] = []
        for outputs in units:
            layers += [linear(inputs, outputs), nn.ReLU()]
            inputs = outputs
        super().__init__(*layers)
        self.outputs = inputs


class JointStack(nn.Module):
    """A ReLU stack that reads two inputs side by side, as `relu(W_a a + W_h h + b)` and on.

    The part that `a` contributes to the first layer is computed by `project`, so that a caller who
    knows `a` for every time step computes it for all of them in one product, outside the loop.
    """

    def __init__(self, a_size: int, h_size: int, units: Sequence[int]):
        super().__init__()
        self.project: nn.Module = linear(a_size, units[0])
        self.from_h = linear(h_size, units[0], bias=False)
        self.rest = ReLUStack(units[0], units[1:])
        self.outputs = units[-1]

    def forward(self, projected: Tensor, h: Tensor) -> Tensor:
        """[..., units[0]] (from `project`), [..., H] -> [..., units[-1]]."""
        hidden: Tensor = self.rest(torch.relu(self.join(projected, h)))
        return hidden

    def join(self, projected: Tensor, h: Tensor) -> Tensor:
        """Return the sum of both parts, [..., units[0]]."""
        joined: Tensor = projected + self.from_h(h)
        return joined
