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
from vrnn_engine.models.prediction import GatedLinearPrediction


class State(NamedTuple):
    """What is carried from frame to frame: the recurrence's `h` and `c`, both [B, H], and the `past`
    frames [B, P * F], newest first (width 0 without linear prediction)."""

    h: Tensor
    c: Tensor
    past: Tensor


class FrameFeatures(NamedTuple):
    """All that depends on the frame alone: its part of the encoder's first layer and of the gates; itself."""

    encoder: Tensor
    gates: Tensor
    frame: Tensor


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
    decoded: "Decoded"
    """What the decoder says of each frame."""
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


class Decoded(NamedTuple):
    """What a decoder says of a frame: where the past puts it, and how it is distributed about that."""

    predicted: Tensor | float
    parameters: NamedTuple


class Score(NamedTuple):
    """What a model makes of frames it has inferred: the prior, the KL and the log-likelihood, in nats, and
    what the decoder said."""

    prior: Normal
    kl: Tensor
    log_likelihood: Tensor
    decoded: Decoded


class Decoder(nn.Module):
    """p(x | phi_z(z), h); `output` is the distribution of what linear prediction leaves."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.stack = JointStack(config.phi_z[-1], config.recurrent_size, config.decoder)
        self.output = build_output(config, self.stack.outputs)
        self.prediction = (
            GatedLinearPrediction(config.prediction, self.stack.outputs, config.frame_size)
            if config.prediction
            else None
        )

    def forward(self, z_features: Tensor, h: Tensor, past: Tensor) -> Decoded:
        """phi_z(z) [..., .], [..., H] and [..., P * F] -> Decoded."""
        features = self.stack(self.stack.project(z_features), h)
        return Decoded(self.prediction(features, past) if self.prediction else 0.0, self.output(features))

    def log_prob(self, decoded: Decoded, x: Tensor) -> Tensor:
        """Return the log density of x, [..., F] -> [...], in nats."""
        value: Tensor = self.output.log_prob(decoded.parameters, x - decoded.predicted)  # type: ignore[operator]
        return value

    def sample(self, decoded: Decoded, noise: OutputNoise) -> Tensor:
        """Return a frame [..., F]."""
        value: Tensor = decoded.predicted + self.output.sample(decoded.parameters, noise)  # type: ignore[operator]
        return value


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

    def forward(self, x_gates: Tensor, z_features: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 4H], [B, .], [B, H], [B, H] -> the next h and c; gates: input, forget, output, candidate."""
        gates = x_gates + self.from_z(z_features) + self.from_h(h)
        size = h.shape[-1]
        enter, keep, show = torch.sigmoid(gates[..., : 3 * size]).chunk(3, dim=-1)
        c = keep * c + enter * torch.tanh(gates[..., 3 * size :])
        return show * torch.tanh(c), c


class VRNN(nn.Module):
    """The model in its frame basis; tensors are normalised and time comes first."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.basis = build_basis(config)
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
        weight = self.recurrence.from_h.weight
        zeros = weight.new_zeros(rows, self.config.recurrent_size)
        return State(zeros, zeros, weight.new_zeros(rows, self.config.past_size))

    def features(self, frame: Tensor) -> FrameFeatures:
        """Frames in the basis, [..., F] -> all that depends on them alone."""
        k = self.config.input_compression
        seen = torch.sign(frame) * in_fours(torch.log, 1 + k * frame.abs()) if k else frame
        phi = self.phi_x(seen)
        return FrameFeatures(self.encoder.stack.project(phi), self.recurrence.from_x(phi), frame)

    def infer(
        self, features: FrameFeatures, state: State, noise: Tensor, controls: LatentControls | None = None
    ) -> Inference:
        """Observe one frame: draw z from the posterior with noise [B, Z] and advance the state."""
        posterior = self.encoder(features.encoder, state.h)
        latent = draw_latent(posterior, noise, controls)
        z_features = self.phi_z(latent)
        return Inference(posterior, latent, z_features, self.advance(features, z_features, state))

    def advance(self, features: FrameFeatures, z_features: Tensor, state: State) -> State:
        """Take the new x and z into the state."""
        h, c = self.recurrence(features.gates, z_features, state.h, state.c)
        return State(h, c, self.remember(features.frame, state.past))

    def remember(self, frame: Tensor, past: Tensor) -> Tensor:
        """Put a frame [B, F] before the past ones [B, P * F], and forget the oldest."""
        return torch.cat([frame, past], dim=-1)[..., : self.config.past_size]

    def generate(
        self, state: State, latent_noise: Tensor, output_noise: OutputNoise, controls: LatentControls | None = None
    ) -> Generation:
        """Generate one frame: z from the prior, x from the decoder, and advance the state."""
        prior = self.prior(state.h)
        latent = draw_latent(prior, latent_noise, controls)
        z_features = self.phi_z(latent)
        frame = self.decoder.sample(self.decoder(z_features, state.h, state.past), output_noise)
        return Generation(frame, prior, latent, self.advance(self.features(frame), z_features, state))

    def score(self, frame: Tensor, inference: Inference, h: Tensor, past: Tensor) -> Score:
        """Judge frames inferred from the old h and past."""
        prior = self.prior(h)
        decoded = self.decoder(inference.z_features, h, past)
        log_likelihood = self.decoder.log_prob(decoded, frame) + self.basis.log_det
        return Score(prior, kl_divergence(inference.posterior, prior), log_likelihood, decoded)

    def unroll(self, frames: Tensor, noise: Tensor, state: State | None = None, shown: Tensor | None = None) -> Unroll:
        """Teacher-forced pass over frames in the basis.

        Parameters
        ----------
        frames : Tensor
            [T, B, F], in the basis (`self.basis.frames` of the normalised signal).
        noise : Tensor
            [T, B, Z], standard normal.
        state : State, optional
            Carried from earlier frames; zeros by default.
        shown : Tensor, optional
            [T, B, F], what the gates of the recurrence are shown instead of the frames, as in scheduled
            sampling; the encoder, linear prediction and the likelihood have the true ones all the same.
        """
        state = state or self.initial_state(frames.shape[1])
        features = self.features(frames)
        if shown is not None:
            # Not the past of linear prediction: a true frame does not continue the phases of a drawn one.
            features = features._replace(gates=self.features(shown).gates)
        old_h, old_past, steps = [], [], []
        # Only the encoder, phi_z and the recurrence are sequential; prior and decoder follow at once.
        for encoder, gates, frame, eps in zip(*features, noise, strict=True):
            step = self.infer(FrameFeatures(encoder, gates, frame), state, eps)
            old_h.append(state.h)
            old_past.append(state.past)
            steps.append(step)
            state = step.state
        h = torch.stack(old_h)
        joined = Inference(
            Normal(torch.stack([s.posterior.mean for s in steps]), torch.stack([s.posterior.std for s in steps])),
            torch.stack([s.latent for s in steps]),
            torch.stack([s.z_features for s in steps]),
            state,
        )
        score = self.score(frames, joined, h, torch.stack(old_past))
        return Unroll(
            score.log_likelihood, score.kl, joined.posterior, score.prior, joined.latent, h, score.decoded, state
        )

    def resample(self, unroll: Unroll, noise: OutputNoise) -> Tensor:
        """Draw every frame of an unroll anew from the decoder, given the latents it had: [T, B, F]."""
        return self.decoder.sample(unroll.decoded, noise)


def draw_latent(normal: Normal, noise: Tensor, controls: LatentControls | None) -> Tensor:
    """Sample z [B, Z] and steer it: temperature, then shift, then hold towards the target."""
    if controls is None:
        return normal.mean + normal.std * noise
    latent = normal.mean + controls.temperature * normal.std * noise + controls.shift
    return (1 - controls.hold) * latent + controls.hold * controls.target


def build_model(config: ModelConfig) -> VRNN:
    """Return a freshly initialised model."""
    return VRNN(config)
