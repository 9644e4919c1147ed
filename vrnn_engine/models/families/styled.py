"""A VRNN with a style: dimensions of z that are drawn once and held, as in Li & Mandt 2018's static latent.

    p(s) = N(0, I)   q(s | x_1 .. x_t) = N(0, I) x a Gaussian for each frame, all multiplied (Wu & Goodman 2018)

z is [s, z_t], and nothing else changes: s is the latent's first part to all who read or steer it.  Each observed frame
gives a precision and a precision times a mean, and their sums are carried.  So what is observed step by step has the
style of what came so far, and generating goes on in it; with nothing observed, the first frame's noise decides.

An unroll takes the style from all of its frames at once: KL(q(s | .. x_T) || q(s | .. x_0)) is paid on the first.  Both
are bounds of the likelihood, an unroll of one frame being the step.
"""

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from vrnn_engine.models.conditionals import Encoder, Prior
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.families.vrnn import VRNN
from vrnn_engine.models.layers import linear
from vrnn_engine.models.normal import Normal, positive
from vrnn_engine.models.recurrent import FrameFeatures, State

PRECISION_BIAS, MEAN_RANGE = -1.0, 0.5
"""What a frame starts to say of the style: much, and unlike others.  From the small weights of the other layers a style
starts as noise, which nothing learns to read."""


class StyledVRNN(VRNN):
    """`State.latent` is the style's noise, and the sums of precisions and of precisions times means, [B, 3 S]."""

    uses = VRNN.uses | {"style_size"}

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.prior = StyledPrior(config)
        self.encoder = StyledEncoder(config)

    @property
    def kept_size(self) -> int:
        """Three values for each dimension of the style."""
        return 3 * self.config.style_size

    def condition(self, state: State) -> Tensor:
        """Return h and the sums."""
        return torch.cat([state.h, state.latent[..., self.config.style_size :]], dim=-1)

    def keep(self, state: State, latent: Tensor, noise: Tensor, seen: FrameFeatures | None = None) -> Tensor:
        """Return the style's noise and the sums, a frame further where one was observed."""
        size = self.config.style_size
        sums = state.latent[..., size:]
        if seen is not None:
            sums = sums + seen.encoder[..., -2 * size :]
        return torch.cat([noise[..., :size], sums], dim=-1)

    def noise_of(self, state: State, noise: Tensor) -> Tensor:
        """Return the noise of the style that is held, unless this is the first frame."""
        size = self.config.style_size
        held = state.latent[..., :size]
        return torch.cat([torch.where(held == 0, noise[..., :size], held), noise[..., size:]], dim=-1)

    def look_ahead(self, features: FrameFeatures, noise: Tensor) -> tuple[FrameFeatures, Tensor]:
        """Give the first frame what all of them say of the style, and all of them its noise."""
        size = self.config.style_size
        rest, evidence = features.encoder[..., : -2 * size], features.encoder[..., -2 * size :]
        first = torch.cat([evidence.sum(0, keepdim=True), torch.zeros_like(evidence[1:])])
        held = noise[:1, ..., :size].expand(*noise.shape[:-1], size)
        encoder = torch.cat([rest, first], dim=-1)
        return features._replace(encoder=encoder), torch.cat([held, noise[..., size:]], dim=-1)


class StyledPrior(Prior):
    """The style as far as it is known, and p(z_t | h)."""

    def __init__(self, config: ModelConfig):
        super().__init__(_without_style(config), config.recurrent_size)
        self.style_size = config.style_size

    def forward(self, condition: Tensor) -> Normal:
        """[..., H + 2 S] -> Normal of [..., Z]."""
        h, sums = condition[..., : -2 * self.style_size], condition[..., -2 * self.style_size :]
        return _side_by_side(_product(sums), super().forward(h))


class StyledEncoder(Encoder):
    """The style with what the frame says of it, and q(z_t | x_t, h)."""

    def __init__(self, config: ModelConfig):
        super().__init__(_without_style(config), config.recurrent_size)
        self.style_size = config.style_size
        self.precision = linear(config.phi_x[-1], config.style_size)
        self.mean = linear(config.phi_x[-1], config.style_size)
        nn.init.constant_(self.precision.bias, PRECISION_BIAS)
        nn.init.uniform_(self.mean.weight, -MEAN_RANGE, MEAN_RANGE)

    def project(self, phi: Tensor) -> Tensor:
        """phi_x(x) [..., .] -> its part of the first layer, and the frame's two summands, [..., E + 2 S]."""
        precision = positive(self.precision(phi))
        return torch.cat([super().project(phi), precision, precision * self.mean(phi)], dim=-1)

    def forward(self, projected: Tensor, condition: Tensor) -> Normal:
        """[..., E + 2 S] (from `project`) and [..., H + 2 S] -> Normal of [..., Z]."""
        size = 2 * self.style_size
        style = _product(condition[..., -size:] + projected[..., -size:])
        return _side_by_side(style, super().forward(projected[..., :-size], condition[..., :-size]))


def _without_style(config: ModelConfig) -> ModelConfig:
    return replace(config, latent_size=config.latent_size - config.style_size, style_size=0)


def _product(sums: Tensor) -> Normal:
    """N(0, I) times the Gaussians with these sums of precisions and of precisions times means, [..., 2 S]."""
    precision, weighted = sums.chunk(2, dim=-1)
    return Normal(weighted / (1 + precision), 1 / torch.sqrt(1 + precision))


def _side_by_side(a: Normal, b: Normal) -> Normal:
    return Normal(torch.cat([a.mean, b.mean], dim=-1), torch.cat([a.std, b.std], dim=-1))


FAMILIES = {"styled-vrnn": StyledVRNN}
