"""The conditionals that every family is put together from: prior, encoder, decoder, recurrence.

Where a model has no latents, z and all that is said of it have width zero, and its phi_z is empty.
"""

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import JointStack, ReLUStack, linear, single
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import Normal, NormalHead
from vrnn_engine.models.outputs import MixtureOutput, Parameters, build_output
from vrnn_engine.models.slow_cells import slow_down
from vrnn_engine.models.source_filter import Heard


class Prior(nn.Module):
    """p(z | condition)."""

    def __init__(self, config: ModelConfig, inputs: int):
        super().__init__()
        self.stack = ReLUStack(inputs, config.prior)
        self.head = NormalHead(self.stack.outputs, config.latent_size)

    def forward(self, condition: Tensor) -> Normal:
        """[..., inputs] -> Normal of [..., Z]."""
        normal: Normal = self.head(self.stack(condition))
        return normal


class StandardPrior(nn.Module):
    """p(z) = N(0, I), whatever the condition."""

    def __init__(self, latent_size: int):
        super().__init__()
        self.latent_size = latent_size

    def forward(self, condition: Tensor) -> Normal:
        """[..., inputs] -> Normal of [..., Z]."""
        mean = condition.new_zeros(()).expand(*condition.shape[:-1], self.latent_size)
        return Normal(mean, mean + 1)


class Encoder(nn.Module):
    """q(z | x, condition)."""

    def __init__(self, config: ModelConfig, inputs: int):
        super().__init__()
        self.stack = JointStack(config.phi_x[-1], inputs, config.encoder)
        self.head = NormalHead(self.stack.outputs, config.latent_size)

    def project(self, phi: Tensor) -> Tensor:
        """phi_x(x) [..., .] -> its part of the first layer [..., E]."""
        part: Tensor = self.stack.project(phi)
        return part

    def forward(self, projected: Tensor, condition: Tensor) -> Normal:
        """[..., E] (from `project`) and [..., inputs] -> Normal of [..., Z]."""
        normal: Normal = self.head(self.stack(projected, condition))
        return normal


class NoLatent(nn.Module):
    """Prior and encoder of a model without latents: a Normal of width zero."""

    def project(self, phi: Tensor) -> Tensor:
        """Take nothing of x."""
        return phi[..., :0]

    def forward(self, *inputs: Tensor) -> Normal:
        """[..., .] -> Normal of [..., 0]."""
        nothing = inputs[-1][..., :0]
        return Normal(nothing, nothing)


class Decoder(nn.Module):
    """p(x | phi_z(z), h), and of the past frames where the `output` reads them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.recurrent_size
        self.stack: JointStack | ReLUStack = (
            JointStack(config.phi_z[-1], size, config.decoder) if config.phi_z else ReLUStack(size, config.decoder)
        )
        self.output = build_output(config, self.stack.outputs)

    def forward(self, z_features: Tensor, h: Tensor, past: Heard) -> Parameters:
        """phi_z(z) [..., .], [..., H] and what was heard -> the parameters of `output`."""
        parameters: Parameters = self.output(self.features(z_features, h), past)
        return parameters

    def draw(self, z_features: Tensor, h: Tensor, past: Heard, noise: OutputNoise) -> Tensor:
        """phi_z(z) [B, .], [B, H] and what was heard -> a frame [B, F]."""
        features = self.features(z_features, h)
        if isinstance(self.output, MixtureOutput):  # which has much to compute that a frame does not show
            return self.output.draw(features, noise)
        frame: Tensor = self.output.sample(self.output(features, past), noise)
        return frame

    def features(self, z_features: Tensor, h: Tensor) -> Tensor:
        """phi_z(z) [..., .] and [..., H] -> what `output` reads, [..., .]."""
        features: Tensor = (
            self.stack(self.stack.project(z_features), h) if isinstance(self.stack, JointStack) else self.stack(h)
        )
        return features


class Recurrence(nn.Module):
    """An LSTM cell over [phi_x(x), phi_z(z)], with the frame's share of the gates given ready.

    Without `reads_z` it is one over phi_x(x) alone.
    """

    def __init__(self, config: ModelConfig, reads_z: bool = True):
        super().__init__()
        size = config.recurrent_size
        from_x = linear(config.phi_x[-1], 4 * size)
        self.from_x: nn.Module = from_x
        self.from_z = linear(config.phi_z[-1], 4 * size, bias=False) if reads_z else None
        self.from_h = linear(size, 4 * size, bias=False)
        for gate in self.from_h.weight.split(size):
            nn.init.orthogonal_(gate)
        if config.slow_cells:
            slow_down(
                config.slow_cells, [part for part in (from_x, self.from_z, self.from_h) if part is not None], size
            )

    def forward(self, x_gates: Tensor, z_features: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 4H], [B, .], [B, H], [B, H] -> the next h and c; gates: input, forget, output, candidate."""
        gates, size = single(self.join(x_gates, z_features, h)), h.shape[-1]
        enter, keep, show = torch.sigmoid(gates[..., : 3 * size]).chunk(3, dim=-1)
        c = keep * c + enter * torch.tanh(gates[..., 3 * size :])
        return show * torch.tanh(c), c

    def join(self, x_gates: Tensor, z_features: Tensor, h: Tensor) -> Tensor:
        """Return the sum of what each input contributes to the gates, [B, 4H]."""
        from_z = self.from_z(z_features) if self.from_z is not None else 0.0
        gates: Tensor = x_gates + from_z + self.from_h(h)
        return gates
