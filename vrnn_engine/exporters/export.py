"""Export a checkpoint as a voice."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from vrnn_engine.exporters.controls import with_defaults
from vrnn_engine.exporters.ink_style import InkStyle
from vrnn_engine.exporters.precision.quantise import ReducedPrecision
from vrnn_engine.exporters.provenance import provenance_of
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.exporters.text_steps import TextSteps
from vrnn_engine.exporters.voice_writer import ExportedVoice, write_voice
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.recipe import Recipe

LINE_HEIGHT = 6.4
"""Distance of two baselines, in heights of the ink (rms about its baseline).  Letters with ascenders and descenders
need about 5."""


def export(
    checkpoint: Path,
    out: Path | None = None,
    name: str | None = None,
    defaults: Mapping[str, float] | None = None,
    half_weights: bool = False,
    precisions: Sequence[ReducedPrecision] = (),
) -> ExportedVoice:
    """Export a checkpoint of this package as a voice.

    Parameters
    ----------
    checkpoint : Path
        A checkpoint that training wrote.
    out : Path, optional
        The voice's folder, which must not exist; `./NAME` by default.
    name : str, optional
        The voice's name; the recipe's name by default.
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
    ExportError
        A graph differs from PyTorch, a reduced precision differs too much from fp32, or `out` exists.  No voice is
        written then.

    Examples
    --------
    >>> done = export(Path("runs/blizzard/best.pt"), Path("my-voice"), precisions=["int8"])  # doctest: +SKIP
    >>> done.voice.name  # doctest: +SKIP
    'blizzard'
    """
    loaded = load_checkpoint(checkpoint)
    built = loaded.build()
    if half_weights:
        built.load_state_dict(built.state_dict() | {name: w.half().float() for name, w in built.named_parameters()})
    model = step_model(loaded.recipe, built, loaded.mean, loaded.std)
    model.controls = with_defaults(model.controls, defaults or {})
    name = name or loaded.recipe.name
    signals = [matrix for matrix in built.buffers() if matrix.dim() == 2]
    trained = dataclasses.replace(loaded, model=built.state_dict())
    return write_voice(model, name, out or Path(name), provenance_of(loaded), precisions, signals, trained)


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
