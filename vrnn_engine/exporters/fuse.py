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

A text-conditioned model computes the gates of each layer in one product.  Its latent is constant in a line, but
phi_z(z) is not part of the state, because the controls of the latent may change z in any frame; encoder and phi_z have
less than 1 % of the weights.
"""

import copy

import torch
from torch import Tensor, nn

from vrnn_engine.exporters.base_steps import BaseSteps
from vrnn_engine.exporters.protocol import StepModel
from vrnn_engine.models.conditionals import Recurrence
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.models.layers import JointStack


def fuse_products(steps: StepModel) -> StepModel:
    """Return a step model that computes the same outputs with fewer products.

    A step model that is not a `BaseSteps` is returned unchanged.
    """
    if not isinstance(steps, BaseSteps):
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
    if isinstance(fused.model, TextVRNN):
        fused.model = _OneProductText(fused.model)
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


class _OneProductText(TextVRNN):
    def __init__(self, separate: TextVRNN):
        nn.Module.__init__(self)
        self.config, self.text, self.sizes = separate.config, separate.text, separate.sizes
        for name, part in separate.named_children():
            setattr(self, name, part)
        self.reader_recurrent = separate.reader_recurrent
        self.reader = _concatenate(separate.reader_from_x, separate.reader_from_z, separate.reader_recurrent)
        self.writer = _concatenate(separate.writer_from_x, separate.writer_from_z, separate.writer_recurrent)

    def reader_gates(self, frame: Tensor, z_features: Tensor, seen: Tensor) -> Tensor:
        gates: Tensor = self.reader(torch.cat([frame, z_features, seen], dim=-1))
        return gates

    def writer_gates(self, below: Tensor, z_features: Tensor, h: Tensor) -> Tensor:
        gates: Tensor = self.writer(torch.cat([below, z_features, h], dim=-1))
        return gates


def _concatenate(*parts: nn.Module | Tensor | None) -> nn.Linear:
    """Return one linear map of concatenated inputs that equals the sum of several maps; the first map has the bias."""
    maps = [part for part in parts if isinstance(part, nn.Linear)]
    weight = torch.cat([one.weight for one in maps] + [one for one in parts if isinstance(one, Tensor)], dim=1)
    whole = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    whole.weight, whole.bias = nn.Parameter(weight), maps[0].bias
    return whole
