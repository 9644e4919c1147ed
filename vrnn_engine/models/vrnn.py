"""The VRNN of Chung et al. 2015: one time step, written once, and the teacher-forced unroll over it.

    prior      p(z | h)              encoder  q(z | x, h)
    decoder    p(x | phi_z(z), h)    recurrence  (h, c) <- LSTM([phi_x(x), phi_z(z)], (h, c))

All conditionals read the *old* h; the recurrence takes the *new* x and z.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn_engine.models.basis import build_basis
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import JointStack, ReLUStack, linear
from vrnn_engine.models.normal import Normal, NormalHead, in_fours, kl_divergence
from vrnn_engine.models.outputs import Output, OutputNoise, build_output


class State(NamedTuple):
    """What the recurrence carries from frame to frame, both [B, H]."""

    h: Tensor
    c: Tensor


class FrameFeatures(NamedTuple):
    """All that depends on the frame alone: its part of the encoder's first layer and of the gates."""

    encoder: Tensor
    gates: Tensor


class LatentControls(NamedTuple):
    """How z is steered: `temperature` [B, 1]; `shift`, `hold`, `target` [B, Z]."""

    temperature: Tensor
    shift: Tensor
    hold: Tensor
    target: Tensor


class Inference(NamedTuple):
    """One observed frame: its posterior, the latent drawn from it, phi_z of that, and the next state."""

    posterior: Normal
    latent: Tensor
    z_features: Tensor
    state: State


class Generation(NamedTuple):
    """One generated frame [B, F] in the basis, its prior and latent, and the next state."""

    frame: Tensor
    prior: Normal
    latent: Tensor
    state: State


class Unroll(NamedTuple):
    """A teacher-forced pass over T frames: everything is [T, B, ...] but the last state."""

    log_likelihood: Tensor
    """log p(x | z, h) of the normalised signal, in nats."""
    kl: Tensor
    posterior: Normal
    prior: Normal
    latent: Tensor
    h: Tensor
    """The state that each frame was predicted from (the old h)."""
    state: State


class Prior(nn.Module):
    """p(z | h)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.stack = ReLUStack(config.recurrent_size, config.prior)
        self.head = NormalHead(self.stack.outputs, config.latent_size)

    def forward(self, h: Tensor) -> Normal:
        """[..., H] -> Normal of [..., Z]."""
        normal: Normal = self.head(self.stack(h))
        return normal


class Encoder(nn.Module):
    """q(z | x, h)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.stack = JointStack(config.phi_x[-1], config.recurrent_size, config.encoder)
        self.head = NormalHead(self.stack.outputs, config.latent_size)

    def forward(self, projected: Tensor, h: Tensor) -> Normal:
        """First-layer part of phi_x(x) [..., E] and [..., H] -> Normal of [..., Z]."""
        normal: Normal = self.head(self.stack(projected, h))
        return normal


class Decoder(nn.Module):
    """p(x | phi_z(z), h); gives the parameters of `self.output`."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.stack = JointStack(config.phi_z[-1], config.recurrent_size, config.decoder)
        self.output = build_output(config, self.stack.outputs)

    def forward(self, z_features: Tensor, h: Tensor) -> NamedTuple:
        """phi_z(z) [..., .] and [..., H] -> the output's parameters."""
        parameters: NamedTuple = self.output(self.stack(self.stack.project(z_features), h))
        return parameters


class Recurrence(nn.Module):
    """An LSTM cell over [phi_x(x), phi_z(z)], with the frame's share of the gates given ready."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.recurrent_size
        self.from_x = linear(config.phi_x[-1], 4 * size)
        self.from_z = linear(config.phi_z[-1], 4 * size, bias=False)
        self.from_h = linear(size, 4 * size, bias=False)
        for gate in self.from_h.weight.split(size):
            nn.init.orthogonal_(gate)

    def forward(self, x_gates: Tensor, z_features: Tensor, state: State) -> State:
        """[B, 4H], [B, .], State -> State; gates in the order input, forget, output, candidate."""
        gates = x_gates + self.from_z(z_features) + self.from_h(state.h)
        size = state.h.shape[-1]
        enter, keep, show = torch.sigmoid(gates[..., : 3 * size]).chunk(3, dim=-1)
        c = keep * state.c + enter * torch.tanh(gates[..., 3 * size :])
        return State(show * torch.tanh(c), c)


class VRNN(nn.Module):
    """The model in its frame basis; tensors are normalised and time comes first."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.basis = build_basis(config.basis, config.frame_size)
        self.phi_x = ReLUStack(config.frame_size, config.phi_x)
        self.phi_z = ReLUStack(config.latent_size, config.phi_z)
        self.prior = Prior(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.recurrence = Recurrence(config)

    @property
    def output(self) -> Output:
        """The output distribution."""
        return self.decoder.output  # type: ignore[return-value]

    def initial_state(self, rows: int) -> State:
        """Return the state before the first frame: zeros."""
        zeros = self.recurrence.from_h.weight.new_zeros(rows, self.config.recurrent_size)
        return State(zeros, zeros)

    def features(self, frame: Tensor) -> FrameFeatures:
        """Frames in the basis, [..., F] -> all that depends on them alone."""
        k = self.config.input_compression
        seen = torch.sign(frame) * in_fours(torch.log, 1 + k * frame.abs()) if k else frame
        phi = self.phi_x(seen)
        return FrameFeatures(self.encoder.stack.project(phi), self.recurrence.from_x(phi))

    def infer(
        self, features: FrameFeatures, state: State, noise: Tensor, controls: LatentControls | None = None
    ) -> Inference:
        """Observe one frame: draw z from the posterior with noise [B, Z] and advance the state."""
        posterior = self.encoder(features.encoder, state.h)
        latent = draw_latent(posterior, noise, controls)
        z_features = self.phi_z(latent)
        return Inference(posterior, latent, z_features, self.recurrence(features.gates, z_features, state))

    def generate(
        self, state: State, latent_noise: Tensor, output_noise: OutputNoise, controls: LatentControls | None = None
    ) -> Generation:
        """Generate one frame: z from the prior, x from the decoder, and advance the state."""
        prior = self.prior(state.h)
        latent = draw_latent(prior, latent_noise, controls)
        z_features = self.phi_z(latent)
        frame = self.output.sample(self.decoder(z_features, state.h), output_noise)
        state = self.recurrence(self.features(frame).gates, z_features, state)
        return Generation(frame, prior, latent, state)

    def score(self, frame: Tensor, inference: Inference, h: Tensor) -> tuple[Normal, Tensor, Tensor]:
        """Return the prior, the KL and the log-likelihood [...] of frames inferred from the old h."""
        prior = self.prior(h)
        log_likelihood = self.output.log_prob(self.decoder(inference.z_features, h), frame) + self.basis.log_det
        return prior, kl_divergence(inference.posterior, prior), log_likelihood

    def unroll(self, frames: Tensor, noise: Tensor, state: State | None = None) -> Unroll:
        """Teacher-forced pass over frames in the basis.

        Parameters
        ----------
        frames : Tensor
            [T, B, F], in the basis (`self.basis.frames` of the normalised signal).
        noise : Tensor
            [T, B, Z], standard normal.
        state : State, optional
            Carried from earlier frames; zeros by default.
        """
        state = state or self.initial_state(frames.shape[1])
        features = self.features(frames)
        old_h, steps = [], []
        # Only the encoder, phi_z and the recurrence are sequential; prior and decoder follow at once.
        for encoder, gates, eps in zip(features.encoder, features.gates, noise, strict=True):
            step = self.infer(FrameFeatures(encoder, gates), state, eps)
            old_h.append(state.h)
            steps.append(step)
            state = step.state
        h = torch.stack(old_h)
        joined = Inference(
            Normal(torch.stack([s.posterior.mean for s in steps]), torch.stack([s.posterior.std for s in steps])),
            torch.stack([s.latent for s in steps]),
            torch.stack([s.z_features for s in steps]),
            state,
        )
        prior, kl, log_likelihood = self.score(frames, joined, h)
        return Unroll(log_likelihood, kl, joined.posterior, prior, joined.latent, h, state)


def draw_latent(normal: Normal, noise: Tensor, controls: LatentControls | None) -> Tensor:
    """Sample z [B, Z] and steer it: temperature, then shift, then hold towards the target."""
    if controls is None:
        return normal.mean + normal.std * noise
    latent = normal.mean + controls.temperature * normal.std * noise + controls.shift
    return (1 - controls.hold) * latent + controls.hold * controls.target


def build_model(config: ModelConfig) -> VRNN:
    """Return a freshly initialised model."""
    return VRNN(config)
