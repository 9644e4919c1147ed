"""Chooses the files of a voice that a browser needs to generate: one step graph and its weights."""

import hashlib
from pathlib import Path

import msgspec

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.manifest import CARD_FILE, MANIFEST_FILE, Graph, encode_manifest
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.serve.web.external_data import weights_of

_PRECISIONS = ("fp32", "fp16")


def browser_voice(voice: Voice) -> dict[str, bytes]:
    """Return the files of a smaller voice that generates the same and cannot observe.

    It has the step graph, of each file of weights the part that this graph reads, the parity vectors, the card, and a
    manifest that lists no more than these.

    Parameters
    ----------
    voice : Voice
        The voice.

    Returns
    -------
    dict of str to bytes
        Contents by path relative to the voice's folder.

    Raises
    ------
    VoiceError
        The voice has no step graph of 16 or 32 bits, or a file of it cannot be read.
    """
    step = _step_graph(voice)
    ends = weights_of(voice, step)
    files = {step.file: _read(voice.path / step.file)}
    files |= {name: _read(voice.path / name, end) for name, end in sorted(ends.items())}
    files[voice.manifest.parity.file] = _read(voice.path / voice.manifest.parity.file)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = msgspec.structs.replace(voice.manifest, graphs=(step,), files=digests)
    if (card := voice.card()) is not None:
        files[CARD_FILE] = card
    return files | {MANIFEST_FILE: encode_manifest(manifest)}


def _step_graph(voice: Voice) -> Graph:
    graphs = {graph.precision: graph for graph in voice.manifest.graphs if graph.role == "step"}
    for precision in _PRECISIONS:
        if precision in graphs:
            return graphs[precision]
    raise VoiceError(
        f"voice {voice.name!r} has only {', '.join(graphs)} weights, which browsers compute about ten times slower "
        "than fp32; export it with fp32 weights"
    )


def _read(path: Path, size: int | None = None) -> bytes:
    """Return the first bytes of a file, or all of them."""
    try:
        with path.open("rb") as file:
            return file.read() if size is None else file.read(size)
    except OSError as error:
        raise read_error(path, error, VoiceError) from None
