"""Trains a recipe: checks the output folder, runs all updates, and measures the best checkpoint on the test split."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vrnn_engine.data.batches import Corpus
from vrnn_engine.errors import CheckpointError, TrainingError
from vrnn_engine.training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.interrupt import deferred_interrupts
from vrnn_engine.training.recipe import Recipe, changed
from vrnn_engine.training.schedule import total_can_change
from vrnn_engine.training.training_run import Progress, TrainingRun
from vrnn_engine.training.validation import validate
from vrnn_engine.training.world import World, join_world

_log = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    start: Path | Checkpoint | None = None,
    strict: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Checkpoint:
    """Train a recipe and return its best checkpoint.

    On an interrupt (Ctrl-C), the run is saved to `out/last.pt` after the last finished update.  Under torchrun (see
    `vrnn_engine.training.world`), `out/last.pt` is the run as of the last validation.

    Parameters
    ----------
    recipe : Recipe
        Describes model, data and training; see `vrnn_engine.training.recipe`.
    data : Path
        Path of the corpus.
    out : Path
        Folder for `best.pt` and `last.pt`; created if missing.
    resume : bool
        Continue from `out/last.pt`; the result equals that of a run without interruption.  A finished run may be given
        more updates; it then continues with the learning-rate schedule of the new total.  An unfinished run with a
        `decay` may be given another number of updates until its decay begins.
    start : Path or Checkpoint, optional
        A checkpoint whose weights are the initial weights of the new run: to fine-tune on other data, or to continue
        with a model to which a part was added.
    strict : bool
        Raise an error if a recording cannot be read, instead of leaving it out.
    report : callable
        Called with a `Progress` after every update, on rank 0.

    Returns
    -------
    Checkpoint
        The checkpoint with the highest ELBO on the validation split; its metrics include the bounds on the test split.

    Raises
    ------
    CheckpointError
        `out` contains a run already and `resume` is false; or `out` contains no run to resume, the run of another
        recipe, or an unfinished run with another number of updates; or the weights of `start` do not fit.
    DataError
        The corpus is missing or not usable.
    TrainingError
        The loss or a validation is not finite.  The checkpoints in `out` are those of earlier updates.
    """
    with join_world() as world:
        run = _begin(recipe, data, out, world, resume, start, strict)
        _warn_if_never_resampled(recipe)
        _run_updates(run, report)
        if world.is_rank_zero:
            _add_test_metrics(out / BEST, run.corpus, world)
        world.barrier()
        return load_checkpoint(out / BEST)


def _warn_if_never_resampled(recipe: Recipe) -> None:
    schedule = recipe.training
    if schedule.resample_from >= schedule.updates:
        _log.warning(
            "%s: resampling begins at update %s, and the run ends at %s: this model never reads its own frames in "
            "training, and may drift when it generates",
            *(recipe.name, f"{schedule.resample_from:,}", f"{schedule.updates:,}"),
        )


def _begin(
    recipe: Recipe, data: Path, out: Path, world: World, resume: bool, start: Path | Checkpoint | None, strict: bool
) -> TrainingRun:
    """Return a new run, or a resumed one, after checking the contents of its folder."""
    last = out / LAST
    if resume and start:
        raise CheckpointError(
            f"{last}: a resumed run has its weights already; set either resume or start", ("resume", "start")
        )
    interrupted = _load_interrupted(last, recipe) if resume else None
    if not resume and last.exists():
        raise CheckpointError(
            f"{last}: this folder has a run already; set resume to continue it, or choose another folder",
            ("resume", "out"),
        )
    base = load_checkpoint(start) if isinstance(start, Path) else start
    if recipe.training.keep and not (resume or base):
        raise CheckpointError(
            f"recipe {recipe.name} adapts trained weights; start from those of a checkpoint or a voice", ("start",)
        )
    corpus = open_corpus(recipe, data, strict)
    out.mkdir(parents=True, exist_ok=True)
    world.barrier()  # every process has seen that the folder had no run before rank 0 writes
    run = TrainingRun(recipe, corpus, out, world)
    if interrupted:
        _check_normalisation(interrupted, run, last, data)
        _restore(run, interrupted, last)
    elif base:
        run.load_weights(base, str(start) if isinstance(start, Path) else f"weights of recipe {base.recipe.name}")
    return run


def _load_interrupted(last: Path, recipe: Recipe) -> Checkpoint:
    """Load the checkpoint to resume from; raise `CheckpointError` unless this recipe may continue it."""
    interrupted = load_checkpoint(last)
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


def _check_normalisation(interrupted: Checkpoint, run: TrainingRun, last: Path, data: Path) -> None:
    """Raise `CheckpointError` if a run began on another corpus, which has another mean or sd."""
    before = interrupted.resume.get("data_moments") or [*interrupted.mean, *interrupted.std]
    now = run.data_moments
    if len(before) != len(now) or not np.allclose(before, now, rtol=1e-9, atol=0):
        raise CheckpointError(
            f"{last}: the run began on another corpus than {data}, with another mean and sd; resume it on the same "
            "corpus, or start a new run from its weights in another folder",
            ("start", "out"),
        )


def _restore(run: TrainingRun, interrupted: Checkpoint, last: Path) -> None:
    """Restore a run; if it was finished and gets more updates, record their earlier total."""
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


def _run_updates(run: TrainingRun, report: Callable[[Progress], None]) -> None:
    """Make the remaining updates; save the run if it is interrupted."""
    with deferred_interrupts() as deliver_interrupt:
        try:
            for batch in run.batches():
                progress = run.update(batch)
                if run.world.is_rank_zero:
                    report(progress)
                deliver_interrupt()
        except BaseException as error:
            # A state that is not finite is of no use.  Of several processes, each has only its rows of the state, and
            # the others may not have been interrupted.
            if run.world.size == 1 and not isinstance(error, TrainingError):
                run.save(LAST)
            raise


def _add_test_metrics(path: Path, corpus: Corpus, world: World) -> None:
    """Measure a checkpoint on the test split, and write the bounds into it."""
    best = load_checkpoint(path)
    measured = validate(best.build().to(world.device), corpus, "test").metrics("test")
    save_checkpoint(dataclasses.replace(best, metrics=best.metrics | measured), path)
