"""Reads, checks and writes the manifest of a voice (`voice.json`)."""

import re
from collections.abc import Container
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.limits import check_limits
from vrnn_engine.runtime.voice.schema import Control, Graph, Manifest, Normalisation, Parity, Provenance, Role, Shape
from vrnn_engine.runtime.voice.text import check_text

__all__ = ["Control", "Graph", "Manifest", "Normalisation", "Parity", "Provenance", "Role", "Shape"]

SCHEMA_VERSION = 4
"""The newest version, that of a voice that has a graph to resynthesise."""
STEREO_VERSION = 3
"""The version of a stereo voice without such a graph: it has `channels`."""
TEXT_VERSION = 2
"""The version of a mono voice that reads a text, which earlier releases can read."""
PLAIN_VERSION = 1
"""The version of a mono voice without text, which all releases can read."""
OWN = "own."
"""Begins the names of the states of generated sound, in a graph that also has those of the sound that is heard."""
OWN_FRAME = "own.frame"
"""Name of the output with the frame that a resynthesis graph generates."""
LATENT_OUTPUTS = ("latent", "posterior.mean", "posterior.std", "kl")
"""Outputs of the observe graph of a voice that has latents, besides `log_likelihood`."""
REQUIRED: dict[Role, tuple[str, ...]] = {
    "step": ("frame",),
    "observe": ("log_likelihood",),
    "resynthesise": (OWN_FRAME, "log_likelihood", *LATENT_OUTPUTS),
}
"""Outputs that a graph must have, besides the next state and, if it observes latents, `LATENT_OUTPUTS`."""
MANIFEST_FILE = "voice.json"
LONGEST_NAME = 200
"""Largest number of characters of a file name; file systems allow 255 bytes."""
MAX_MANIFEST = 16 << 20
"""Largest size of a manifest in bytes."""
CARD_FILE = "CARD.md"
"""The description of a voice for people; a document."""
TRAINING_FILE = "training.json"
"""From this file a new training run can start; the runtime does not read it."""


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
        version = decode_json(text, _Versioned).schema_version
        if version > SCHEMA_VERSION:
            raise VoiceError(
                f"{where}: schema_version {version} is newer than this vrnn-engine understands "
                f"({SCHEMA_VERSION}); upgrade vrnn-engine to use this voice"
            )
        manifest = decode_json(text, Manifest)
    except ValueError as error:
        raise VoiceError(f"{where}: not a valid voice manifest: {error}") from None
    used = {*(g.file for g in manifest.graphs), manifest.parity.file}
    for path in [*manifest.files, *sorted(used)]:
        check_inside(path, where)
    check_limits(manifest, where)
    for path in sorted(used):
        check_listed(path, manifest.files, where)
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
        text = read_text_bytes(path, MAX_MANIFEST)
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


def check_listed(path: str, files: Container[str], where: str) -> None:
    """Check that a file that a voice uses has a checksum, which is verified.

    Parameters
    ----------
    path : str
        Path of the file, as the manifest or a graph names it.
    files : container of str
        The paths that have a checksum in the manifest.
    where : str
        The manifest or graph that uses the file, for the error message.

    Raises
    ------
    VoiceError
        The manifest does not list the file, or it is a document, whose checksum is not verified.
    """
    if path not in files:
        raise VoiceError(f"{where}: no checksum for {path!r}; export the voice again")
    if is_document(path):
        raise VoiceError(f"{where}: uses {path!r}, which is a document by its ending; give it another ending")


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
        The path is empty or absolute, leaves its folder on some system, or no file can have it.
    """
    if any(ord(character) < 32 for character in path) or any(len(part) > LONGEST_NAME for part in path.split("/")):
        raise VoiceError(f"{where}: path {path!r:.80} has a control character or a name of over {LONGEST_NAME} letters")
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or re.match(r"^[A-Za-z]:", path) or not path:
        raise VoiceError(f"{where}: path {path!r} leaves the voice's folder")


class _Versioned(msgspec.Struct):
    schema_version: int
