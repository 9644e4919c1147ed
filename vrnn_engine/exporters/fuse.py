"""Products whose sum is taken, as one product of their inputs side by side: what a step is traced from.

    W_a a + W_h h + b = [W_a W_h] [a, h] + b

The models keep them apart, since training takes what depends on the frame alone out of the loop.  In a step they read
as many weights either way, but three products of the gates and the sums of them become one node of the graph: a step
of `iamondb` takes 0.98 of the time in fp32 and 0.9 in 8 and 4 bits (0.8 for 16 rows), one of `blizzard` as long and
0.95, and one of `blizzard-paper`, which waits for its weights, as long in all of them (onnxruntime 1.31, one core).

Products that share an input (the prior's, the decoder's and the gates' share h) stay apart.  As one product, cut into
its parts, they took 0.96 to 1.08 of the time for one row, and up to 1.04 for 16: what a product less saves, the
cutting costs.
"""

import copy

import torch
from torch import Tensor, nn

from vrnn_engine.exporters.protocol import StepModel
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.models.conditionals import Recurrence
from vrnn_engine.models.layers import JointStack


def fuse(steps: StepModel) -> StepModel:
    """Return the same steps, to be traced; those that are no model of this package's as they are."""
    if not isinstance(steps, RecurrentSteps):
        return steps
    weights = [*steps.model.parameters(), *steps.model.buffers()]
    fused = copy.copy(steps)
    # The copy shares its weights, but for those that are put side by side.
    fused.model = copy.deepcopy(steps.model, {id(tensor): tensor for tensor in weights})
    for module in list(fused.model.modules()):
        for name, part in module.named_children():
            if isinstance(part, JointStack):
                setattr(module, name, _OneProductStack(part))
            elif isinstance(part, Recurrence):
                setattr(module, name, _OneProductRecurrence(part))
    return fused


class _OneProductStack(JointStack):
    def __init__(self, apart: JointStack):
        nn.Module.__init__(self)
        self.project = nn.Identity()
        self.both = _side_by_side(apart.project, apart.from_h)
        self.rest, self.outputs = apart.rest, apart.outputs

    def join(self, projected: Tensor, h: Tensor) -> Tensor:
        joined: Tensor = self.both(torch.cat([projected, h], dim=-1))
        return joined


class _OneProductRecurrence(Recurrence):
    def __init__(self, apart: Recurrence):
        nn.Module.__init__(self)
        self.from_x, self.from_z, self.from_h = nn.Identity(), apart.from_z, apart.from_h
        self.all = _side_by_side(apart.from_x, apart.from_z, apart.from_h)

    def join(self, x_gates: Tensor, z_features: Tensor, h: Tensor) -> Tensor:
        inputs = [x_gates, h] if self.from_z is None else [x_gates, z_features, h]
        joined: Tensor = self.all(torch.cat(inputs, dim=-1))
        return joined


def _side_by_side(*parts: nn.Module | None) -> nn.Linear:
    """Return the sum of linear maps, the first of which has the bias, as one map of their inputs side by side."""
    maps = [part for part in parts if isinstance(part, nn.Linear)]
    weight = torch.cat([one.weight for one in maps], dim=1)
    whole = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    whole.weight, whole.bias = nn.Parameter(weight), maps[0].bias
    return whole
