"""Exports a checkpoint as a voice, or the model of a voice again."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from vrnn_engine.exporters.controls import fitting, with_defaults
from vrnn_engine.exporters.ink_style import InkStyle
from vrnn_engine.exporters.precision.quantise import BITS, ReducedPrecision
from vrnn_engine.exporters.provenance import provenance_of
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.exporters.text_steps import TextSteps
from vrnn_engine.exporters.training_file import read_training_file
from vrnn_engine.exporters.voice_writer import ExportedVoice, write_voice
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.runtime.voice.manifest import Provenance
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.recipe import Recipe

AGAIN = "vrnn-engine export"
"""Beginning of the command line that is added to the provenance of a voice that is exported again."""
LINE_HEIGHT = 6.4
"""Distance of two baselines, in heights of the ink (rms about its baseline).  Letters with ascenders and descenders
need about 5."""


@dataclasses.dataclass(frozen=True)
class _Trained:
    """A trained model, and what a voice of it is and keeps unless `export` is told otherwise."""

    checkpoint: Checkpoint
    provenance: Provenance
    name: str
    defaults: Mapping[str, float]
    precisions: frozenset[ReducedPrecision]


def export(
    source: Path | Voice,
    out: Path | None = None,
    name: str | None = None,
    defaults: Mapping[str, float] | None = None,
    half_weights: bool = False,
    precisions: Sequence[ReducedPrecision] = (),
) -> ExportedVoice:
    """Export a checkpoint of this package as a voice, or the model of a voice again, with the graphs of this version.

    Parameters
    ----------
    source : Path or Voice
        A checkpoint that training wrote; or a voice that `export` wrote, of which the weights, the defaults of the
        controls and the precisions are kept.
    out : Path, optional
        The voice's folder, which must not exist; `./NAME` by default.
    name : str, optional
        The voice's name; that of the recipe or voice by default.
    defaults : mapping of str to float, optional
        New defaults by name of the control, e.g. `{"output.temperature": 0.9}`.
    half_weights : bool
        Whether to round the weights to half precision, which halves the file.  The voice still computes in single
        precision; it is compared with a PyTorch model that has the same rounded weights.
    precisions : sequence of str
        `fp16`, `int8`, `int4`: precisions of further step graphs, besides fp32.

    Returns
    -------
    ExportedVoice
        The voice, and the deviations of its graphs from PyTorch and from fp32.

    Raises
    ------
    ControlError
        `defaults` contains the name of a control that the model does not have, or a value outside its range.
    CheckpointError
        The checkpoint is missing, truncated, or not a checkpoint of this package.
    VoiceError
        The voice has no training file, or the file is not valid.
    ExportError
        A graph differs from PyTorch, a reduced precision differs too much from fp32, or `out` exists.  No voice is
        written then.

    Examples
    --------
    >>> done = export(Path("runs/blizzard/best.pt"), Path("my-voice"), precisions=["int8"])  # doctest: +SKIP
    >>> done.voice.name  # doctest: +SKIP
    'blizzard'
    """
    given = _of_voice(source) if isinstance(source, Voice) else _of_checkpoint(source)
    loaded, name = given.checkpoint, name or given.name
    built = loaded.build()
    if half_weights:
        built.load_state_dict(built.state_dict() | {name: w.half().float() for name, w in built.named_parameters()})
    model = step_model(loaded.recipe, built, loaded.mean, loaded.std)
    model.controls = with_defaults(model.controls, fitting(model.controls, given.defaults) | dict(defaults or {}))
    wanted = sorted(given.precisions.union(precisions), key=list(BITS).index)
    signals = [matrix for matrix in built.buffers() if matrix.dim() == 2]
    trained = dataclasses.replace(loaded, model=built.state_dict())
    return write_voice(model, name, out or Path(name), given.provenance, wanted, signals, trained)


def _of_checkpoint(path: Path) -> _Trained:
    loaded = load_checkpoint(path)
    return _Trained(loaded, provenance_of(loaded), loaded.recipe.name, {}, frozenset())


def _of_voice(voice: Voice) -> _Trained:
    manifest = voice.manifest
    commands = [one for one in manifest.provenance.command.split("; ") if not one.startswith(AGAIN)]
    command = "; ".join([*commands, f"{AGAIN} {manifest.name}"])
    return _Trained(
        read_training_file(voice),
        msgspec.structs.replace(manifest.provenance, command=command),
        manifest.name,
        {control.name: control.default for control in manifest.controls},
        frozenset(BITS.keys() & {graph.precision for graph in manifest.graphs}),
    )


def step_model(
    recipe: Recipe, model: RecurrentModel, mean: tuple[float, ...], std: tuple[float, ...]
) -> RecurrentSteps | TextSteps:
    """Return the step model of a recipe's model.

    Parameters
    ----------
    recipe : Recipe
        Gives rate, unit and ink style.
    model : RecurrentModel
        A model of this recipe.
    mean, std : tuple of float
        Normalisation of the corpus.
    """
    ink_style = InkStyle(recipe.style, recipe.data.rate) if recipe.style else None
    rate, unit = recipe.data.rate, recipe.about.unit
    if isinstance(model, TextVRNN):
        return TextSteps(model, rate, unit, mean, std, line_height(recipe), ink_style)
    return RecurrentSteps(model, rate, unit, mean, std, ink_style)


def line_height(recipe: Recipe) -> float:
    """Return the distance of two baselines, in the unit of a pen recipe: `LINE_HEIGHT` heights of its ink."""
    return round(LINE_HEIGHT * recipe.ink_height, 1)
