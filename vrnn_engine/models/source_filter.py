"""The source-filter output: a frame of samples as an excitation, part of it periodic, through a filter.

    x_n = r_n - sum_k a_k x_(n-k)                            the filter 1 / A (Fant 1960)
    r_n = g_n p_n + sd_n e_n,  p_n = sum_L w_L r_(n-L),      the excitation: its period (long-term prediction, Atal
    sd_n^2 = s_n^2 + q_n (1 - g_n^2) p_n^2,  e_n ~ N(0, 1)   1982), and what is new, some of which comes with it

All but x, r and e come from the decoder and the past, so this is a Gaussian of the whole frame: each x_n is e_n times
sd_n plus what came before, and the product of these is its Jacobian.  A diagonal Gaussian, of samples or of MDCT
coefficients, knows nothing of the phases that it continues, and so can only whisper.

g < 1 and q < 1/2: a period comes back with less power than it had, and no tone feeds on itself.

What goes through A and comes back through 1 / A, each of which may lift some of it a hundredfold, is computed in double
precision: in single, a thousandth of the frame would be rounding.

The filter is the exponential of a causal cepstrum on a warped frequency axis (the mel-cepstrum of Tokuda et al.
1994): it and its inverse are stable, and begin with 1.  A is cut off after the two frames of the past, and stays so
since it fades (DECAY) and its spectrum is bounded (MOST_LOG): not proven, but tested on random cepstra at that bound.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import SourceFilter
from vrnn_engine.models.layers import JointStack, exactly, linear, single
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.normal import STD_BIAS, Normal, in_fours, log_density, positive
from vrnn_engine.models.periodicity import correlate

DECAY = 0.97
"""How much of an impulse response is left after a sample, at most: A has but 2 F taps, and one that were cut off where
it still rings could make 1 / A grow.  At 16 kHz no resonance is narrower than 150 Hz then."""
MOST_LOG = math.log(100)
"""Bound of the filter's spectrum, up and down: a cepstrum that asks for more is scaled to it as a whole."""
GRID = 512
"""Points of the circle that the filter is computed on, at least: its impulse response dies away within them."""
MOST_GAIN = 0.98
MOST_SHARE = 0.5
"""Bounds of g and q: in the steady state a tone has at most 50 times the power of what is new."""
LEAST = 0.2
"""Periodicity of the likeliest period, below which none is likely."""
SHARPNESS = 10.0
"""How much the periodicity of the past says about the next period, before training."""


class Heard(NamedTuple):
    """What an output reads of the past; of width 0 where it reads nothing."""

    frames: Tensor
    """The last frames, oldest first, [..., P * F]."""
    periodicity: Tensor
    """Of the newest, [..., periods]."""


class Excited(NamedTuple):
    """What the decoder and the past make of a frame before it is there."""

    inverse: Tensor
    """The first F taps of A, which act within the frame, [..., F]."""
    response: Tensor
    """The first F taps of 1 / A, [..., F]."""
    ringing: Tensor
    """sum_k a_k x_(n-k) over the past samples, for each sample of the frame, [..., F]."""
    excitation: Tensor
    """r of the past frame, under this frame's A, [..., F]."""
    periods: Tensor
    """w, which add up to one, from the longest period to the shortest."""
    voicing: Tensor
    """The logit of g / MOST_GAIN, [..., gains]."""
    share: Tensor
    """q, [..., gains]."""
    std: Tensor
    """s, [..., levels]."""


class Driven(NamedTuple):
    """What a frame's period turns into: [..., F] each."""

    gain: Tensor
    """g"""
    fresh: Tensor
    """s^2"""
    share: Tensor
    """q (1 - g^2)"""


class SourceFilterOutput(nn.Module):
    """Decoder features and the last two frames -> the distribution of a frame of samples."""

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
        # From the parts of a frame to its samples, for g, s^2 and q (1 - g^2) at once.
        counts = (config.gains, config.levels, config.gains)
        parts = [torch.eye(count).repeat_interleave(frame_size // count, -1) for count in counts]
        self.register_buffer("spread", torch.block_diag(*parts), persistent=False)

    def forward(self, features: Tensor, past: Heard) -> Excited:
        """[..., inputs] and the last two frames -> Excited."""
        size = self.frame_size
        cepstrum, voicing, share, std = single(self.head(features)).split(self.parts, dim=-1)
        with exactly(features.device):
            inverse, response = self.filters(cepstrum)
            # The past begins and goes on with silence, and rings into the frame.
            reached = correlate(past.frames, inverse.flip(-1), size - 1, size)
        return Excited(
            inverse[..., :size],
            response,
            reached[..., size:],
            reached[..., :size].float(),
            self.weigh(features, past.periodicity),
            # It does not read the past: a tone that got lost would not come back.
            voicing,
            MOST_SHARE * in_fours(torch.sigmoid, share),
            positive(std),
        )

    def filters(self, cepstrum: Tensor) -> tuple[Tensor, Tensor]:
        """[..., C], of 1 / A -> the first 2 F taps of A, the first F taps of 1 / A."""
        spectrum = cepstrum.double() @ self.warped
        peak = spectrum[..., : self.points].abs().amax(-1, keepdim=True)
        log, phase = (spectrum * (MOST_LOG / peak.clamp_min(MOST_LOG))).chunk(2, dim=-1)
        real, imaginary, size = torch.cos(phase), torch.sin(phase), torch.exp(log)
        up, down = (real / size, -imaginary / size), (real * size, imaginary * size)  # A and 1 / A
        # Both at once, as the real and the imaginary part of one signal.
        first = torch.stack([up[0] - down[1], up[1] + down[0]], dim=-1)[..., : self.points, :]
        second = torch.stack([up[0] + down[1], down[0] - up[1]], dim=-1)[..., 1 : self.points - 1, :].flip(-2)
        taps = torch.fft.ifft(torch.view_as_complex(torch.cat([first, second], dim=-2)))
        return taps.real[..., : 2 * self.frame_size], taps.imag[..., : self.frame_size]

    def weigh(self, features: Tensor, evidence: Tensor) -> Tensor:
        """Return the weight of each period, given how the past repeats itself at it.

        The best one counts as much in a free run, which repeats itself less well than what was recorded.
        """
        evidence = evidence / evidence.amax(-1, keepdim=True).clamp_min(LEAST)
        raw = single(self.choice(self.stack(self.stack.project(evidence), features)))
        return torch.softmax(raw[..., :-1] + in_fours(functional.softplus, raw[..., -1:]) * evidence, dim=-1)

    def log_prob(self, parameters: Excited, x: Tensor) -> Tensor:
        """Return the log density of x, [..., F] -> [...], in nats."""
        excitation = (parameters.ringing + convolve(x, parameters.inverse)).float()
        known = torch.cat([parameters.excitation, excitation], dim=-1)
        return log_density(self.foretell(parameters, self.drive(parameters), known, 0), excitation)

    def sample(self, parameters: Excited, noise: OutputNoise) -> Tensor:
        """Return a frame [..., F]."""
        known, driven = parameters.excitation, self.drive(parameters, noise.voicing)
        drawn = noise.output_temperature * noise.output
        # In parts no longer than the shortest period, so that the past of a part is all that it needs.
        length = -(-self.frame_size // -(-self.frame_size // self.config.shortest))
        parts = zip(*(whole.split(length, dim=-1) for whole in (*driven, drawn)), strict=True)
        for start, (*part, fresh) in zip(range(0, self.frame_size, length), parts, strict=True):
            mean, std = self.foretell(parameters, Driven(*part), known, start)
            known = torch.cat([known, mean + std * fresh], dim=-1)
        return convolve(known[..., self.frame_size :] - parameters.ringing, parameters.response).float()

    def foretell(self, parameters: Excited, driven: Driven, known: Tensor, start: int) -> Normal:
        """Return the distribution of r from sample `start` on, for as many as are `driven`, given what is `known`
        before."""
        first = self.frame_size + start - self.config.longest
        before = known[..., first : first + driven.gain.shape[-1] + self.config.periods - 1]
        period = correlate(before, parameters.periods)
        return Normal(driven.gain * period, torch.sqrt(driven.fresh + driven.share * period * period))

    def drive(self, parameters: Excited, voicing: Tensor | float = 0.0) -> Driven:
        """Return g, s^2 and q (1 - g^2); `voicing` is added to the logit of g: below zero it whispers."""
        gain = MOST_GAIN * in_fours(torch.sigmoid, parameters.voicing + voicing)
        std, share = parameters.std, parameters.share
        with exactly(gain.device):
            of_samples = torch.cat([gain, std * std, share * (1 - gain) * (1 + gain)], dim=-1) @ self.spread
        return Driven(*of_samples.chunk(3, dim=-1))


def convolve(x: Tensor, taps: Tensor) -> Tensor:
    """Return y_n = sum_k taps_k x_(n-k), from silence on: [..., N] and [..., N] -> [..., N]."""
    return correlate(x, taps.flip(-1), x.shape[-1] - 1)


def _warped(order: int, warp: float, grid: int) -> Tensor:
    """Return the matrix [C, 2 P] from a cepstrum to the logarithm of a spectrum, on half a circle of `grid` points.

    Its rows are the powers of a warped unit delay (d - warp) / (1 - warp d), less those of -warp, so that the
    filter begins with 1.  P is in whole eights: see `in_fours`.
    """
    angle = torch.arange((grid // 2 + 8) // 8 * 8, dtype=torch.float64) * (2 * math.pi / grid)
    delay = torch.polar(torch.full_like(angle, DECAY), -angle)
    power = torch.arange(1, order + 1, dtype=torch.float64)[:, None]
    terms = ((delay - warp) / (1 - warp * delay)) ** power - (-warp) ** power
    return torch.cat([terms.real, terms.imag], dim=-1)
