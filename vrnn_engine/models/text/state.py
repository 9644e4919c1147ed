"""The state of a text-conditioned model, and the results of its step and of its unroll."""

from typing import NamedTuple

from torch import Tensor

from vrnn_engine.models.normal import Normal


class TextState(NamedTuple):
    """The state that a text-conditioned model carries from frame to frame."""

    h: Tensor
    """Outputs of both layers side by side, the reader first, [B, H]."""
    c: Tensor
    """Cells of both layers, [B, H]."""
    position: Tensor
    """Position of the attention in characters, minus START, so that it begins at 0, [B, 1]."""
    window: Tensor
    """What the attention read last, [B, E]."""
    latent: Tensor
    """Noise of the line's latent; 0 before it is drawn, [B, Z]."""
    past: Tensor
    """The last observed frames, oldest first, [B, (style_frames - 1) * F]."""
    summary: Tensor
    """Number of observed frames, and the sum of their phi_x, [B, 1 + S]."""


class TextUnroll(NamedTuple):
    """Result of a teacher-forced pass over T frames of whole lines."""

    log_likelihood: Tensor
    """log p(x | z, h) of the normalised points, [T, B], in nats."""
    kl: Tensor
    """KL(q(z | line) || p(z)) at the first frame of each line, 0 at the others, [T, B], in nats."""
    posterior: Normal
    """q(z | line), [B, Z]."""
    latent: Tensor
    """z of each line, [B, Z]."""
    position: Tensor
    """Position after each frame, in characters, [T, B, 1]."""
    attention: Tensor
    """Attention after each frame, [T, B, U]."""
    old_h: Tensor
    """h before each frame, which the decoder reads, [T, B, H]."""
    state: TextState
    """The state after the last frame."""


class TextGeneration(NamedTuple):
    """Result of generating a frame."""

    frame: Tensor
    """The frame, normalised, [B, F]."""
    prior: Normal
    """Distribution of z given the observed frames, [B, Z]."""
    latent: Tensor
    """z, [B, Z]."""
    attention: Tensor
    """Attention after the frame, [B, U]."""
    state: TextState
    """The next state."""


class TextInference(NamedTuple):
    """Result of observing a frame."""

    posterior: Normal
    """Distribution of z given the observed frames, this one included, [B, Z]."""
    latent: Tensor
    """z, [B, Z]."""
    attention: Tensor
    """Attention after the frame, [B, U]."""
    state: TextState
    """The next state."""
