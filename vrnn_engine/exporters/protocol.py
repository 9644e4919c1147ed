"""The interface that a recurrent model implements to become a voice.

Tensors have the names of the graph contract (docs/voice-format.md).  Inputs are `state.NAME`, `noise.NAME`,
`control.NAME` and `frame`; outputs are `next.NAME`, `frame`, `latent`, `prior.mean`, ...  The first axis of each is the
batch.  Any model that implements this interface can be exported and streamed.
"""

from typing import Literal, Protocol

from torch import Tensor

from vrnn_engine.runtime.voice.manifest import Control, Normalisation

Named = dict[str, Tensor]
"""Tensors by their full names."""
Shape = tuple[int, ...]
"""Shape of a tensor without the batch axis."""


class StepModel(Protocol):
    """One step of a model, to generate and to observe, as pure functions of named tensors.

    The attributes are written to the manifest as they are.
    """

    modality: Literal["audio", "pen"]
    rate: int
    """Samples or points per second."""
    frame_size: int
    """Number of values in a frame."""
    unit: str
    """Unit of a frame's values."""
    basis: Literal["samples", "mdct", "points"]
    family: str
    normalisation: Normalisation
    controls: tuple[Control, ...]

    def step_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `generate`."""

    def observe_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `observe`."""

    def generate(self, inputs: Named) -> Named:
        """Generate a frame: return it, its latent and prior, and the next state."""

    def observe(self, inputs: Named) -> Named:
        """Observe a frame: return its posterior, KL and log-likelihood, and the next state."""
