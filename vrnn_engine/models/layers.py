"""Layers of the models: initialised linear maps, ReLU stacks, and the precision of their products."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

INIT_RANGE = 0.08
"""Initial weights are uniform in [-0.08, 0.08] and initial biases are zero, as in the code of Chung et al. (2015)."""


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Return a linear map with the initial values of Chung et al. (2015).

    Parameters
    ----------
    inputs, outputs : int
        Width of the input and of the output.
    bias : bool
        Whether the map has a bias.
    """
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.uniform_(layer.weight, -INIT_RANGE, INIT_RANGE)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def recurrent_weight(size: int, window: int) -> nn.Parameter:
    """Return the weight of the gates of an LSTM for its old h and a window: orthogonal for h, uniform for the window.

    Parameters
    ----------
    size : int
        H, number of cells.
    window : int
        E, width of the window.

    Returns
    -------
    nn.Parameter
        [4 H, H + E].
    """
    parts = []
    for _ in range(4):
        square = nn.init.orthogonal_(torch.empty(size, size))
        parts.append(torch.cat([square, torch.empty(size, window).uniform_(-INIT_RANGE, INIT_RANGE)], dim=-1))
    return nn.Parameter(torch.cat(parts))


def to_float32(x: Tensor) -> Tensor:
    """Convert bfloat16, in which autocast computes products, to float32; return other tensors unchanged."""
    return x.float() if x.dtype == torch.bfloat16 else x


def lstm_cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the new h and c of an LSTM (Hochreiter and Schmidhuber 1997).

    Parameters
    ----------
    gates : Tensor
        Gates before their nonlinearities, [..., 4 H], in the order input, forget, output, candidate.
    c : Tensor
        The old cells, [..., H].
    """
    size = c.shape[-1]
    opened, candidate = gates.split([3 * size, size], dim=-1)
    enter, keep, show = torch.sigmoid(opened).chunk(3, dim=-1)
    c = keep * c + enter * torch.tanh(candidate)
    return show * torch.tanh(c), c


def disable_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast, for products of signals, for which bfloat16 is too coarse."""
    on = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if on else nullcontext()


class ReLUStack(nn.Sequential):
    """Layers of a linear map and a ReLU: [..., inputs] -> [..., units[-1]].

    Parameters
    ----------
    inputs : int
        Width of the input.
    units : sequence of int
        Width of each layer, first to last.  Without entries, the stack is the identity.

    Attributes
    ----------
    outputs : int
        Width of the output.
    """

    def __init__(self, inputs: int, units: Sequence[int]):
        layers: list[nn.Module] = []
        for outputs in units:
            layers += [linear(inputs, outputs), nn.ReLU()]
            inputs = outputs
        super().__init__(*layers)
        self.outputs = inputs


class JointStack(nn.Module):
    """A ReLU stack with two inputs, a and h, whose first layer is relu(W_a a + W_h h + b).

    `project` computes W_a a + b.  A caller that knows `a` of all time steps can compute it for all of them in one
    product, outside the loop over time.

    Parameters
    ----------
    a_size, h_size : int
        Widths of the two inputs.
    units : sequence of int
        Width of each layer, first to last; at least one.
    """

    def __init__(self, a_size: int, h_size: int, units: Sequence[int]):
        super().__init__()
        self.project: nn.Module = linear(a_size, units[0])
        self.from_h = linear(h_size, units[0], bias=False)
        self.rest = ReLUStack(units[0], units[1:])
        self.outputs = units[-1]

    def forward(self, projected: Tensor, h: Tensor) -> Tensor:
        """Return the output [..., units[-1]] for `project(a)` [..., units[0]] and h [..., h_size]."""
        hidden: Tensor = self.rest(torch.relu(self.join(projected, h)))
        return hidden

    def join(self, projected: Tensor, h: Tensor) -> Tensor:
        """Return the sum of the contributions of both inputs to the first layer, [..., units[0]]."""
        joined: Tensor = projected + self.from_h(h)
        return joined
