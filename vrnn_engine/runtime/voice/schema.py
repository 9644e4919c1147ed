"""The schema of a voice's manifest (`voice.json`): its fields, and the limits that concern one field alone.

Shapes are given without the batch axis.  `limits.py` has the rules that concern several fields.
"""

from typing import Annotated, Literal

import msgspec

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.text import Text

MAX_VALUES = 1 << 24
"""Most values of all inputs, or of all outputs, of a graph for each row: 64 MiB in fp32."""
MAX_CONTROL_VALUES = 1 << 20
"""Most values of all controls together."""

Shape = Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=MAX_VALUES)], ...], msgspec.Meta(max_length=8)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
"""A name, a path or a unit."""
Line = Annotated[str, msgspec.Meta(max_length=1024)]
Words = Annotated[str, msgspec.Meta(max_length=16384)]
Value = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
Channels = Annotated[tuple[Value, ...], msgspec.Meta(min_length=1, max_length=16)]
Shapes = Annotated[dict[Word, Shape], msgspec.Meta(min_length=1, max_length=256)]


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter that can be changed while the voice runs."""

    name: Word
    """Name of its graph input without `control.`, e.g. `latent.temperature`."""
    shape: Shape
    """`[1]` for a scalar, `[Z]` for one value per latent dimension."""
    default: Value
    """Initial value of all elements."""
    minimum: Value
    """Smallest value of an element."""
    maximum: Value
    """Largest value of an element."""
    description: Line
    """What the control does, in one sentence."""


Role = Literal["step", "observe", "resynthesise"]
"""What a graph is for."""


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ONNX graph and its inputs and outputs."""

    role: Role
    """`step` generates a frame; `observe` infers the latent and the likelihood of a given frame; `resynthesise` does
    that, and generates a frame from the latent."""
    precision: Literal["fp32", "fp16", "int8", "int4"]
    """Precision of the weights."""
    file: Word
    """Path of the ONNX file, relative to the voice's folder."""
    inputs: Shapes
    """Name -> shape of every input."""
    outputs: Shapes
    """Name -> shape of every output."""


class Normalisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How training data was normalised: `(x - mean) / std`, one value per channel.

    Audio has one channel, a pen two (dx, dy); the pen-up bit is not normalised.
    """

    mean: Channels
    """Mean per channel, in the unit of the frames."""
    std: Channels
    """Standard deviation per channel, in the unit of the frames."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the voice comes from."""

    data: Words
    """Name of the training data."""
    source: Words
    """Where the data can be found."""
    licence: Words
    """Licence of the data."""
    command: Words
    """Command that trained the model."""
    metrics: Annotated[dict[Word, float], msgspec.Meta(max_length=256)] = {}
    """Metrics of the trained model, by name."""


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PyTorch's results for fixed noise, with which any machine can compare its own results.

    The .npz file holds every `noise.*` input of the step graph, [T, ...]; the `frame`s [T, F] that the step graph
    generates from this noise, starting from a state of zero, with default controls; as `observe.NAME` [T, ...] the
    outputs `posterior.mean`, `kl` and `log_likelihood` of the observe graph for those frames and zero noise; and as
    `resynthesise.own.frame` [T, F] the frames that the graph `resynthesise`, if there is one, generates from those
    frames and the noise.  If the voice reads a text, it also holds the `text.characters` [T, W] of all graphs, and
    `text.position` and `text.attention` of each.
    """

    file: Word
    """Path of the .npz file, relative to the voice's folder."""
    frames: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    """T, the number of frames."""
    tolerance: Annotated[float, msgspec.Meta(gt=0, le=0.01)]
    """Largest difference allowed, relative to the largest magnitude of the array."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that the runtime needs to know about a voice."""

    schema_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of this format."""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """Name of the voice; `vrnn_engine.base.folders.is_name` has the rule."""
    modality: Literal["audio", "pen"]
    """What the voice generates: sound or ink."""
    rate: Annotated[int, msgspec.Meta(ge=1, le=768_000)]
    """Samples (audio) or points (pen) per second."""
    frame_size: Annotated[int, msgspec.Meta(ge=1, le=262_144)]
    """F: samples in an audio frame, those of all channels together; 3 (dx, dy, pen-up) for a pen."""
    unit: Word
    """Unit of a frame's values: `full scale` for audio, e.g. `mm` for a pen."""
    basis: Literal["samples", "mdct", "points"]
    """What the model's frames are made of: samples, MDCT coefficients, or points of a pen."""
    family: Word
    """Model family, e.g. `vrnn-gauss`; for information only: the runtime does not use it."""
    graphs: Annotated[tuple[Graph, ...], msgspec.Meta(min_length=1, max_length=16)]
    """The graphs; the first of each role is the default."""
    controls: Annotated[tuple[Control, ...], msgspec.Meta(max_length=256)]
    """The controls."""
    normalisation: Normalisation
    """Normalisation of the training data, which is folded into the weights."""
    provenance: Provenance
    """Where the voice comes from."""
    parity: Parity
    """Results of PyTorch, to compare with."""
    files: Annotated[dict[Annotated[str, msgspec.Meta(max_length=1024)], Sha256], msgspec.Meta(max_length=1024)]
    """sha256 of every file of the voice except this manifest and documents, by path relative to the voice's folder."""
    text: Text | None = None
    """How the voice reads a text; null if it reads none."""
    channels: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    """Channels of audio: 1, or 2 for stereo, whose frames interleave left and right samples."""

    @property
    def frames_per_second(self) -> float:
        """Frames per second: 80 for 200-sample frames at 16 kHz; for a pen the rate, as a frame is one point."""
        return self.rate / self.samples_per_frame

    @property
    def samples_per_frame(self) -> int:
        """Samples per frame and channel of audio; 1 (one point) for a pen."""
        return self.frame_size // self.channels if self.modality == "audio" else 1

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Shape of frames that a stream yields: [n] for mono sound, [n, 2] for stereo, [n, 3] for a pen; -1 for n."""
        if self.modality == "pen":
            return (-1, self.frame_size)
        return (-1,) if self.channels == 1 else (-1, self.channels)

    def has(self, role: Role) -> bool:
        """Return whether there is a graph of a role."""
        return any(graph.role == role for graph in self.graphs)

    def graph(self, role: str, precision: str = "fp32") -> Graph:
        """Return a graph.

        Parameters
        ----------
        role : str
            `step`, `observe` or `resynthesise`.
        precision : str
            `fp32`, `fp16`, `int8` or `int4`.

        Raises
        ------
        VoiceError
            The voice has no such graph; the message lists the graphs that it has.
        """
        for graph in self.graphs:
            if graph.role == role and graph.precision == precision:
                return graph
        present = ", ".join(f"{g.role}/{g.precision}" for g in self.graphs)
        raise VoiceError(f"voice {self.name!r} has no {role} graph in {precision!r} (it has {present})")
