"""Trains a recipe: checks the output folder, runs all updates, and measures the best checkpoint on the test split."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from vrnn_engine.data.batches import Corpus
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.errors import CheckpointError, TrainingError
from vrnn_engine.training.budget import Clock, Planner
from vrnn_engine.training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.interrupt import deferred_interrupts
from vrnn_engine.training.plan.fit import fitted
from vrnn_engine.training.progress import Progress
from vrnn_engine.training.recipe import Recipe
from vrnn_engine.training.resume import check_normalisation, has_time_limit, load_interrupted, restore
from vrnn_engine.training.training_run import TrainingRun
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
    clock: Clock | None = None,
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
    clock : Clock, optional
        The time that the run has.  The recipe's schedule is then stretched to the number of updates for which there is
        time, with validations and the test at the end.  A run with a limit that is resumed without a clock has the time
        that its limit leaves.
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
    fits, recipe = recipe.fit, fitted(recipe, data)
    with join_world() as world:
        run = _begin(recipe, data, out, world, resume, start, strict, clock is not None)
        planner = _planner(run, recipe, clock)
        if fits or planner:
            _say_what_begins(run, planner)
        if not planner:
            _warn_if_never_resampled(recipe)
        _run_updates(run, report, planner)
        if world.is_rank_zero:
            _add_test_metrics(out / BEST, run.corpus, world, planner)
        world.barrier()
        return load_checkpoint(out / BEST)


def _planner(run: TrainingRun, recipe: Recipe, clock: Clock | None) -> Planner | None:
    """Return what plans the updates of a run with a time limit; None for other runs."""
    before = run.time_limit
    if before:
        clock = (clock or Clock(before["planned_minutes"])).continued(60 * before["run_minutes"])
    return Planner(run, recipe.training, clock) if clock else None


def _say_what_begins(run: TrainingRun, planner: Planner | None) -> None:
    """Log the size of the data and of the model, and the end of a run with a time limit."""
    weights = sum(weight.numel() for weight in run.model.parameters())
    about = f"{run.corpus.about}; " if isinstance(run.corpus, SpeechCorpus) else ""
    end = f"; {planner.clock.minutes:g} minutes, until about {planner.clock.end()}" if planner else ""
    _log.info("%s: %s%.1f million weights%s", run.recipe.name, about, weights / 1e6, end)


def _warn_if_never_resampled(recipe: Recipe) -> None:
    schedule = recipe.training
    if schedule.resample_from >= schedule.updates:
        _log.warning(
            "%s: resampling begins at update %s, and the run ends at %s: this model never reads its own frames in "
            "training, and may drift when it generates",
            *(recipe.name, f"{schedule.resample_from:,}", f"{schedule.updates:,}"),
        )


def _begin(
    recipe: Recipe,
    data: Path,
    out: Path,
    world: World,
    resume: bool,
    start: Path | Checkpoint | None,
    strict: bool,
    limited: bool,
) -> TrainingRun:
    """Return a new run, or a resumed one, after checking the contents of its folder."""
    last = out / LAST
    if resume and start:
        raise CheckpointError(
            f"{last}: a resumed run has its weights already; either resume it, or start anew from other weights",
            ("resume", "start"),
        )
    interrupted = load_interrupted(last, recipe, limited) if resume else None
    if not resume and last.exists():
        raise CheckpointError(
            f"{last}: this folder has a run already; resume it, or choose another folder",
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
    # The schedule of a run with a time limit is in its checkpoint.
    run = TrainingRun(interrupted.recipe if has_time_limit(interrupted) else recipe, corpus, out, world)
    if interrupted:
        check_normalisation(interrupted, run, last, data)
        restore(run, interrupted, last)
    elif base:
        run.load_weights(base, str(start) if isinstance(start, Path) else f"weights of recipe {base.recipe.name}")
    return run


def _run_updates(run: TrainingRun, report: Callable[[Progress], None], planner: Planner | None) -> None:
    """Make the remaining updates; save the run if it is interrupted."""
    with deferred_interrupts() as deliver_interrupt:
        try:
            for batch in run.batches():
                progress = run.update(batch)
                if planner:
                    planner.after_update()
                    progress = dataclasses.replace(progress, updates=run.recipe.training.updates)
                if run.world.is_rank_zero:
                    report(progress)
                deliver_interrupt()
        except BaseException as error:
            if planner:
                planner.stamp()
            # A state that is not finite is of no use.  Of several processes, each has only its rows of the state, and
            # the others may not have been interrupted.
            if run.world.size == 1 and not isinstance(error, TrainingError):
                run.save(LAST)
            raise


def _add_test_metrics(path: Path, corpus: Corpus, world: World, planner: Planner | None) -> None:
    """Measure a checkpoint on the test split, and write the bounds into it."""
    best = load_checkpoint(path)
    measured = validate(best.build().to(world.device), corpus, "test").metrics("test")
    if planner:
        measured["run_minutes"] = planner.clock.used / 60
    save_checkpoint(dataclasses.replace(best, metrics=best.metrics | measured), path)
