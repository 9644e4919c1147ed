"""Gated linear prediction: what of a frame follows linearly from the frames before it.

The coefficients of a steady tone in neighbouring MDCT frames are linear functions of each other, which
depend on its frequency.  A recurrence that is shown compressed magnitudes cannot carry their signs;
without them the phases of neighbouring frames do not fit, and low tones leak into bins where the signal
has nothing.  So K linear predictors are mixed by a softmax.

Which ones fit, the past frames tell themselves: the products of near coefficients within and between them
are what a tone's frequency does to its phase.  Over their mean square they do not depend on its level.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import LinearPrediction
from vrnn_engine.models.layers import JointStack, linear, single

REACH = 2
"""Bins between two coefficients that are multiplied, at most: a tone is in no more under the sine window."""
SILENCE = 1e-6
"""Mean square, of coefficients of variance one, below which the past is not normalised any further."""


class GatedLinearPrediction(nn.Module):
    """Features and past frames -> a prediction of the frame."""

    left: Tensor
    right: Tensor

    def __init__(self, config: LinearPrediction, features: int, frame_size: int):
        super().__init__()
        self.config, self.frame_size = config, frame_size
        self.stack: JointStack | None = None
        if config.gates:
            pairs = torch.tensor(_pairs(config.frames, config.bins))
            self.register_buffer("left", pairs[:, 0], persistent=False)
            self.register_buffer("right", pairs[:, 1], persistent=False)
            self.stack = JointStack(len(pairs), features, config.gates)
        self.gates = linear(config.gates[-1] if config.gates else features, config.predictors)
        self.predictors = linear(config.frames * config.bins, config.predictors * config.bins, bias=False)
        nn.init.uniform_(self.predictors.weight, -0.01, 0.01)

    def forward(self, features: Tensor, past: Tensor) -> Tensor:
        """[..., features], [..., P * F] (newest frame first) -> [..., F], zero above the M-th bin."""
        c = self.config
        low = past.unflatten(-1, (c.frames, self.frame_size))[..., : c.bins].flatten(-2)
        if self.stack:
            features = self.stack(self.stack.project(self.correlations(low)), features)
        gates = torch.softmax(self.gates(features), dim=-1)
        # The sum over predictors is taken inside one product of [gates x past]: onnxruntime's own sum
        # over an axis adds in an order that depends on the batch, its product does not.
        gated = (gates.unsqueeze(-1) * low.unsqueeze(-2)).flatten(-2)
        weight = self.predictors.weight.unflatten(0, (c.predictors, c.bins)).transpose(0, 1).flatten(1)
        mixed = single(functional.linear(gated, weight))
        return functional.pad(mixed, (0, self.frame_size - c.bins))

    def correlations(self, low: Tensor) -> Tensor:
        """[..., P * M] -> the products of near coefficients over their mean square, [..., pairs]."""
        average = low.new_full((low.shape[-1], 1), 1 / low.shape[-1])
        return low[..., self.left] * low[..., self.right] / ((low * low) @ average + SILENCE)


def _pairs(frames: int, bins: int) -> list[tuple[int, int]]:
    """Return places, among `frames` of `bins` each, of coefficients at most `REACH` bins apart; each pair once."""
    return [
        (i * bins + k, j * bins + other)
        for i in range(frames)
        for j in range(i, frames)
        for k in range(bins)
        for other in range(max(0, k - REACH), min(bins, k + REACH + 1))
        if i < j or k <= other
    ]
