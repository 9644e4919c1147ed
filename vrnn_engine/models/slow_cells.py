"""Slow cells: the first cells of a recurrence with fixed gates, so that they remember what was so on average.

A cell with the input gate 1 / T and the forget gate 1 - 1 / T is a leaky average of its candidates over T frames (Mozer
1992; Mikolov et al. 2015).  Gates that have to learn to hold something for longer than a chunk of training never see
what it would be good for; an average over any time is learned from a few frames of it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import SlowCells


def slow_down(cells: SlowCells, gates: Sequence[nn.Linear], size: int) -> None:
    """Fix the gates of the first cells.

    Parameters
    ----------
    cells : SlowCells
    gates : sequence of Linear
        Maps whose sum is the gates [4 * size], input and forget first; the first map has the bias.
    size : int
        H, all cells.
    """
    frames = torch.logspace(math.log10(cells.shortest), math.log10(cells.longest), cells.count)
    odds = torch.log(frames - 1)  # of the forget gate's sigmoid
    held = torch.zeros(4 * size, 1)
    held[: cells.count] = held[size : size + cells.count] = 1
    for gate in gates:
        _hold_at_zero(gate.weight, held)
    _hold_at_zero(gates[0].bias, held[:, 0])
    with torch.no_grad():
        gates[0].bias[: cells.count] = -odds
        gates[0].bias[size : size + cells.count] = odds


def _hold_at_zero(weight: Tensor, held: Tensor) -> None:
    with torch.no_grad():
        weight.mul_(1 - held)
    weight.register_hook(lambda gradient: gradient * (1 - held.to(gradient)))
