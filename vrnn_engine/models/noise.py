"""The noise that a frame is drawn with."""

from typing import NamedTuple

from torch import Tensor


class OutputNoise(NamedTuple):
    """Standard normal noise of one frame, and how much of it to use.

    `output` is [..., F]; `mixture` is [..., K], or None where there is no mixture.  The
    temperatures are [..., 1]: `output_temperature` multiplies the sd, `mixture_temperature`
    the Gumbel noise that chooses the component.  `voicing` [..., 1] is for a source and a filter: more than
    zero makes the excitation more periodic, less makes it whisper.
    """

    output: Tensor
    mixture: Tensor | None = None
    output_temperature: Tensor | float = 1.0
    mixture_temperature: Tensor | float = 1.0
    voicing: Tensor | float = 0.0
