"""Checkpoints: files from which a run is resumed or a voice exported; they contain only tensors and plain values."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.errors import CheckpointError, TrainingError
from vrnn_engine.models.families import build_model
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.models.torch_file import load_fields, save_fields
from vrnn_engine.training.recipe import Recipe, recipe_fields, recipe_from

BEST, LAST = "best.pt", "last.pt"
"""File names of a run's checkpoints: the one with the best validation, and the last one."""
KIND = "checkpoint"
VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training run after some update."""

    recipe: Recipe
    model: dict[str, Tensor]
    """Weights to evaluate and export: their moving average, if the recipe has one."""
    mean: tuple[float, ...]
    """Mean of the training data, per channel."""
    std: tuple[float, ...]
    """Standard deviation of the training data, per channel."""
    metrics: dict[str, float]
    """Bounds in nats and training time in seconds, by name; see `vrnn_engine.training.validation.Bound`."""
    started_from: str
    """Name of the recipe that trained the initial weights of the run; empty if they were random."""
    resume: dict[str, Any]
    """The state that the run needs to continue; see `vrnn_engine.training.training_run.TrainingRun.save`."""
    earlier: str = ""
    """Command lines that trained the initial weights of the run, separated by semicolons; empty if they were random."""

    def build(self) -> RecurrentModel:
        """Return the model with its weights, in evaluation mode, on the CPU.

        Raises
        ------
        CheckpointError
            The weights do not fit the recipe's model.
        """
        if self._shapes() != {name: tuple(weight.shape) for name, weight in self.model.items()}:
            raise CheckpointError(
                f"the weights of this checkpoint do not fit the model of its recipe {self.recipe.name}; train again"
            )
        model = build_model(self.recipe.model)
        model.load_state_dict(self.model)
        return model.eval()

    def _shapes(self) -> dict[str, tuple[int, ...]] | None:
        """Return the shapes of the weights of the recipe's model, for which no memory is taken; None if it has none."""
        try:
            with torch.device("meta"):
                weights = build_model(self.recipe.model).state_dict()
        except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError):  # its sizes are too large
            return None
        return {name: tuple(weight.shape) for name, weight in weights.items()}


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint and replace an earlier one; if this fails, the earlier one is unchanged.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint to write.
    path : Path
        The file; its folder must exist.

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    fields = {
        "version": VERSION,
        "recipe": recipe_fields(checkpoint.recipe),
        "model": checkpoint.model,
        "mean": list(checkpoint.mean),
        "std": list(checkpoint.std),
        "metrics": checkpoint.metrics,
        "started_from": checkpoint.started_from,
        "resume": checkpoint.resume,
        "earlier": checkpoint.earlier,
    }
    save_fields(KIND, fields, path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a checkpoint.  Nothing in the file is executed.

    Parameters
    ----------
    path : Path
        A file that `save_checkpoint` wrote.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, not a checkpoint of this package, or of a newer version of this package.
    """
    fields = load_fields(KIND, path, "train one with `vrnn-engine train`")
    version = fields.get("version")
    if isinstance(version, int) and version > VERSION:
        raise CheckpointError(
            f"{path}: checkpoint version {version:.6g} is newer than this vrnn-engine reads; upgrade vrnn-engine"
        )
    try:
        return _checkpoint(fields)
    except (KeyError, TypeError, ValueError, RecursionError) as error:  # msgspec.ValidationError is a ValueError
        reason = f"no {error}" if isinstance(error, KeyError) else one_line(error)
        raise CheckpointError(
            f"{path}: this checkpoint lacks a field, or a field is invalid: {reason}; train again"
        ) from None


def diverged(name: str, what: str, folder: Path) -> TrainingError:
    """Return the error of a run that diverged; it names the existing checkpoints and says how to continue.

    Parameters
    ----------
    name : str
        Name of the recipe.
    what : str
        The value that was not finite, and the update in which it was not.
    folder : Path
        Folder of the run.
    """
    paths = [folder / file for file in (BEST, LAST) if (folder / file).exists()]
    if not paths:
        return TrainingError(f"{name}: {what}, before a checkpoint was saved; lower learning_rate or clip")
    held = ", ".join(f"{path.name} holds update {load_checkpoint(path).resume['done']}" for path in paths)
    return TrainingError(
        f"{name}: {what}; {held}; lower learning_rate or clip, and start a new run from the weights "
        f"in {paths[0]}, in another folder",
        ("start", "out"),
    )


def _checkpoint(fields: dict[str, Any]) -> Checkpoint:
    """Return the checkpoint of fields; raise an error unless they have the right types."""
    plain = {name: fields[name] for name in ("version", "mean", "std", "metrics", "started_from")}
    checked = msgspec.convert({**plain, "earlier": fields.get("earlier", "")}, _Plain)
    weights, resume = fields["model"], fields["resume"]
    if not isinstance(weights, dict) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise TypeError("model is not a table of weights")
    if not isinstance(resume, dict):
        raise TypeError("resume is not a table")
    if not all(map(math.isfinite, (*checked.mean, *checked.std))):
        raise ValueError("the normalisation is not finite")
    return Checkpoint(
        recipe=recipe_from(fields["recipe"]),
        model=weights,
        mean=checked.mean,
        std=checked.std,
        metrics=fields["metrics"],
        started_from=checked.started_from,
        resume=resume,
        earlier=checked.earlier,
    )


class _Plain(msgspec.Struct):
    """The types of the fields that are plain values."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    metrics: dict[str, float]
    started_from: str
    earlier: str
