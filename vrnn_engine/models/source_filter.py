"""The source-filter output: a frame of samples is an excitation, partly periodic, that goes through a filter.

    x_n = r_n - sum_k a_k x_(n-k)                            the filter 1 / A (Fant 1960)
    r_n = g_n p_n + sd_n e_n,  p_n = sum_L w_L r_(n-L),      the excitation: itself one period L earlier (long-term
    sd_n^2 = s_n^2 + q_n (1 - g_n^2) p_n^2,  e_n ~ N(0, 1)   prediction, Atal 1982), plus noise; noise replaces the
                                                             share q_n of the power that the period loses

The decoder and the past determine all symbols but x, r and e.  So the frame is an invertible function of e: x_n is
sd_n e_n plus terms that depend on earlier samples, and the Jacobian is the product of the sd_n.  A diagonal Gaussian
over samples or MDCT coefficients samples each value independently, so it cannot continue the phases of a tone, and
speech becomes a whisper.

g < 1 and q < 1/2, so a period loses power each time it repeats, and no tone grows.

The filters A and 1 / A are computed and applied in double precision: each may amplify a frequency a hundredfold.  For
2,000 generated frames of the voice `blizzard`, single precision would change a frame by -90 dB of its power, and -72 dB
in the worst frame.  This is inaudible, but the recurrence reads the level of silence, and its h would change by 1e-4.

The filter is the exponential of a causal cepstrum on a warped frequency axis (the mel-cepstrum of Tokuda et al. 1994).
This filter and its inverse are stable, and their impulse responses begin with 1.  A is truncated to the length of two
frames.  The truncated filter stays stable, since its taps decay (DECAY) and its spectrum is bounded (MAX_LOG_GAIN);
this is not proven, but tested on random cepstra at that bound.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import SourceFilter
from vrnn_engine.models.filters.cepstral_filter import CepstralFilter
from vrnn_engine.models.layers import JointStack, disable_autocast, linear, to_float32
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import STD_BIAS, Normal, log_density, pad_to_multiple_of_4, positive
from vrnn_engine.models.periodicity import Convolution, correlate, shifts

MAX_GAIN = 0.98
"""Limit of g."""
MAX_SHARE = 0.5
"""Limit of q: with this and the limit of g, the power of a steady tone is at most 50 times s^2."""
MIN_PERIODICITY = 0.2
"""The periodicity is divided by its maximum over the periods, or by this if the maximum is smaller; the weights of the
periods are then more even."""
SHARPNESS = 10.0
"""Initial bias of the weight that the periodicity of the past has in the choice of the period."""


class Heard(NamedTuple):
    """The past that an output reads; both tensors have width 0 if the output reads no past."""

    frames: Tensor
    """The last P frames, oldest first, [..., P * F]."""
    periodicity: Tensor
    """Periodicity of the newest frame, [..., periods]."""


class SourceFilterParameters(NamedTuple):
    """Parameters of the distribution of a frame."""

    inverse: Tensor
    """2 F taps of A, and zeros, [..., K]."""
    response: Tensor
    """The first F taps of 1 / A, and zeros, [..., K]."""
    ringing: Tensor
    """sum_k a_k x_(n-k) over the samples before the frame, for each sample of the frame, [..., F]."""
    excitation: Tensor
    """The last samples of r in the previous frame, as many as the periods reach, computed with the A of this frame,
    [..., R]."""
    periods: Tensor
    """w, [..., periods], from the longest period to the shortest; they sum to one."""
    voicing: Tensor
    """Logit of g / MAX_GAIN, [..., gains]."""
    share: Tensor
    """q / MAX_SHARE, [..., gains]."""
    std: Tensor
    """s, [..., levels]."""


class ExcitationTerms(NamedTuple):
    """Terms of the excitation's distribution, for each of N samples."""

    gain: Tensor
    """g, [..., N]."""
    fresh: Tensor
    """s^2, [..., N]."""
    share: Tensor
    """q (1 - g^2), [..., N]."""


class SourceFilterOutput(nn.Module):
    """The distribution of a frame of samples, given decoder features and the last two frames.

    Parameters
    ----------
    config : SourceFilter
        Sizes and options.
    inputs : int
        Width of the decoder features.
    frame_size : int
        F.
    """

    mixture_size = 0
    spread: Tensor

    def __init__(self, config: SourceFilter, inputs: int, frame_size: int):
        super().__init__()
        self.config, self.frame_size = config, frame_size
        self.parts = [config.cepstrum, config.gains, config.gains, config.levels]
        self.head = linear(inputs, sum(self.parts))
        self.stack = JointStack(config.periods, inputs, config.pitch)
        self.choice = linear(self.stack.outputs, config.periods + 1)
        with torch.no_grad():
            self.head.bias[-config.levels :] = STD_BIAS
            self.choice.bias[-1] = SHARPNESS
        self.filter = CepstralFilter(config.cepstrum, config.warp, frame_size)
        # Samples are drawn in parts no longer than the shortest period, so a part depends only on samples before it.
        self.part = -(-frame_size // -(-frame_size // config.shortest))
        self.reach = -(-config.longest // self.part) * self.part
        # Gives the output in the frame after the past, and in the last frame of the past.
        self.filter_past = Convolution(2 * frame_size, frame_size)
        self.filter_frame = Convolution(frame_size)
        self.register_buffer("spread", _spread(config.gains, config.levels, frame_size), persistent=False)

    def forward(self, features: Tensor, past: Heard) -> SourceFilterParameters:
        """Return the parameters for features [..., inputs] and the last two frames."""
        cepstrum, voicing, share, std = to_float32(self.head(features)).split(self.parts, dim=-1)
        with disable_autocast(features.device):
            taps = self.filter(cepstrum).flatten(-2)
            inverse = taps[..., : self.filter_past.width]
            response = taps[..., self.filter.size : self.filter.size + self.filter_frame.width]
            size, known = self.frame_size, min(self.frame_size, self.reach)
            ringing, _, excitation = self.filter_past(past.frames, inverse).split([size, size - known, known], dim=-1)
        return SourceFilterParameters(
            inverse,
            response,
            ringing,
            excitation.float(),
            self.period_weights(features, past.periodicity),
            # Voicing does not read the past: otherwise a tone that was lost would not come back.
            voicing,
            pad_to_multiple_of_4(torch.sigmoid, share),
            positive(std),
        )

    def period_weights(self, features: Tensor, evidence: Tensor) -> Tensor:
        """Return the weight of each period.

        Parameters
        ----------
        features : Tensor
            Decoder features, [..., inputs].
        evidence : Tensor
            Periodicity of the past, [..., periods].

        Returns
        -------
        Tensor
            [..., periods]; they sum to one.
        """
        # Relative to the best period, so that generated sound, which is less periodic than recorded sound, counts as
        # much.
        evidence = evidence / evidence.amax(-1, keepdim=True).clamp_min(MIN_PERIODICITY)
        raw = to_float32(self.choice(self.stack(self.stack.project(evidence), features)))
        scores, sharpness = raw.split([self.config.periods, 1], dim=-1)
        # softplus(s) = log(exp(s) + exp(0)).  onnxruntime computes the right side for each row independently.
        sharpness = torch.logsumexp(functional.pad(sharpness, (0, 1)), -1, keepdim=True)
        return torch.softmax(scores + sharpness * evidence, dim=-1)

    def log_prob(self, parameters: SourceFilterParameters, x: Tensor) -> Tensor:
        """Return the log density [...] of frames x [..., F], in nats."""
        excitation = (parameters.ringing + self.filter_frame(x, parameters.inverse[..., : self.frame_size])).float()
        known = torch.cat([parameters.excitation, excitation], dim=-1)
        return log_density(self.predict(parameters, self.excitation_terms(parameters), known), excitation)

    def sample(self, parameters: SourceFilterParameters, noise: OutputNoise) -> Tensor:
        """Return a sampled frame [..., F]."""
        # All signals are columns.
        size, longest, shortest, reach = self.frame_size, self.config.longest, self.config.shortest, self.reach
        parts = [len(part) for part in torch.arange(size).split(self.part)]
        terms = self._of_samples(parameters, noise.output_voicing)
        drawn = noise.output_temperature * noise.output
        columns = torch.cat([terms, drawn], dim=-1).unsqueeze(-1).split(4 * parts, dim=-2)
        # Each row gives the mean of one sample of a part, over the periods, from whole parts before it.
        weights = shifts(functional.pad(parameters.periods, (reach - longest, shortest)), self.part, reach)
        spare = reach - parameters.excitation.shape[-1]
        known = functional.pad(parameters.excitation, (spare, 0)) if spare else parameters.excitation
        window = known.unsqueeze(-1)
        pieces = list(window.split(self.part, dim=-2))
        count = len(parts)
        of_parts = (columns[start : start + count] for start in range(0, 4 * count, count))
        for gain, fresh, share, eps in zip(*of_parts, strict=True):
            with disable_autocast(eps.device):
                period = weights[..., : eps.shape[-2], :] @ window
            pieces.append(gain * period + torch.sqrt(fresh + share * period * period) * eps)
            window = torch.cat(pieces[-(reach // self.part) :], dim=-2)
        made = torch.cat(pieces[-len(parts) :], dim=-2).squeeze(-1)
        return self.filter_frame(made - parameters.ringing, parameters.response).float()

    def predict(self, parameters: SourceFilterParameters, terms: ExcitationTerms, known: Tensor) -> Normal:
        """Return the distribution of the excitation's samples, each given all samples before it.

        Parameters
        ----------
        parameters : SourceFilterParameters
            Of the frame.
        terms : ExcitationTerms
            Of the samples of the frame.
        known : Tensor
            Excitation of the previous frame, its last R samples, and of this frame, [..., R + F].

        Returns
        -------
        Normal
            Of [..., F].
        """
        first = known.shape[-1] - self.frame_size - self.config.longest
        before = known[..., first : first + self.frame_size + self.config.periods - 1]
        period = correlate(before, parameters.periods)
        return Normal(terms.gain * period, torch.sqrt(terms.fresh + terms.share * period * period))

    def excitation_terms(self, parameters: SourceFilterParameters) -> ExcitationTerms:
        """Return g, s^2 and q (1 - g^2) of each sample of a frame."""
        return ExcitationTerms(*self._of_samples(parameters, 0.0).chunk(3, dim=-1))

    def _of_samples(self, parameters: SourceFilterParameters, voicing: Tensor | float) -> Tensor:
        """Return g, s^2 and q (1 - g^2) of each sample, [..., 3 F]; `voicing` is added to the logit of g."""
        gain = pad_to_multiple_of_4(torch.sigmoid, parameters.voicing + voicing)
        std, share = parameters.std, parameters.share
        with disable_autocast(gain.device):
            return torch.cat([gain, std * std, share, share * (gain * gain)], dim=-1) @ self.spread


def _spread(gains: int, levels: int, frame_size: int) -> Tensor:
    """Return the matrix from the values of the parts of a frame to those of the samples, [3 * gains + levels, 3 F].

    The former are g / MAX_GAIN, s^2, q / MAX_SHARE, and the third times the square of the first; the latter are g, s^2
    and q (1 - g^2).
    """
    gain, level = (torch.eye(count).repeat_interleave(frame_size // count, -1) for count in (gains, levels))
    share = torch.cat([gain, -(MAX_GAIN**2) * gain])
    return torch.block_diag(MAX_GAIN * gain, level, MAX_SHARE * share)
