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

The filters A and 1 / A are applied in double precision: each may amplify a frequency a hundredfold, and in single
precision rounding errors would be a thousandth of the frame.

The filter is the exponential of a causal cepstrum on a warped frequency axis (the mel-cepstrum of Tokuda et al. 1994).
This filter and its inverse are stable, and their impulse responses begin with 1.  A is truncated to the length of two
frames.  The truncated filter stays stable, since its taps decay (DECAY) and its spectrum is bounded (MAX_LOG_GAIN);
this is not proven, but tested on random cepstra at that bound.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import SourceFilter
from vrnn_engine.models.layers import JointStack, disable_autocast, linear, to_float32
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import STD_BIAS, Normal, log_density, pad_to_multiple_of_4, positive
from vrnn_engine.models.periodicity import correlate

DECAY = 0.97
"""Factor by which an impulse response decays in each sample.  A has only 2 F taps; if its impulse response were cut off
before it has decayed, 1 / A could be unstable.  At 16 kHz this makes every resonance at least 150 Hz wide."""
MAX_LOG_GAIN = math.log(100)
"""Limit of the absolute log magnitude of the filter; a cepstrum that exceeds it is scaled down as a whole."""
GRID = 512
"""Minimum number of points on the unit circle at which the filter is computed; its impulse response is shorter."""
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
    """The first F taps of A, [..., F]."""
    response: Tensor
    """The first F taps of 1 / A, [..., F]."""
    ringing: Tensor
    """sum_k a_k x_(n-k) over the samples before the frame, for each sample of the frame, [..., F]."""
    excitation: Tensor
    """r of the previous frame, computed with the A of this frame, [..., F]."""
    periods: Tensor
    """w, [..., periods], from the longest period to the shortest; they sum to one."""
    voicing: Tensor
    """Logit of g / MAX_GAIN, [..., gains]."""
    share: Tensor
    """q, [..., gains]."""
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
    warped: Tensor
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
        self.grid = max(GRID, 1 << (2 * frame_size - 1).bit_length())
        self.points = self.grid // 2 + 1
        self.register_buffer("warped", _warped(config.cepstrum, config.warp, self.grid), persistent=False)
        # Repeats the value of each part of a frame for all samples of the part; one product for g, s^2 and q (1 - g^2).
        counts = (config.gains, config.levels, config.gains)
        parts = [torch.eye(count).repeat_interleave(frame_size // count, -1) for count in counts]
        self.register_buffer("spread", torch.block_diag(*parts), persistent=False)

    def forward(self, features: Tensor, past: Heard) -> SourceFilterParameters:
        """Return the parameters for features [..., inputs] and the last two frames."""
        size = self.frame_size
        cepstrum, voicing, share, std = to_float32(self.head(features)).split(self.parts, dim=-1)
        with disable_autocast(features.device):
            inverse, response = self.filter_taps(cepstrum)
            # Zeros before the past, and after it in place of the frame, so that the output there is the ringing.
            reached = correlate(past.frames, inverse.flip(-1), size - 1, size)
        return SourceFilterParameters(
            inverse[..., :size],
            response,
            reached[..., size:],
            reached[..., :size].float(),
            self.period_weights(features, past.periodicity),
            # Voicing does not read the past: otherwise a tone that was lost would not come back.
            voicing,
            MAX_SHARE * pad_to_multiple_of_4(torch.sigmoid, share),
            positive(std),
        )

    def filter_taps(self, cepstrum: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first 2 F taps of A and the first F taps of 1 / A, given the cepstrum of 1 / A, [..., C]."""
        spectrum = cepstrum.double() @ self.warped
        peak = spectrum[..., : self.points].abs().amax(-1, keepdim=True)
        log, phase = (spectrum * (MAX_LOG_GAIN / peak.clamp_min(MAX_LOG_GAIN))).chunk(2, dim=-1)
        real, imaginary, size = torch.cos(phase), torch.sin(phase), torch.exp(log)
        up, down = (real / size, -imaginary / size), (real * size, imaginary * size)  # A and 1 / A
        # One inverse transform for both: one is the real part of the signal, the other the imaginary part.
        first = torch.stack([up[0] - down[1], up[1] + down[0]], dim=-1)[..., : self.points, :]
        second = torch.stack([up[0] + down[1], down[0] - up[1]], dim=-1)[..., 1 : self.points - 1, :].flip(-2)
        taps = torch.fft.ifft(torch.view_as_complex(torch.cat([first, second], dim=-2)))
        return taps.real[..., : 2 * self.frame_size], taps.imag[..., : self.frame_size]

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
        return torch.softmax(
            raw[..., :-1] + pad_to_multiple_of_4(functional.softplus, raw[..., -1:]) * evidence, dim=-1
        )

    def log_prob(self, parameters: SourceFilterParameters, x: Tensor) -> Tensor:
        """Return the log density [...] of frames x [..., F], in nats."""
        excitation = (parameters.ringing + convolve(x, parameters.inverse)).float()
        known = torch.cat([parameters.excitation, excitation], dim=-1)
        return log_density(self.predict(parameters, self.excitation_terms(parameters), known, 0), excitation)

    def sample(self, parameters: SourceFilterParameters, noise: OutputNoise) -> Tensor:
        """Return a sampled frame [..., F]."""
        known, terms = parameters.excitation, self.excitation_terms(parameters, noise.output_voicing)
        drawn = noise.output_temperature * noise.output
        # In parts no longer than the shortest period, so that a part depends only on samples before it.
        length = -(-self.frame_size // -(-self.frame_size // self.config.shortest))
        parts = zip(*(whole.split(length, dim=-1) for whole in (*terms, drawn)), strict=True)
        for start, (*part, fresh) in zip(range(0, self.frame_size, length), parts, strict=True):
            mean, std = self.predict(parameters, ExcitationTerms(*part), known, start)
            known = torch.cat([known, mean + std * fresh], dim=-1)
        return convolve(known[..., self.frame_size :] - parameters.ringing, parameters.response).float()

    def predict(self, parameters: SourceFilterParameters, terms: ExcitationTerms, known: Tensor, start: int) -> Normal:
        """Return the distribution of successive samples of the excitation.

        Parameters
        ----------
        parameters : SourceFilterParameters
            Of the frame.
        terms : ExcitationTerms
            Of the N samples to predict, [..., N].
        known : Tensor
            Excitation of the previous frame, and of this frame before `start`, [..., F + start].
        start : int
            Index of the first predicted sample in the frame.

        Returns
        -------
        Normal
            Of [..., N].
        """
        first = self.frame_size + start - self.config.longest
        before = known[..., first : first + terms.gain.shape[-1] + self.config.periods - 1]
        period = correlate(before, parameters.periods)
        return Normal(terms.gain * period, torch.sqrt(terms.fresh + terms.share * period * period))

    def excitation_terms(self, parameters: SourceFilterParameters, voicing: Tensor | float = 0.0) -> ExcitationTerms:
        """Return g, s^2 and q (1 - g^2) of each sample of a frame.

        Parameters
        ----------
        parameters : SourceFilterParameters
            Of the frame.
        voicing : Tensor or float
            Added to the logit of g, [..., 1]; a negative value makes a voice whisper.
        """
        gain = MAX_GAIN * pad_to_multiple_of_4(torch.sigmoid, parameters.voicing + voicing)
        std, share = parameters.std, parameters.share
        with disable_autocast(gain.device):
            of_samples = torch.cat([gain, std * std, share * (1 - gain) * (1 + gain)], dim=-1) @ self.spread
        return ExcitationTerms(*of_samples.chunk(3, dim=-1))


def convolve(x: Tensor, taps: Tensor) -> Tensor:
    """Return the causal convolution y_n = sum_k taps_k x_(n-k) of x and taps, all [..., N]; x_n is 0 for n < 0."""
    return correlate(x, taps.flip(-1), x.shape[-1] - 1)


def _warped(order: int, warp: float, grid: int) -> Tensor:
    """Return the matrix [C, 2 P] from a cepstrum to the logarithm of a spectrum, on half a circle of `grid` points.

    Its rows are the powers of a warped unit delay (d - warp) / (1 - warp d), minus those of -warp, so that the impulse
    response begins with 1.  P is a multiple of 8; see `pad_to_multiple_of_4`.
    """
    angle = torch.arange((grid // 2 + 8) // 8 * 8, dtype=torch.float64) * (2 * math.pi / grid)
    delay = torch.polar(torch.full_like(angle, DECAY), -angle)
    power = torch.arange(1, order + 1, dtype=torch.float64)[:, None]
    terms = ((delay - warp) / (1 - warp * delay)) ** power - (-warp) ** power
    return torch.cat([terms.real, terms.imag], dim=-1)
