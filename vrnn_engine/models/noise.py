"""The noise that a frame is sampled with."""

from typing import NamedTuple

from torch import Tensor


class OutputNoise(NamedTuple):
    """Standard normal noise of one frame, and the controls that scale it."""

    output: Tensor
    """[..., F]."""
    mixture: Tensor | None = None
    """[..., K], or None where the output is no mixture."""
    output_temperature: Tensor | float = 1.0
    """Factor of the output's standard deviation, [..., 1]."""
    mixture_temperature: Tensor | float = 1.0
    """Factor of the Gumbel noise that chooses the component, [..., 1]."""
    voicing: Tensor | float = 0.0
    """Added to the logit of the period's gain of a source-filter output, [..., 1]; a negative value whispers."""
