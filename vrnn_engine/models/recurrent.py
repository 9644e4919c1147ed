"""A recurrent model of frames: one time step, and the teacher-forced pass that repeats it.

    prior      p(z | h)              encoder  q(z | x, h)
    decoder    p(x | phi_z(z), h)    recurrence  (h, c) <- LSTM([phi_x(x), phi_z(z)], (h, c))

All conditionals read the *old* state; the recurrence reads the *new* x and z.  This is the VRNN of Chung et al. (2015),
section 3; the families in `vrnn_engine.models.families` omit or replace parts of it.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vrnn_engine.models.analysis import Analysis
from vrnn_engine.models.basis import build_basis
from vrnn_engine.models.conditionals import Decoder, Encoder, NoLatent, Prior, Recurrence, Score, StandardPrior
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import ReLUStack
from vrnn_engine.models.noise import LatentControls, OutputNoise, draw_latent
from vrnn_engine.models.normal import Normal, kl_divergence, pad_to_multiple_of_4
from vrnn_engine.models.outputs import Output, Parameters
from vrnn_engine.models.source_filter import Heard


class State(NamedTuple):
    """The state that a model carries from frame to frame; a part that the model does not use has width 0."""

    h: Tensor
    """Output of the LSTM, [B, H]."""
    c: Tensor
    """Cells of the LSTM, [B, H]."""
    past: Tensor
    """The last P frames, oldest first, [B, P * F]; P is 2 if the output reads past frames, else 0."""
    periodicity: Tensor
    """Periodicity of the newest frame in `past`, [B, periods]."""
    latent: Tensor
    """The last z, [B, Z]."""

    @property
    def heard(self) -> Heard:
        """The part of the past that the output reads."""
        return Heard(self.past, self.periodicity)


class FrameFeatures(NamedTuple):
    """Everything that depends only on the frame and the frames before it, and so needs no loop over time."""

    encoder: Tensor
    """Contribution of the frame to the encoder's first layer, [..., E]."""
    gates: Tensor
    """Contribution of the frame to the gates of the recurrence, [..., 4 H]."""
    frame: Tensor
    """The frame, [..., F]."""
    periodicity: Tensor
    """The frame's periodicity, [..., periods]; width 0 without a source-filter output."""


class Inference(NamedTuple):
    """Result of observing a frame; `state` is the next state."""

    posterior: Normal
    """q(z | x, h), [B, Z]."""
    latent: Tensor
    """z, a sample of the posterior, [B, Z]."""
    z_features: Tensor
    """phi_z(z), [B, .]."""
    state: State


class Generation(NamedTuple):
    """Result of generating a frame; `state` is the next state."""

    frame: Tensor
    """The frame, in the basis, normalised, [B, F]."""
    prior: Normal
    """p(z | h), [B, Z]."""
    latent: Tensor
    """z, a sample of the prior, [B, Z]."""
    state: State


class Unroll(NamedTuple):
    """Result of a teacher-forced pass over T frames."""

    log_likelihood: Tensor
    """log p(x | z, h) of the normalised signal, [T, B], in nats."""
    kl: Tensor
    """KL(q(z | x, h) || p(z | h)), [T, B], in nats."""
    posterior: Normal
    """[T, B, Z]."""
    prior: Normal
    """[T, B, Z]."""
    latent: Tensor
    """Samples of the posterior, [T, B, Z]."""
    old: State
    """The state before each frame, [T, B, ...]."""
    decoded: Parameters
    """Parameters of the output distribution of each frame, [T, B, ...]."""
    state: State
    """The state after the last frame, [B, ...]."""


class RecurrentModel(nn.Module):
    """Base class of all families.

    All frames are in the frame basis and normalised; time is the first axis.  A family creates its conditionals in
    `__init__` and lists the fields of `ModelConfig` that it `uses`.

    Parameters
    ----------
    config : ModelConfig
        Sizes and options of the model.
    """

    uses: ClassVar[frozenset[str]] = frozenset()
    """Optional fields of `ModelConfig` that a configuration of this family must set; it must not set the others."""
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
        """Return the part [..., .] of the old state that the prior and the encoder read."""
        return state.h

    def initial_state(self, rows: int) -> State:
        """Return the state of `rows` streams before the first frame: zeros."""
        weight = self.recurrence.from_h.weight
        zeros = weight.new_zeros(rows, self.config.recurrent_size)
        latent = self.config.latent_size if self.carries_latent else 0
        periods = self.config.source_filter.periods if self.config.source_filter else 0
        widths = (self.config.past_size, periods, latent)
        return State(zeros, zeros, *(weight.new_zeros(rows, width) for width in widths))

    def features(self, frame: Tensor, past: Tensor) -> FrameFeatures:
        """Compute the features that depend only on frames [..., F] and the P frames before each, [..., P * F]."""
        k, periodicity = self.config.input_compression, frame[..., :0]
        if self.analysis:
            spectrum, periodicity = self.analysis(self.append_frame(frame, past))
            seen = torch.cat([spectrum, periodicity], dim=-1)
        else:
            seen = torch.sign(frame) * pad_to_multiple_of_4(torch.log, 1 + k * frame.abs()) if k else frame
        phi = self.phi_x(seen)
        return FrameFeatures(self.encoder.project(phi), self.recurrence.from_x(phi), frame, periodicity)

    def infer(
        self, features: FrameFeatures, state: State, noise: Tensor, controls: LatentControls | None = None
    ) -> Inference:
        """Observe a frame: sample z from the posterior and advance the state.

        Parameters
        ----------
        features : FrameFeatures
            Of the frame, [B, ...].
        state : State
            The state before the frame.
        noise : Tensor
            Standard normal, [B, Z].
        controls : LatentControls, optional
            Steering of z; none by default.
        """
        posterior = self.encoder(features.encoder, self.condition(state))
        latent = draw_latent(posterior, noise, controls)
        z_features = self.phi_z(latent)
        return Inference(posterior, latent, z_features, self.advance(features, latent, z_features, state))

    def advance(self, features: FrameFeatures, latent: Tensor, z_features: Tensor, state: State) -> State:
        """Return the state after a frame, given the features of x, z [B, Z] and phi_z(z) [B, .]."""
        h, c = self.recurrence(features.gates, z_features, state.h, state.c)
        past = self.append_frame(features.frame, state.past)
        return State(h, c, past, features.periodicity, latent if self.carries_latent else state.latent)

    def append_frame(self, frame: Tensor, past: Tensor) -> Tensor:
        """Append a frame [..., F] to the past frames [..., P * F] and drop the oldest."""
        return torch.cat([past, frame], dim=-1)[..., self.config.frame_size :]

    def preceding_frames(self, frames: Tensor, past: Tensor) -> Tensor:
        """Return the P frames before each of the frames [T, B, F], oldest first: [T, B, P * F].

        `past` [B, P * F] consists of the P frames before the first one.
        """
        if not self.config.past_size:
            return frames[..., :0]
        before = past.unflatten(-1, (-1, self.config.frame_size)).movedim(-2, 0)
        chain, length = torch.cat([before, frames]), len(frames)
        return torch.cat([chain[k : k + length] for k in range(len(before))], dim=-1)

    def generate(
        self, state: State, latent_noise: Tensor, output_noise: OutputNoise, controls: LatentControls | None = None
    ) -> Generation:
        """Generate a frame: sample z from the prior and x from the decoder, and advance the state.

        Parameters
        ----------
        state : State
            The state before the frame.
        latent_noise : Tensor
            Standard normal, [B, Z].
        output_noise : OutputNoise
            Noise and temperatures of the output.
        controls : LatentControls, optional
            Steering of z; none by default.
        """
        prior = self.prior(self.condition(state))
        latent = draw_latent(prior, latent_noise, controls)
        z_features = self.phi_z(latent)
        frame = self.decoder.draw(z_features, state.h, state.heard, output_noise)
        return Generation(
            frame, prior, latent, self.advance(self.features(frame, state.past), latent, z_features, state)
        )

    def score(self, frame: Tensor, inference: Inference, old: State) -> Score:
        """Return the terms of the ELBO of observed frames [..., F], given the inference and the state before each."""
        prior = self.prior(self.condition(old))
        decoded = self.decoder(inference.z_features, old.h, old.heard)
        log_likelihood = self.output.log_prob(decoded, frame) + self.basis.log_det
        return Score(prior, kl_divergence(inference.posterior, prior), log_likelihood, decoded)

    def unroll(
        self,
        frames: Tensor,
        noise: Tensor,
        state: State | None = None,
        shown: Tensor | None = None,
        heard: Tensor | None = None,
    ) -> Unroll:
        """Observe a sequence of frames (teacher forcing).

        Parameters
        ----------
        frames : Tensor
            [T, B, F], in the basis (`self.basis.frames` of the normalised signal).
        noise : Tensor
            Standard normal, [T, B, Z].
        state : State, optional
            The state before the first frame; zeros by default.
        shown : Tensor, optional
            [T, B, F]: frames that the gates of the recurrence read instead of `frames`, as in scheduled sampling
            (Bengio et al. 2015).  The encoder, the past frames and the likelihood use `frames`.
        heard : Tensor, optional
            [T, B, F]: frames that the encoder and the gates read instead of `frames`, such as a noisy recording of the
            same sound.  The past frames that the output reads, and the likelihood, use `frames`.

        Returns
        -------
        Unroll
            Likelihoods, distributions and states of all frames.
        """
        state = state or self.initial_state(frames.shape[1])
        read = frames if heard is None else heard
        # The state has the past of `frames`, so only the first P frames of `heard` are analysed with another past.
        pasts = self.preceding_frames(read, state.past)
        features = self.features(read, pasts)
        if heard is not None:
            own = self.append_frame(frames, self.preceding_frames(frames, state.past))
            periodicity = self.analysis(own)[1] if self.analysis else features.periodicity
            features = features._replace(frame=frames, periodicity=periodicity)
        if shown is not None:
            # `pasts` stays: an observed frame does not continue the phases of a sampled one.
            features = features._replace(gates=self.features(shown, pasts).gates)
        olds, steps = [], []
        # The loop needs only the encoder, phi_z and the recurrence; prior and decoder follow for all frames at once.
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
        """Sample each frame of an unroll from its output distribution, [T, B, F]."""
        return self.output.sample(unroll.decoded, noise)
