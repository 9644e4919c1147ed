"""Checkpoint -> voice folder, checked against PyTorch before it takes its place."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from torch import Tensor

from vrnn_engine.base.files import atomic_folder
from vrnn_engine.errors import ExportError, VoiceError
from vrnn_engine.exporters.card import card
from vrnn_engine.exporters.fuse import fuse
from vrnn_engine.exporters.graph import copy_of, save_graphs, trace
from vrnn_engine.exporters.precision import Moved, gate
from vrnn_engine.exporters.protocol import StepModel
from vrnn_engine.exporters.quantise import BITS, Few, quantise
from vrnn_engine.exporters.reference import CARRIED_FRAMES, FRAMES, TOLERANCE, compare, reference
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.models.style import Hand
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import (
    MANIFEST_FILE,
    SCHEMA_VERSION,
    Control,
    Graph,
    Manifest,
    Parity,
    Provenance,
    encode_manifest,
)
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.recipe import Recipe, bundled_recipes, load_recipe, recipe_fields

PARITY_FILE, CARD_FILE = "parity.npz", "CARD.md"


@dataclass(frozen=True)
class Exported:
    """A voice that was written, and how far it is from PyTorch."""

    voice: Voice
    frames: int
    difference: float
    """Largest over `frames` frames and all outputs of both graphs, relative to the output's largest value."""
    moved: tuple[Moved, ...]
    """How far each other precision is from fp32."""


def export(
    checkpoint: Path,
    out: Path | None = None,
    name: str | None = None,
    defaults: Mapping[str, float] | None = None,
    half_weights: bool = False,
    precisions: Sequence[Few] = (),
) -> Exported:
    """Export a checkpoint of this package as a voice.

    Parameters
    ----------
    checkpoint : Path
        Written by training.
    out : Path, optional
        The voice's folder; `./NAME` if not given.  It must not exist.
    name : str, optional
        The voice's name; the recipe's if not given.
    defaults : mapping of str to float, optional
        Controls whose default is to be another one, e.g. `{"output.temperature": 0.9}`.
    half_weights : bool
        Round the weights to half precision, which halves the voice.  It still computes in single
        precision, and is compared with PyTorch on the rounded weights.
    precisions : sequence of str
        `fp16`, `int8`, `int4`: what the voice is to carry its step in beside fp32.

    Raises
    ------
    ControlError
        `defaults` names no control of the model, or a value out of its range.
    CheckpointError
        The checkpoint is missing, truncated or not one of ours.
    ExportError
        A graph differs from PyTorch, a precision is too far from fp32, or `out` is there already.  Nothing is left
        of the voice then.
    """
    kept = load_checkpoint(checkpoint)
    recipe = kept.recipe
    built = kept.build()
    if half_weights:
        built.load_state_dict(built.state_dict() | {name: w.half().float() for name, w in built.named_parameters()})
    model = steps_of(recipe, built, kept.mean, kept.std)
    model.controls = with_defaults(model.controls, defaults or {})
    provenance = Provenance(
        data=recipe.about.data,
        source=recipe.about.source,
        licence=recipe.about.licence,
        command=_command(kept),
        metrics=kept.metrics,
    )
    name = name or recipe.name
    signals = [matrix for matrix in built.buffers() if matrix.dim() == 2]
    return write_voice(model, name, out or Path(name), provenance, precisions, signals)


def write_voice(
    model: StepModel,
    name: str,
    folder: Path,
    provenance: Provenance,
    precisions: Sequence[Few] = (),
    signals: Iterable[Tensor] = (),
) -> Exported:
    """Write any step model as a voice; see `vrnn_engine.exporters.protocol`.

    Parameters
    ----------
    precisions : sequence of str
        `fp16`, `int8`, `int4`: what the voice is to carry its step in beside fp32.
    signals : iterable of Tensor
        Matrices that are no weights, and stay in fp32: filters and transforms.

    Raises
    ------
    ExportError
        A graph differs from PyTorch, a precision is too far from fp32, or the folder is there already.
    """
    if folder.exists():
        raise ExportError(f"{folder}: is there already; remove it, or write elsewhere with --out")
    try:
        with torch.no_grad(), atomic_folder(folder) as making:
            traced, graphs = _trace(model)
            exact = [matrix.numpy() for matrix in signals]
            few = {p: {name: quantise(graph, BITS[p], exact) for name, graph in traced.items()} for p in precisions}
            steps = {f"step.{p}.onnx": copy_of(models["step.onnx"]) for p, models in few.items()}
            save_graphs(traced | steps, making)
            vectors = reference(model)
            difference = max(
                compare(model, GraphSession(making, graph, model.controls, "cpu"), vectors) for graph in graphs
            )
            moved = gate(few, making, graphs, model.controls, vectors)
            np.savez_compressed(making / PARITY_FILE, **_compact(vectors))  # type: ignore[arg-type]
            manifest = Manifest(
                schema_version=SCHEMA_VERSION,
                name=name,
                modality=model.modality,
                rate=model.rate,
                frame_size=model.frame_size,
                unit=model.unit,
                basis=model.basis,
                family=model.family,
                graphs=(*graphs, *(_in_few(graphs[0], precision) for precision in precisions)),
                controls=model.controls,
                normalisation=model.normalisation,
                provenance=provenance,
                parity=Parity(file=PARITY_FILE, frames=CARRIED_FRAMES, tolerance=TOLERANCE),
                files={},
            )
            (making / CARD_FILE).write_text(card(manifest), "utf-8")
            manifest = _with_checksums(manifest, making)
            (making / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
            verify(Voice.open(making))
    except OSError as error:
        raise ExportError(f"{folder}: cannot write the voice: {error.strerror or error}") from None
    except VoiceError as error:
        raise ExportError(f"{folder}: not written: {error}") from None
    return Exported(Voice(name, folder, manifest), FRAMES, difference, moved)


def steps_of(recipe: Recipe, model: RecurrentModel, mean: tuple[float, ...], std: tuple[float, ...]) -> RecurrentSteps:
    """Return a recipe's model as a step model, with the normalisation of its corpus."""
    hand = Hand(recipe.style, recipe.data.rate) if recipe.style else None
    return RecurrentSteps(model, recipe.data.rate, recipe.about.unit, mean, std, hand)


def with_defaults(controls: tuple[Control, ...], defaults: Mapping[str, float]) -> tuple[Control, ...]:
    """Return the controls with other defaults; raise `ControlError` where they do not fit."""
    checked = Controls(controls)
    checked.update(defaults)
    return tuple(
        msgspec.structs.replace(control, default=float(defaults.get(control.name, control.default)))
        for control in controls
    )


def _command(kept: Checkpoint) -> str:
    """Return the command that trains such a checkpoint again."""
    recipe, bundled = kept.recipe, None
    if recipe.name in bundled_recipes():
        bundled = load_recipe(recipe.name)
        fields = recipe_fields(recipe) | {"seed": bundled.seed}  # as plain values: half a change need not be valid
        fields["training"]["updates"] = bundled.training.updates
        if fields != recipe_fields(bundled):
            bundled = None
    words = ["vrnn-engine train", recipe.name if bundled else f"{recipe.name}.toml", "--data DATA"]
    if kept.started_from:
        words.append(f"--from runs/{kept.started_from}/best.pt")
    if bundled and bundled.seed != recipe.seed:
        words.append(f"--seed {recipe.seed}")
    command, totals = " ".join(words), [*kept.resume.get("begun", []), recipe.training.updates]
    # As long as its first part was, and then each of the longer ones that it went on to.
    if totals[1:] or (bundled and bundled.training.updates != recipe.training.updates):
        command += f" --updates {totals[0]}"
    return "; ".join([command, *(f"the same with --resume --updates {total}" for total in totals[1:])])


def _trace(model: StepModel) -> tuple[dict[str, onnx.ModelProto], tuple[Graph, Graph]]:
    """Return both graphs by file name, and what the manifest says of them."""
    step_inputs, observe_inputs = model.step_inputs(), model.observe_inputs()
    fused = fuse(model)
    step, step_outputs = trace(fused.generate, step_inputs)
    observe, observe_outputs = trace(fused.observe, observe_inputs)
    return {"step.onnx": step, "observe.onnx": observe}, (
        Graph(role="step", precision="fp32", file="step.onnx", inputs=step_inputs, outputs=step_outputs),
        Graph(role="observe", precision="fp32", file="observe.onnx", inputs=observe_inputs, outputs=observe_outputs),
    )


def _in_few(step: Graph, precision: Few) -> Graph:
    return msgspec.structs.replace(step, precision=precision, file=f"step.{precision}.onnx")


def _compact(vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    # Noise was drawn in half precision, so that it is stored so without a loss.
    return {
        name: values[:CARRIED_FRAMES].astype(np.float16 if name.startswith("noise.") else np.float32)
        for name, values in vectors.items()
    }


def _with_checksums(manifest: Manifest, folder: Path) -> Manifest:
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return msgspec.structs.replace(manifest, files=files)
