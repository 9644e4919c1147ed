"""Gated linear prediction: what of a frame follows linearly from the frames before it.

The coefficients of a steady tone in neighbouring MDCT frames are linear functions of each other, which
depend on its frequency.  A recurrence that is shown compressed magnitudes cannot carry their signs;
without them the phases of neighbouring frames do not fit, and low tones leak into bins where the signal
has nothing.  So the decoder mixes K linear predictors by a softmax of its features.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import LinearPrediction
from vrnn_engine.models.layers import linear


class GatedLinearPrediction(nn.Module):
    """Features and past frames -> a prediction of the frame."""

    def __init__(self, config: LinearPrediction, features: int, frame_size: int):
        super().__init__()
        self.config, self.frame_size = config, frame_size
        self.gates = linear(features, config.predictors)
        self.predictors = linear(config.frames * config.bins, config.predictors * config.bins, bias=False)
        nn.init.uniform_(self.predictors.weight, -0.01, 0.01)

    def forward(self, features: Tensor, past: Tensor) -> Tensor:
        """[..., features], [..., P * F] (newest frame first) -> [..., F], zero above the M-th bin."""
        c = self.config
        low = past.unflatten(-1, (c.frames, self.frame_size))[..., : c.bins].flatten(-2)
        gates = torch.softmax(self.gates(features), dim=-1)
        # The sum over predictors is taken inside one product of [gates x past]: onnxruntime's own sum
        # over an axis adds in an order that depends on the batch, its product does not.
        gated = (gates.unsqueeze(-1) * low.unsqueeze(-2)).flatten(-2)
        weight = self.predictors.weight.unflatten(0, (c.predictors, c.bins)).transpose(0, 1).flatten(1)
        mixed = functional.linear(gated, weight)
        return functional.pad(mixed, (0, self.frame_size - c.bins))
