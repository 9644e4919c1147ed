"""A recurrent model of frames: one time step, written once, and the teacher-forced unroll over it.

    prior      p(z | h)              encoder  q(z | x, h)
    decoder    p(x | phi_z(z), h)    recurrence  (h, c) <- LSTM([phi_x(x), phi_z(z)], (h, c))

All conditionals read the *old* state; the recurrence takes the *new* x and z.  This is the VRNN of Chung
et al. 2015; the families in `vrnn_engine.models.families` leave out or exchange parts of it.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vrnn_engine.models.analysis import Analysis
from vrnn_engine.models.basis import build_basis
from vrnn_engine.models.conditionals import (
    Decoder,
    Encoder,
    NoLatent,
    Prior,
    Recurrence,
    StandardPrior,
)
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import ReLUStack
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import Normal, in_fours, kl_divergence
from vrnn_engine.models.outputs import Output, Parameters
from vrnn_engine.models.source_filter import Heard


class State(NamedTuple):
    """What is carried from frame to frame; of width 0 where the model does not."""

    h: Tensor
    c: Tensor
    """Of the recurrence, both [B, H]."""
    past: Tensor
    """The last frames, oldest first, where the output reads them, [B, P * F]."""
    periodicity: Tensor
    """Of the newest of these, which phi_x was shown and the output reads as well, [B, L]."""
    latent: Tensor
    """The last z, [B, Z]."""

    @property
    def heard(self) -> Heard:
        """What the output reads of the past."""
        return Heard(self.past, self.periodicity)


class FrameFeatures(NamedTuple):
    """All that depends on the frame alone: its part of the encoder's first layer and of the gates; itself; and
    its periodicity."""

    encoder: Tensor
    gates: Tensor
    frame: Tensor
    periodicity: Tensor


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
    old: State
    """The state that each frame was predicted from."""
    decoded: Parameters
    """What the decoder says of each frame: the parameters of the output."""
    state: State


class Score(NamedTuple):
    """What a model makes of frames it has inferred: the prior, the KL and the log-likelihood, in nats, and
    what the decoder said."""

    prior: Normal
    kl: Tensor
    log_likelihood: Tensor
    decoded: Parameters


class RecurrentModel(nn.Module):
    """What all families share; tensors are in the frame basis and normalised, and time comes first.

    A family gives the conditionals, in its `__init__`, and says what of a `ModelConfig` it `uses`.
    """

    uses: ClassVar[frozenset[str]] = frozenset()
    """Which of latent_size, phi_z, encoder and prior a config of this family must have; the others it
    must not."""
    carries_latent: ClassVar[bool] = False
    """Whether the last z is part of the state."""
    phi_z: nn.Module
    prior: Prior | StandardPrior | NoLatent
    encoder: Encoder | NoLatent
    decoder: Decoder
    recurrence: Recurrence

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.basis = build_basis(config)
        self.analysis = (
            Analysis(config.source_filter, config.frame_size, config.emphasis) if config.source_filter else None
        )
        self.phi_x = ReLUStack(self.analysis.size if self.analysis else config.frame_size, config.phi_x)

    @property
    def output(self) -> Output:
        """The output distribution."""
        return self.decoder.output

    def condition(self, state: State) -> Tensor:
        """Return what of the old state the prior and the encoder read, [..., .]."""
        return state.h

    def initial_state(self, rows: int) -> State:
        """Return the state before the first frame: zeros."""
        weight = self.recurrence.from_h.weight
        zeros = weight.new_zeros(rows, self.config.recurrent_size)
        latent = self.config.latent_size if self.carries_latent else 0
        periods = self.config.source_filter.periods if self.config.source_filter else 0
        widths = (self.config.past_size, periods, latent)
        return State(zeros, zeros, *(weight.new_zeros(rows, width) for width in widths))

    def features(self, frame: Tensor, past: Tensor) -> FrameFeatures:
        """Frames in the basis [..., F] and those before them [..., P * F] -> all that depends on them alone."""
        k, periodicity = self.config.input_compression, frame[..., :0]
        if self.analysis:
            heard, periodicity = self.analysis(self.remember(frame, past))
            seen = torch.cat([heard, periodicity], dim=-1)
        else:
            seen = torch.sign(frame) * in_fours(torch.log, 1 + k * frame.abs()) if k else frame
        phi = self.phi_x(seen)
        return FrameFeatures(self.encoder.project(phi), self.recurrence.from_x(phi), frame, periodicity)

    def infer(
        self, features: FrameFeatures, state: State, noise: Tensor, controls: LatentControls | None = None
    ) -> Inference:
        """Observe one frame: draw z from the posterior with noise [B, Z] and advance the state."""
        posterior = self.encoder(features.encoder, self.condition(state))
        latent = draw_latent(posterior, noise, controls)
        z_features = self.phi_z(latent)
        return Inference(posterior, latent, z_features, self.advance(features, latent, z_features, state))

    def advance(self, features: FrameFeatures, latent: Tensor, z_features: Tensor, state: State) -> State:
        """Take the new x and z into the state."""
        h, c = self.recurrence(features.gates, z_features, state.h, state.c)
        past = self.remember(features.frame, state.past)
        return State(h, c, past, features.periodicity, latent if self.carries_latent else state.latent)

    def remember(self, frame: Tensor, past: Tensor) -> Tensor:
        """Put a frame [..., F] after the past ones [..., P * F], and forget the oldest."""
        return torch.cat([past, frame], dim=-1)[..., self.config.frame_size :]

    def pasts(self, frames: Tensor, past: Tensor) -> Tensor:
        """Return what is before each of the frames [T, B, F]: [T, B, P * F], oldest first."""
        if not self.config.past_size:
            return frames[..., :0]
        before = past.unflatten(-1, (-1, self.config.frame_size)).movedim(-2, 0)
        chain, length = torch.cat([before, frames]), len(frames)
        return torch.cat([chain[k : k + length] for k in range(len(before))], dim=-1)

    def generate(
        self, state: State, latent_noise: Tensor, output_noise: OutputNoise, controls: LatentControls | None = None
    ) -> Generation:
        """Generate one frame: z from the prior, x from the decoder, and advance the state."""
        prior = self.prior(self.condition(state))
        latent = draw_latent(prior, latent_noise, controls)
        z_features = self.phi_z(latent)
        frame = self.decoder.draw(z_features, state.h, state.heard, output_noise)
        return Generation(
            frame, prior, latent, self.advance(self.features(frame, state.past), latent, z_features, state)
        )

    def score(self, frame: Tensor, inference: Inference, old: State) -> Score:
        """Judge frames inferred from the old state."""
        prior = self.prior(self.condition(old))
        decoded = self.decoder(inference.z_features, old.h, old.heard)
        log_likelihood = self.output.log_prob(decoded, frame) + self.basis.log_det
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
            sampling; the encoder, the past frames and the likelihood have the true ones all the same.
        """
        state = state or self.initial_state(frames.shape[1])
        pasts = self.pasts(frames, state.past)
        features = self.features(frames, pasts)
        if shown is not None:
            # Not the past: a true frame does not continue the phases of a drawn one.
            features = features._replace(gates=self.features(shown, pasts).gates)
        olds, steps = [], []
        # Only the encoder, phi_z and the recurrence are sequential; prior and decoder follow at once.
        for *of_frame, eps in zip(*features, noise, strict=True):
            step = self.infer(FrameFeatures(*of_frame), state, eps)
            olds.append(state)
            steps.append(step)
            state = step.state
        old = State(*(torch.stack(parts) for parts in zip(*olds, strict=True)))
        joined = Inference(
            Normal(torch.stack([s.posterior.mean for s in steps]), torch.stack([s.posterior.std for s in steps])),
            torch.stack([s.latent for s in steps]),
            torch.stack([s.z_features for s in steps]),
            state,
        )
        score = self.score(frames, joined, old)
        return Unroll(
            score.log_likelihood, score.kl, joined.posterior, score.prior, joined.latent, old, score.decoded, state
        )

    def resample(self, unroll: Unroll, noise: OutputNoise) -> Tensor:
        """Draw every frame of an unroll anew from the decoder, given the latents it had: [T, B, F]."""
        return self.output.sample(unroll.decoded, noise)


def draw_latent(normal: Normal, noise: Tensor, controls: LatentControls | None) -> Tensor:
    """Sample z [B, Z] and steer it: temperature, then shift, then hold towards the target."""
    if controls is None:
        return normal.mean + normal.std * noise
    latent = normal.mean + controls.temperature * normal.std * noise + controls.shift
    return (1 - controls.hold) * latent + controls.hold * controls.target
