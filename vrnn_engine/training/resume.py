"""Resumes a run: loads its last checkpoint, checks that recipe and corpus are the same, and restores its state."""

from pathlib import Path
from typing import TypeGuard

import msgspec
import numpy as np

from vrnn_engine.errors import CheckpointError
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.recipe import Recipe, changed
from vrnn_engine.training.schedule import total_can_change
from vrnn_engine.training.training_run import TrainingRun


def has_time_limit(interrupted: Checkpoint | None) -> TypeGuard[Checkpoint]:
    """Return whether a run that is resumed was begun with a time limit."""
    return interrupted is not None and bool(interrupted.resume.get("time_limit"))


def load_interrupted(last: Path, recipe: Recipe, limited: bool) -> Checkpoint:
    """Load the checkpoint to resume from; raise `CheckpointError` unless this recipe may continue it.

    Parameters
    ----------
    last : Path
        The checkpoint.
    recipe : Recipe
        The recipe of the run, fitted to the recordings.
    limited : bool
        Whether the run is given a time limit.
    """
    interrupted = load_checkpoint(last)
    if has_time_limit(interrupted):
        planned = msgspec.structs.replace(interrupted.recipe, training=recipe.training)
        same_updates = recipe.training.updates == interrupted.resume["time_limit"]["recipe_updates"]
        if planned != recipe or not same_updates:
            raise CheckpointError(
                f"{last}: this run has a time limit and was begun with another recipe, seed or number of updates, or "
                "on other recordings; resume it with its own, or choose another folder",
                ("seed", "updates", "out"),
            )
        return interrupted
    if limited:
        raise CheckpointError(f"{last}: this run was begun without a time limit; resume it without one", ("minutes",))
    begun, wanted = interrupted.recipe.training.updates, recipe.training.updates
    if changed(interrupted.recipe, updates=wanted) != recipe:
        raise CheckpointError(
            f"{last}: this run was trained with another recipe or seed; resume it with its own recipe and seed, "
            "or choose another folder",
            ("seed", "out"),
        )
    done = interrupted.resume.get("done")
    if total_can_change(interrupted.recipe.training, wanted, done):
        return interrupted
    if wanted < begun or (wanted > begun and done != begun):
        raise CheckpointError(
            f"{last}: this run has {begun:,} updates; resume it with the same number of updates, {begun}; it may get "
            "more once it is done",
            ("updates",),
        )
    return interrupted


def check_normalisation(interrupted: Checkpoint, run: TrainingRun, last: Path, data: Path) -> None:
    """Raise `CheckpointError` if a run began on another corpus, which has another mean or sd.

    Parameters
    ----------
    interrupted : Checkpoint
        The run as it was saved.
    run : TrainingRun
        The run on the corpus that is given now.
    last, data : Path
        The checkpoint and the corpus, for the message.
    """
    before = interrupted.resume.get("data_moments") or [*interrupted.mean, *interrupted.std]
    now = run.data_moments
    if len(before) != len(now) or not np.allclose(before, now, rtol=1e-9, atol=0):
        raise CheckpointError(
            f"{last}: the run began on another corpus than {data}, with another mean and sd; resume it on the same "
            "corpus, or start a new run from its weights in another folder",
            ("start", "out"),
        )


def restore(run: TrainingRun, interrupted: Checkpoint, last: Path) -> None:
    """Restore a run; if it was finished and gets more updates, record their earlier total.

    Parameters
    ----------
    run : TrainingRun
        The run, as it begins.
    interrupted : Checkpoint
        The run as it was saved.
    last : Path
        The checkpoint, for the message.
    """
    begun = interrupted.recipe.training.updates
    try:
        run.restore(interrupted)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
        raise CheckpointError(
            f"{last}: another version of this package wrote it, and this version cannot resume it; "
            "train again in another folder",
            ("out",),
        ) from None
    if run.recipe.training.updates > begun == run.done:
        run.earlier_totals.append(begun)
