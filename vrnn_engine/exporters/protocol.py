"""The step protocol: what a recurrent model offers to become a voice.

Tensors go in and out by the names of the graph contract (docs/voice-format.md): `state.NAME`,
`noise.NAME`, `control.NAME` and `frame` in; `next.NAME`, `frame`, `latent`, `prior.mean` ... out.
The batch comes first in all of them.  Anything that implements this exports and streams.
"""

from typing import Literal, Protocol

from torch import Tensor

from vrnn_engine.runtime.voice.manifest import Control, Normalisation

Named = dict[str, Tensor]
Shape = tuple[int, ...]


class StepModel(Protocol):
    """One step of a model, to generate and to observe, as pure functions of named tensors."""

    modality: Literal["audio", "pen"]
    rate: int
    """Samples or points per second."""
    frame_size: int
    unit: str
    basis: Literal["samples", "mdct", "points"]
    family: str
    normalisation: Normalisation
    controls: tuple[Control, ...]

    def step_inputs(self) -> dict[str, Shape]:
        """Names and shapes (without the batch) of what `generate` takes."""

    def observe_inputs(self) -> dict[str, Shape]:
        """Names and shapes (without the batch) of what `observe` takes."""

    def generate(self, inputs: Named) -> Named:
        """One generated frame, and the next state."""

    def observe(self, inputs: Named) -> Named:
        """One observed frame: its posterior, KL and log-likelihood, and the next state."""
