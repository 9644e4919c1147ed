"""The interface that a recurrent model implements to become a voice.

Tensors have the names of the graph contract (docs/voice-format.md).  Inputs are `state.NAME`, `noise.NAME`,
`control.NAME`, `frame` and `text.characters`; outputs are `next.NAME`, `frame`, `latent`, `prior.mean`, ...  The first
axis of each is the batch.  Any model that implements this interface can be exported and streamed.
"""

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from vrnn_engine.runtime.voice.manifest import Control, Normalisation, Role
from vrnn_engine.runtime.voice.text import Text

Named = dict[str, Tensor]
"""Tensors by their full names."""
Shape = tuple[int, ...]
"""Shape of a tensor without the batch axis."""
Function = Callable[[Named], Named]
"""A step, of inputs and outputs by name."""


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


@runtime_checkable
class ReadsText(Protocol):
    """A step model that reads a text has this attribute besides those of `StepModel`.

    Both functions then take `text.characters` [B, W], and return `text.position` [B] and `text.attention` [B, W].
    """

    text: Text | None
    """The alphabet, the window and the states of the reading position."""


@runtime_checkable
class HasChannels(Protocol):
    """A step model of stereo sound has this attribute besides those of `StepModel`; its frames interleave channels."""

    channels: int
    """1 or 2."""


@runtime_checkable
class Resynthesises(Protocol):
    """A step model that imitates a sound has these functions besides those of `StepModel`.

    A state `own.NAME` is the state NAME of the generated sound; the other states are those of the sound that is heard.
    """

    def resynthesis_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `resynthesise`; none if it cannot."""

    def resynthesise(self, inputs: Named) -> Named:
        """Observe a frame, and generate another from the same latent: return both results and the next state."""


def functions_of(model: StepModel) -> dict[Role, tuple[Function, dict[str, Shape]]]:
    """Return the functions of a step model that become graphs, and their inputs, by the role of the graph."""
    found: dict[Role, tuple[Function, dict[str, Shape]]] = {
        "step": (model.generate, model.step_inputs()),
        "observe": (model.observe, model.observe_inputs()),
    }
    if isinstance(model, Resynthesises) and (inputs := model.resynthesis_inputs()):
        found["resynthesise"] = (model.resynthesise, inputs)
    return found


def channels_of(model: StepModel) -> int:
    """Return the number of channels of a step model's sound."""
    return model.channels if isinstance(model, HasChannels) else 1


def text_of(model: StepModel) -> Text | None:
    """Return how a step model reads a text; None if it reads none."""
    return model.text if isinstance(model, ReadsText) else None
