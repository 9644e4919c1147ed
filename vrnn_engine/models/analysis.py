"""Features of audio samples that phi_x reads instead of the samples if the output is a source and a filter.

The features are log spectrum, log levels and periodicity.  The samples themselves also depend on phases, which are
hardly audible.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vrnn_engine.models.config import EmphasisConfig, SourceFilter
from vrnn_engine.models.emphasis import Emphasis
from vrnn_engine.models.layers import disable_autocast
from vrnn_engine.models.periodicity import Periodicity

POWER_FLOOR = 1e-5
"""Added to a power before its logarithm is taken; the signal has variance one."""
LIFT = math.e
"""The signal is multiplied by the square of this before its powers are measured."""


class Analysis(nn.Module):
    """Log spectrum, log levels and periodicity of a frame and the frame before it.

    The emphasis is undone before the periodicity is computed: it lifts frequencies below the fundamental of any period,
    and these would hide the period.

    Parameters
    ----------
    config : SourceFilter
        Configuration of the output distribution.
    frame_size : int
        F, samples in a frame.
    emphasis : EmphasisConfig, optional
        The emphasis that was applied to the frames.

    Attributes
    ----------
    size : int
        Width of both results of `forward` together.
    """

    views: Tensor
    average: Tensor

    def __init__(self, config: SourceFilter, frame_size: int, emphasis: EmphasisConfig | None = None):
        super().__init__()
        self.periodicity = Periodicity(config, frame_size)
        n = torch.arange(2 * frame_size, dtype=torch.float64)
        bins = torch.arange(frame_size, dtype=torch.float64)
        # LIFT moves the logarithms of powers about zero, since 0.25 log(LIFT^4 power) = 0.25 log(power) + log(LIFT).
        window = LIFT**2 * torch.sin(math.pi / (2 * frame_size) * (n + 0.5)) / math.sqrt(frame_size)
        angle = math.pi / frame_size * torch.outer(n, bins)
        transform = window[:, None] * torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)
        plain = (
            Emphasis(emphasis, frame_size).inverse_filter_matrix(2 * frame_size)
            if emphasis
            else torch.eye(2 * frame_size)
        )
        self.view_sizes = [config.longest + frame_size, frame_size, frame_size]
        # One matrix gives the signal for the periodicity, and the real and imaginary parts of the spectrum.
        views = torch.cat([plain.double()[:, frame_size - config.longest :], transform], dim=-1)
        self.register_buffer("views", views.float(), persistent=False)
        self.spectrum_size = frame_size + config.levels
        self.size = self.spectrum_size + config.periods
        length = frame_size // config.levels
        average = LIFT**4 * torch.eye(config.levels).repeat_interleave(length, 0) / length
        # The levels are those of the frame alone, so the weights of the frame before it are zero.
        average = functional.pad(average, (0, 0, frame_size, 0))
        # Padded, so that the logarithm is taken of a multiple of four values; see `pad_to_multiple_of_4`.
        self.register_buffer("average", functional.pad(average, (0, -self.spectrum_size % 4)), persistent=False)

    def forward(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """Analyse a frame.

        Parameters
        ----------
        both : Tensor
            The previous frame and the frame, [..., 2 F], normalised.

        Returns
        -------
        tuple of Tensor
            Log spectrum and log levels, [..., F + levels]; periodicity, [..., periods].
        """
        with disable_autocast(both.device):
            seen = both @ self.views
            plain, real, imaginary = (seen * seen).split(self.view_sizes, dim=-1)
            power = torch.cat([real + imaginary, (both * both) @ self.average], dim=-1)
            spectrum = (0.25 * torch.log(power + LIFT**4 * POWER_FLOOR))[..., : self.spectrum_size]
            return spectrum, self.periodicity(seen, plain)
