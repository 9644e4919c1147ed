"""The manifest of a voice (`voice.json`): its schema, reading and writing.

No other module but `text.py` knows the format.  Shapes are given without the batch axis.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.text import Text, check_text

SCHEMA_VERSION = 2
"""The newest version.  Version 2 has `text`."""
PLAIN_VERSION = 1
"""The version of a voice without text, which earlier releases can read."""
MANIFEST_FILE = "voice.json"
TRAINING_FILE = "training.json"
"""From this file a new training run can start; the runtime does not read it."""

Shape = tuple[Annotated[int, msgspec.Meta(ge=1)], ...]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter that can be changed while the voice runs."""

    name: str
    """Name of its graph input without `control.`, e.g. `latent.temperature`."""
    shape: Shape
    """`[1]` for a scalar, `[Z]` for one value per latent dimension."""
    default: float
    """Initial value of all elements."""
    minimum: float
    """Smallest value of an element."""
    maximum: float
    """Largest value of an element."""
    description: str
    """What the control does, in one sentence."""


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ONNX graph and its inputs and outputs."""

    role: Literal["step", "observe"]
    """`step` generates a frame; `observe` infers the latent and the likelihood of a given frame."""
    precision: Literal["fp32", "fp16", "int8", "int4"]
    """Precision of the weights."""
    file: str
    """Path of the ONNX file, relative to the voice's folder."""
    inputs: dict[str, Shape]
    """Name -> shape of every input."""
    outputs: dict[str, Shape]
    """Name -> shape of every output."""


class Normalisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How training data was normalised: `(x - mean) / std`, one value per channel.

    Audio has one channel, a pen two (dx, dy); the pen-up bit is not normalised.
    """

    mean: tuple[float, ...]
    """Mean per channel, in the unit of the frames."""
    std: tuple[float, ...]
    """Standard deviation per channel, in the unit of the frames."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the voice comes from."""

    data: str
    """Name of the training data."""
    source: str
    """Where the data can be found."""
    licence: str
    """Licence of the data."""
    command: str
    """Command that trained the model."""
    metrics: dict[str, float] = {}
    """Metrics of the trained model, by name."""


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PyTorch's results for fixed noise, with which any machine can compare its own results.

    The .npz file holds every `noise.*` input of the step graph, [T, ...]; the `frame`s [T, F] that the step graph
    generates from this noise, starting from a state of zero, with default controls; and as `observe.NAME` [T, ...] the
    outputs `posterior.mean`, `kl` and `log_likelihood` of the observe graph for those frames and zero noise.  If the
    voice reads a text, it also holds the `text.characters` [T, W] of both graphs, and `text.position` and
    `text.attention` of each.
    """

    file: str
    """Path of the .npz file, relative to the voice's folder."""
    frames: Positive
    """T, the number of frames."""
    tolerance: float
    """Largest difference allowed, relative to the largest magnitude of the array."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that the runtime needs to know about a voice."""

    schema_version: int
    """Version of this format."""
    name: str
    """Name of the voice."""
    modality: Literal["audio", "pen"]
    """What the voice generates: sound or ink."""
    rate: Positive
    """Samples (audio) or points (pen) per second."""
    frame_size: Positive
    """F: samples in an audio frame; 3 (dx, dy, pen-up) for a pen."""
    unit: str
    """Unit of a frame's values: `full scale` for audio, e.g. `mm` for a pen."""
    basis: Literal["samples", "mdct", "points"]
    """What the model's frames are made of: samples, MDCT coefficients, or points of a pen."""
    family: str
    """Model family, e.g. `vrnn-gauss`; for information only: the runtime does not use it."""
    graphs: tuple[Graph, ...]
    """The graphs; the first of each role is the default."""
    controls: tuple[Control, ...]
    """The controls."""
    normalisation: Normalisation
    """Normalisation of the training data, which is folded into the weights."""
    provenance: Provenance
    """Where the voice comes from."""
    parity: Parity
    """Results of PyTorch, to compare with."""
    files: dict[str, Sha256]
    """sha256 of every file of the voice except this manifest and documents, by path relative to the voice's folder."""
    text: Text | None = None
    """How the voice reads a text; null if it reads none."""

    @property
    def frames_per_second(self) -> float:
        """Frames per second: 80 for 200-sample frames at 16 kHz; for a pen the rate, as a frame is one point."""
        return self.rate / self.samples_per_frame

    @property
    def samples_per_frame(self) -> int:
        """Samples per frame of audio; 1 (one point) for a pen."""
        return self.frame_size if self.modality == "audio" else 1

    def graph(self, role: str, precision: str = "fp32") -> Graph:
        """Return a graph.

        Parameters
        ----------
        role : str
            `step` or `observe`.
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


def is_document(path: str) -> bool:
    """Return whether a file of a voice is a document for people, such as `CARD.md`, which no checksum protects.

    Parameters
    ----------
    path : str
        The path, relative to the voice's folder.
    """
    return PurePosixPath(path).suffix in (".md", ".txt")


def decode_manifest(text: bytes, where: str) -> Manifest:
    """Parse and check a manifest.

    Parameters
    ----------
    text : bytes
        Content of `voice.json`.
    where : str
        Its path, for error messages.

    Returns
    -------
    Manifest
        The checked manifest.

    Raises
    ------
    VoiceError
        The text is not JSON, its schema version is too new, a field is missing, unknown or of the wrong type, a path
        leaves the folder, a file has no checksum, or a graph does not fit `text`.
    """
    try:
        version = msgspec.json.decode(text, type=_Versioned).schema_version
        if version > SCHEMA_VERSION:
            raise VoiceError(
                f"{where}: schema_version {version} is newer than this vrnn-engine understands "
                f"({SCHEMA_VERSION}); upgrade vrnn-engine to use this voice"
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise VoiceError(f"{where}: not a valid voice manifest: {error}") from None
    for path in [*manifest.files, *(g.file for g in manifest.graphs), manifest.parity.file]:
        check_inside(path, where)
    unlisted = {*(g.file for g in manifest.graphs), manifest.parity.file} - set(manifest.files)
    if unlisted:
        raise VoiceError(f"{where}: no checksum for {', '.join(sorted(unlisted))}")
    for graph in manifest.graphs:
        check_text(manifest.text, graph.inputs, graph.outputs, f"{where}: {graph.file}")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest in a voice's folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    Manifest
        The checked manifest.

    Raises
    ------
    VoiceError
        There is no manifest, it cannot be read, or it is not valid (see `decode_manifest`).
    """
    path = folder / MANIFEST_FILE
    try:
        text = read_text_bytes(path)
    except OSError as error:
        if folder.is_file():
            raise VoiceError(f"{folder}: neither a voice's folder nor a .zip of one") from None
        raise VoiceError(f"{path}: cannot be read ({error.strerror}); is this a voice's folder?") from None
    return decode_manifest(text, str(path))


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as indented JSON, the content of `voice.json`.

    Parameters
    ----------
    manifest : Manifest
        The manifest.
    """
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `voice.json`, which docs/voice.schema.json publishes."""
    return msgspec.json.schema(Manifest)


def check_inside(path: str, where: str) -> None:
    """Check that a path is relative and stays inside its folder.

    Parameters
    ----------
    path : str
        The path, with slashes.
    where : str
        The manifest or archive that has it, for the error message.

    Raises
    ------
    VoiceError
        The path is empty or absolute, or leaves its folder on some system.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or re.match(r"^[A-Za-z]:", path) or not path:
        raise VoiceError(f"{where}: path {path!r} leaves the voice's folder")


class _Versioned(msgspec.Struct):
    schema_version: int
