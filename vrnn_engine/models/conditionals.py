"""The parts of every family: prior, encoder, decoder and recurrence.

In a model without latents, z and its distributions have width zero, and phi_z has no layers.
"""

from typing import NamedTuple

from torch import Tensor, nn

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import JointStack, ReLUStack, linear, lstm_cell, to_float32
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import Normal, NormalHead
from vrnn_engine.models.outputs import MixtureOutput, Parameters, build_output
from vrnn_engine.models.slow_cells import fix_slow_gates
from vrnn_engine.models.source_filter import Heard


class Score(NamedTuple):
    """Both terms of the ELBO for observed frames, and the distributions from which they are computed."""

    prior: Normal
    """[..., Z]."""
    kl: Tensor
    """KL(q || p), [...], in nats."""
    log_likelihood: Tensor
    """log p(x | z, h) of the normalised signal, [...], in nats."""
    decoded: Parameters
    """Parameters of the output distribution."""


class Prior(nn.Module):
    """The prior p(z | condition), a diagonal Gaussian.

    Parameters
    ----------
    config : ModelConfig
        Gives the layers (`prior`) and Z (`latent_size`).
    inputs : int
        Width of the condition.
    """

    def __init__(self, config: ModelConfig, inputs: int):
        super().__init__()
        self.stack = ReLUStack(inputs, config.prior)
        self.head = NormalHead(self.stack.outputs, config.latent_size)

    def forward(self, condition: Tensor) -> Normal:
        """Return the Gaussian [..., Z] given a condition [..., inputs]."""
        normal: Normal = self.head(self.stack(condition))
        return normal


class StandardPrior(nn.Module):
    """The prior p(z) = N(0, I), which does not depend on its condition."""

    def __init__(self, latent_size: int):
        super().__init__()
        self.latent_size = latent_size

    def forward(self, condition: Tensor) -> Normal:
        """Return N(0, I), [..., Z]; only the shape of the condition [..., inputs] is used."""
        mean = condition.new_zeros(()).expand(*condition.shape[:-1], self.latent_size)
        return Normal(mean, mean + 1)


class Encoder(nn.Module):
    """The encoder, or approximate posterior, q(z | x, condition), a diagonal Gaussian.

    Parameters
    ----------
    config : ModelConfig
        Gives the layers (`encoder`), the width of phi_x and Z (`latent_size`).
    inputs : int
        Width of the condition.
    """

    def __init__(self, config: ModelConfig, inputs: int):
        super().__init__()
        self.stack = JointStack(config.phi_x[-1], inputs, config.encoder)
        self.head = NormalHead(self.stack.outputs, config.latent_size)

    def project(self, phi: Tensor) -> Tensor:
        """Return the contribution [..., E] of phi_x(x) [..., .] to the first layer."""
        part: Tensor = self.stack.project(phi)
        return part

    def forward(self, projected: Tensor, condition: Tensor) -> Normal:
        """Return the Gaussian [..., Z] given `project(phi_x(x))` [..., E] and a condition [..., inputs]."""
        normal: Normal = self.head(self.stack(projected, condition))
        return normal


class NoLatent(nn.Module):
    """Prior and encoder of a model without latents: a Gaussian of width zero."""

    def project(self, phi: Tensor) -> Tensor:
        """Return a tensor [..., 0]."""
        return phi[..., :0]

    def forward(self, *inputs: Tensor) -> Normal:
        """Return a Gaussian [..., 0]; the last input [..., .] gives its shape."""
        nothing = inputs[-1][..., :0]
        return Normal(nothing, nothing)


class Decoder(nn.Module):
    """The decoder p(x | phi_z(z), h, past frames); only the source-filter output reads past frames.

    Parameters
    ----------
    config : ModelConfig
        Gives the layers (`decoder`) and the output distribution.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.recurrent_size
        self.stack: JointStack | ReLUStack = (
            JointStack(config.phi_z[-1], size, config.decoder) if config.phi_z else ReLUStack(size, config.decoder)
        )
        self.output = build_output(config, self.stack.outputs)

    def forward(self, z_features: Tensor, h: Tensor, past: Heard) -> Parameters:
        """Return the parameters of `output` for phi_z(z) [..., .], h [..., H] and the past."""
        parameters: Parameters = self.output(self.features(z_features, h), past)
        return parameters

    def draw(self, z_features: Tensor, h: Tensor, past: Heard, noise: OutputNoise) -> Tensor:
        """Sample a frame [B, F] for phi_z(z) [B, .], h [B, H] and the past."""
        features = self.features(z_features, h)
        if isinstance(self.output, MixtureOutput):  # computes only the component that it samples
            return self.output.draw(features, noise)
        frame: Tensor = self.output.sample(self.output(features, past), noise)
        return frame

    def features(self, z_features: Tensor, h: Tensor) -> Tensor:
        """Return the features [..., .] that `output` reads, for phi_z(z) [..., .] and h [..., H]."""
        features: Tensor = (
            self.stack(self.stack.project(z_features), h) if isinstance(self.stack, JointStack) else self.stack(h)
        )
        return features


class Recurrence(nn.Module):
    """An LSTM cell (Hochreiter and Schmidhuber 1997) that reads phi_x(x) and phi_z(z).

    The caller passes `from_x(phi_x(x))`, which it may have computed for all time steps in one product.  The order of
    the gates is input, forget, output, candidate.

    Parameters
    ----------
    config : ModelConfig
        Gives H (`recurrent_size`) and the widths of phi_x and phi_z.
    reads_z : bool
        Whether the cell reads phi_z(z).
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
            fix_slow_gates(
                config.slow_cells, [part for part in (from_x, self.from_z, self.from_h) if part is not None], size
            )

    def forward(self, x_gates: Tensor, z_features: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Advance the state.

        Parameters
        ----------
        x_gates : Tensor
            `from_x(phi_x(x))`, [B, 4 H].
        z_features : Tensor
            phi_z(z), [B, .].
        h, c : Tensor
            The old state, [B, H].

        Returns
        -------
        tuple of Tensor
            The new h and c, [B, H].
        """
        return lstm_cell(to_float32(self.join(x_gates, z_features, h)), c)

    def join(self, x_gates: Tensor, z_features: Tensor, h: Tensor) -> Tensor:
        """Return the sum [B, 4 H] of the contributions of the inputs to the gates."""
        from_z = self.from_z(z_features) if self.from_z is not None else 0.0
        gates: Tensor = x_gates + from_z + self.from_h(h)
        return gates
