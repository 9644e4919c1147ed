"""Combine sums of products into one product of concatenated inputs, before a step is traced.

    W_a a + W_h h + b = [W_a W_h] [a, h] + b

The models keep these products separate, since training computes the product that depends only on the frame outside the
loop over time.  In a step, both forms read the same weights, but one node replaces three products and two sums.  The
time of a step with this, relative to a step without it (onnxruntime 1.31, one core): `iamondb` 0.98 in fp32, and 0.9 in
8 and 4 bits (0.8 for 16 rows); `blizzard` 1 in fp32, and 0.95 in 8 and 4 bits; `blizzard-paper`, whose time is that of
reading its weights, 1 in all precisions.

Products that share an input (prior, decoder and gates share h) stay separate.  As one product whose output is split,
they took 0.96 to 1.08 times as long for one row, and up to 1.04 times for 16 rows: the split costs the time that the
product saves.
"""

import copy

import torch
from torch import Tensor, nn

from vrnn_engine.exporters.protocol import StepModel
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.models.conditionals import Recurrence
from vrnn_engine.models.layers import JointStack


def fuse_products(steps: StepModel) -> StepModel:
    """Return a step model that computes the same outputs with fewer products.

    A step model that is not a `RecurrentSteps` is returned unchanged.
    """
    if not isinstance(steps, RecurrentSteps):
        return steps
    weights = [*steps.model.parameters(), *steps.model.buffers()]
    fused = copy.copy(steps)
    # The copy shares all weights that are not concatenated.
    fused.model = copy.deepcopy(steps.model, {id(tensor): tensor for tensor in weights})
    for module in list(fused.model.modules()):
        for name, part in module.named_children():
            if isinstance(part, JointStack):
                setattr(module, name, _OneProductStack(part))
            elif isinstance(part, Recurrence):
                setattr(module, name, _OneProductRecurrence(part))
    return fused


class _OneProductStack(JointStack):
    def __init__(self, separate: JointStack):
        nn.Module.__init__(self)
        self.project = nn.Identity()
        self.both = _concatenate(separate.project, separate.from_h)
        self.rest, self.outputs = separate.rest, separate.outputs

    def join(self, projected: Tensor, h: Tensor) -> Tensor:
        joined: Tensor = self.both(torch.cat([projected, h], dim=-1))
        return joined


class _OneProductRecurrence(Recurrence):
    def __init__(self, separate: Recurrence):
        nn.Module.__init__(self)
        self.from_x, self.from_z, self.from_h = nn.Identity(), separate.from_z, separate.from_h
        self.all = _concatenate(separate.from_x, separate.from_z, separate.from_h)

    def join(self, x_gates: Tensor, z_features: Tensor, h: Tensor) -> Tensor:
        inputs = [x_gates, h] if self.from_z is None else [x_gates, z_features, h]
        joined: Tensor = self.all(torch.cat(inputs, dim=-1))
        return joined


def _concatenate(*parts: nn.Module | None) -> nn.Linear:
    """Return one linear map of concatenated inputs that equals the sum of several maps; the first map has the bias."""
    maps = [part for part in parts if isinstance(part, nn.Linear)]
    weight = torch.cat([one.weight for one in maps], dim=1)
    whole = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    whole.weight, whole.bias = nn.Parameter(weight), maps[0].bias
    return whole
