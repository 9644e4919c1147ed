"""Write a step model as a voice folder, and compare it with PyTorch before the folder gets its final name."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from torch import Tensor

from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.folders import check_name
from vrnn_engine.errors import ExportError, VoiceError
from vrnn_engine.exporters.card import card
from vrnn_engine.exporters.contract import check_contract
from vrnn_engine.exporters.fuse import fuse_products
from vrnn_engine.exporters.graphs.tracing import trace
from vrnn_engine.exporters.graphs.weights_file import copy_graph, save_graphs
from vrnn_engine.exporters.precision.accuracy import Deviation, check_precisions
from vrnn_engine.exporters.precision.quantise import BITS, ReducedPrecision, quantise
from vrnn_engine.exporters.protocol import StepModel, channels_of, functions_of, text_of
from vrnn_engine.exporters.reference import CARRIED_FRAMES, FRAMES, TOLERANCE, compare, reference_vectors
from vrnn_engine.exporters.training_file import write_training_file
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    PLAIN_VERSION,
    SCHEMA_VERSION,
    STEREO_VERSION,
    TEXT_VERSION,
    Graph,
    Manifest,
    Parity,
    Provenance,
    encode_manifest,
    is_document,
)
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.training.checkpoint import Checkpoint

PARITY_FILE = "parity.npz"

Models = dict[str, onnx.ModelProto]
"""Graphs with their weights, by file name."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportedVoice:
    """A voice that was written, and its deviations from PyTorch.

    Attributes
    ----------
    voice : Voice
        The voice, under its final path.
    frames : int
        Number of frames that were compared.
    difference : float
        Largest difference over these frames and all outputs of all graphs, relative to the output's largest value.
    deviations : tuple of Deviation
        Deviation of each reduced precision from fp32.
    """

    voice: Voice
    frames: int
    difference: float
    deviations: tuple[Deviation, ...]


def write_voice(
    model: StepModel,
    name: str,
    folder: Path,
    provenance: Provenance,
    precisions: Sequence[ReducedPrecision] = (),
    signals: Iterable[Tensor] = (),
    trained: Checkpoint | None = None,
) -> ExportedVoice:
    """Write a step model as a voice.

    Parameters
    ----------
    model : StepModel
        The model; see `vrnn_engine.exporters.protocol`.
    name : str
        The voice's name.
    folder : Path
        The voice's folder, which must not exist.
    provenance : Provenance
        Data, licence, training command and metrics of the model.
    precisions : sequence of str
        `fp16`, `int8`, `int4`: precisions of further step graphs, besides fp32.
    signals : iterable of Tensor
        Matrices that stay in fp32, because they are filters and transforms, not weights.
    trained : Checkpoint, optional
        The model's checkpoint, with the weights that are exported; then training can start from the voice.

    Returns
    -------
    ExportedVoice
        The voice, and the deviations of its graphs from PyTorch and from fp32.

    Raises
    ------
    ExportError
        The model breaks the graph contract, a graph differs from PyTorch, the rows of a batch depend on each other, a
        reduced precision differs too much from fp32, the folder exists, or the name cannot be the name of a file.
    """
    check_name(name, "voice", ExportError)
    if folder.exists():
        raise ExportError(f"{folder}: exists already; remove it, or choose another folder")
    try:
        with torch.no_grad(), atomic_folder(folder) as making:
            exact = [matrix.numpy() for matrix in signals]
            graphs, difference, deviations = _write_graphs(model, making, precisions, exact)
            if trained:
                write_training_file(making, trained)
            manifest = _write_manifest(model, name, provenance, graphs, making)
            rows = verify(Voice.open(making)).rows
    except OSError as error:
        raise ExportError(f"{folder}: cannot write the voice: {error.strerror or error}") from None
    except VoiceError as error:
        raise ExportError(f"{folder}: not written: {error}") from None
    if rows.difference:
        _log.warning(
            "%s: %s changes with the number of rows, by rounding (%.1g of its largest value): a stream will not have "
            "the same bits in every batch",
            *(folder, rows.output, rows.difference),
        )
    return ExportedVoice(Voice(name, folder, manifest), FRAMES, difference, deviations)


def _write_graphs(
    model: StepModel, folder: Path, precisions: Sequence[ReducedPrecision], exact: Sequence[np.ndarray]
) -> tuple[tuple[Graph, ...], float, tuple[Deviation, ...]]:
    """Write graphs, weights and parity vectors; return the graphs' manifest entries and their deviations."""
    traced, whole = _trace(model)
    compared = [graph for graph in whole if graph.role != "resynthesise"]
    reduced = {p: {g.file: quantise(traced[g.file], BITS[p], exact) for g in compared} for p in precisions}
    # `save_graphs` removes the weights from a graph, but the comparison below needs those of the graphs in `reduced`.
    steps = {f"step.{p}.onnx": copy_graph(models["step.onnx"]) for p, models in reduced.items()}
    save_graphs(traced | steps, folder)
    vectors = reference_vectors(model)
    difference = max(
        compare(model, graph.role, GraphSession(folder, graph, model.controls, "cpu"), vectors) for graph in whole
    )
    deviations = check_precisions(reduced, folder, compared, model.controls, vectors)
    np.savez_compressed(folder / PARITY_FILE, **_carried(vectors))  # type: ignore[arg-type]
    further = (msgspec.structs.replace(whole[0], precision=p, file=f"step.{p}.onnx") for p in precisions)
    return (*whole, *further), difference, deviations


def _trace(model: StepModel) -> tuple[Models, list[Graph]]:
    """Return the graphs in fp32, the step graph first, and their entries in the manifest."""
    check_contract(model)
    models, graphs = {}, []
    for role, (function, inputs) in functions_of(fuse_products(model)).items():
        file = f"{role}.onnx"
        models[file], outputs = trace(function, inputs)
        graphs.append(Graph(role=role, precision="fp32", file=file, inputs=inputs, outputs=outputs))
    return models, graphs


def _write_manifest(
    model: StepModel, name: str, provenance: Provenance, graphs: tuple[Graph, ...], folder: Path
) -> Manifest:
    """Write CARD.md and voice.json, with the checksums of all files but these."""
    text, channels = text_of(model), channels_of(model)
    manifest = Manifest(
        schema_version=_version(graphs, channels, text is not None),
        name=name,
        modality=model.modality,
        rate=model.rate,
        frame_size=model.frame_size,
        unit=model.unit,
        basis=model.basis,
        family=model.family,
        graphs=graphs,
        controls=model.controls,
        normalisation=model.normalisation,
        provenance=provenance,
        parity=Parity(file=PARITY_FILE, frames=CARRIED_FRAMES, tolerance=TOLERANCE),
        files={},
        text=text,
        channels=channels,
    )
    (folder / CARD_FILE).write_text(card(manifest), "utf-8")
    manifest = msgspec.structs.replace(manifest, files=_checksums(folder))
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
    return manifest


def _version(graphs: Iterable[Graph], channels: int, reads_text: bool) -> int:
    """Return the oldest version of the format that a voice fits."""
    if any(graph.role == "resynthesise" for graph in graphs):
        return SCHEMA_VERSION
    return STEREO_VERSION if channels > 1 else TEXT_VERSION if reads_text else PLAIN_VERSION


def _carried(vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the vectors that a voice contains; noise was rounded to half precision before, so none of it is lost."""
    return {
        name: values[:CARRIED_FRAMES].astype(np.float16 if name.startswith("noise.") else np.float32)
        for name, values in vectors.items()
    }


def _checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not is_document(path.name)
    }
