"""The manifest of a voice (`voice.json`): its typed schema, how it is read and written.

This file is the only place that knows the format.  Shapes leave the batch axis out.
"""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from vrnn_engine.errors import VoiceError

SCHEMA_VERSION = 1
MANIFEST_FILE = "voice.json"

Shape = tuple[Annotated[int, msgspec.Meta(ge=1)], ...]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing a person may steer while the voice runs."""

    name: str
    """Without the `control.` that its graph input carries, e.g. `latent.temperature`."""
    shape: Shape
    """`[1]` for a scalar, `[Z]` for one value per latent dimension."""
    default: float
    minimum: float
    maximum: float
    description: str


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ONNX file, with exactly the inputs and outputs it has."""

    role: Literal["step", "observe"]
    precision: Literal["fp32", "fp16", "int8", "int4"]
    file: str
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


class Normalisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How world units became model units: `(x - mean) / std`, one value per channel.

    Audio has one channel, a pen two (dx, dy); the pen-up bit is not normalised.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the voice comes from."""

    data: str
    source: str
    licence: str
    command: str
    metrics: dict[str, float] = {}


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What PyTorch gave for fixed noise, so that any machine can check that it gives the same.

    The .npz holds every `noise.*` input of the step graph, [T, ...], the `frame`s [T, F] that came
    of it from zero state with default controls, and `observe.NAME` [T, ...] for the outputs
    `posterior.mean`, `kl` and `log_likelihood` of the observe graph fed with those frames and with
    noise of zero.
    """

    file: str
    frames: Positive
    tolerance: float
    """Largest difference allowed, relative to the largest magnitude of the array compared."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a runtime needs to know of a voice."""

    schema_version: int
    name: str
    modality: Literal["audio", "pen"]
    rate: Positive
    """Samples (audio) or points (pen) per second."""
    frame_size: Positive
    """F: samples in an audio frame; 3 (dx, dy, pen-up) for a pen."""
    unit: str
    """Unit of a frame's values: `full scale` for audio, e.g. `mm` for a pen."""
    basis: Literal["samples", "mdct", "points"]
    family: str
    """Model family, e.g. `vrnn-gauss`; for people, the runtime does not read it."""
    graphs: tuple[Graph, ...]
    controls: tuple[Control, ...]
    normalisation: Normalisation
    provenance: Provenance
    parity: Parity
    files: dict[str, Sha256]
    """sha256 of every file of the voice but this manifest, by path relative to the folder."""

    @property
    def frames_per_second(self) -> float:
        """80 for 200-sample frames at 16 kHz; the point rate for a pen (one point a frame)."""
        return self.rate / self.samples_per_frame

    @property
    def samples_per_frame(self) -> int:
        """Samples an audio frame covers, or 1 (one point) for a pen."""
        return self.frame_size if self.modality == "audio" else 1

    def graph(self, role: str, precision: str = "fp32") -> Graph:
        """Return the graph of a role and precision; raise `VoiceError` if the voice has none."""
        for graph in self.graphs:
            if graph.role == role and graph.precision == precision:
                return graph
        carried = ", ".join(f"{g.role}/{g.precision}" for g in self.graphs)
        raise VoiceError(f"voice {self.name!r} carries no {role} graph in {precision!r} (it has {carried})")


def decode_manifest(text: bytes, where: str) -> Manifest:
    """Parse and check `voice.json`; `where` names it in errors.

    Raises
    ------
    VoiceError
        Not JSON, a newer schema, a missing, unknown or ill-typed field, an unsafe path.
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
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `voice.json`, as published in docs/."""
    return msgspec.json.schema(Manifest)


def check_inside(path: str, where: str) -> None:
    """Raise `VoiceError` unless `path` is a plain relative path that stays inside its folder."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or re.match(r"^[A-Za-z]:", path) or not path:
        raise VoiceError(f"{where}: path {path!r} leaves the voice's folder")


class _Versioned(msgspec.Struct):
    schema_version: int
