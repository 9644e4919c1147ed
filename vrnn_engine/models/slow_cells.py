"""Slow cells: cells of the recurrence whose gates are fixed, so that they are averages over a long time.

A cell with the input gate 1 / T and the forget gate 1 - 1 / T is a leaky average of its candidates over T frames (Mozer
1992; Mikolov et al. 2015).  Backpropagation through time is truncated to a chunk of frames, so the loss does not teach
gates to remember for longer than a chunk.  The gates of an average are fixed instead, for any averaging time, and a few
frames are enough to learn how to use it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import SlowCells


def fix_slow_gates(cells: SlowCells, gates: Sequence[nn.Linear], size: int) -> None:
    """Fix the input and forget gates of the first cells, in place and during training.

    Parameters
    ----------
    cells : SlowCells
        Number of slow cells and their averaging times; the times are spaced evenly on a logarithmic scale.
    gates : sequence of nn.Linear
        Maps whose sum is the gates [4 * size], input and forget gates first; the first map has the bias.
    size : int
        H, the number of all cells.
    """
    frames = torch.logspace(math.log10(cells.shortest), math.log10(cells.longest), cells.count)
    odds = torch.log(frames - 1)  # logit of the forget gate
    frozen = torch.zeros(4 * size, 1)
    frozen[: cells.count] = frozen[size : size + cells.count] = 1
    for gate in gates:
        _freeze_at_zero(gate.weight, frozen)
    _freeze_at_zero(gates[0].bias, frozen[:, 0])
    with torch.no_grad():
        gates[0].bias[: cells.count] = -odds
        gates[0].bias[size : size + cells.count] = odds


def _freeze_at_zero(weight: Tensor, frozen: Tensor) -> None:
    with torch.no_grad():
        weight.mul_(1 - frozen)
    weight.register_hook(lambda gradient: gradient * (1 - frozen.to(gradient)))
