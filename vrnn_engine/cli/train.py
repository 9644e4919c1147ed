"""`vrnn-engine train`: trains the model of a recipe on a corpus, and shows the progress."""

import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from vrnn_engine.training.checkpoint import Checkpoint
    from vrnn_engine.training.progress import Progress

LINE_EVERY = 100
"""Updates between two progress lines if stderr is not a terminal."""


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a bundled recipe, or path of a .toml file.")],
    data: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="The corpus: a folder of recordings, one long recording, an .npz or .jsonl of ink, or a folder of "
            "IAM-OnDB.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the checkpoints.  Default: runs/NAME of the recipe.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in DIR from its last.pt.")] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CKPT.pt|VOICE",
            help="Start from the weights of a checkpoint or of a voice; a recipe with a table [adapt] adapts them.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=2**63 - 1, help="Random seed.  Default: the recipe's.")
    ] = None,
    updates: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Optimiser updates in total.  Default: the recipe's.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            min=0.1,
            help="Time of the whole run in minutes, with its parts before --resume; the schedule is fitted to it.  "
            "Not with --updates.",
        ),
    ] = None,
    strict: report.Strict = False,
) -> None:
    """Train a model from a recipe.

    Ctrl-C saves a checkpoint before it stops; --resume continues the run.
    """
    if minutes is not None and updates is not None:
        raise WrongOption("cannot be combined with --updates", param_hint="--minutes")
    from vrnn_engine.training.budget import Clock
    from vrnn_engine.training.checkpoint import BEST, LAST
    from vrnn_engine.training.plan.adapt import recipe_of_run
    from vrnn_engine.training.recipe import changed, load_recipe
    from vrnn_engine.training.trainer import train as run
    from vrnn_engine.training.world import is_rank_zero

    clock = Clock(minutes) if minutes else None
    given = load_recipe(recipe)
    chosen = changed(recipe_of_run(given, start is not None, out if resume else None), seed, updates)
    folder = out or Path("runs") / chosen.name
    first = is_rank_zero()
    if first:
        report.show_log()
        if chosen.name != given.name:
            report.say(
                f"{given.name}: adapts the weights of {start or folder}, as its table [adapt] says; "
                "a copy of the recipe without this table continues a full training"
            )
        report.say(f"{chosen.name}: reading {data}")
    else:
        import logging

        logging.getLogger("vrnn_engine").addHandler(logging.NullHandler())  # rank 0 prints the warnings
    try:
        with _bar() as bar:
            display = _Display(bar, chosen.training.updates)
            weights = _weights(start)
            best = run(chosen, data, folder, resume=resume, start=weights, strict=strict, clock=clock, report=display)
    except KeyboardInterrupt:
        if first and (folder / LAST).exists():
            report.say(f"{folder / LAST} is the last checkpoint; --resume continues from it")
        raise
    if first:
        for line in _summary(best.metrics):
            report.say(line)
        report.say(f"best checkpoint: {folder / BEST}; next: vrnn-engine export {folder / BEST}")


def _summary(metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield lines about the best checkpoint; the bounds are ELBOs."""
    when = timedelta(seconds=round(metrics["training_seconds"]))
    yield f"best on the validation data: update {metrics['updates']:.0f}, after {when} of training"
    for split, data in (("valid", "validation"), ("test", "test")):
        bound, kl, whole = (
            metrics[f"{split}_{name}"] for name in ("elbo_per_frame", "kl_per_frame", "elbo_per_sequence")
        )
        yield f"{data} data: bound {bound:,.2f}, KL {kl:,.2f} nats per frame; bound {whole:,.2f} nats per sequence"
    if "planned_minutes" in metrics:
        yield f"time of the run: {metrics['run_minutes']:,.1f} of {metrics['planned_minutes']:g} minutes"


def _weights(start: str | None) -> "Checkpoint | None":
    """Return the weights that --from names."""
    if start is None:
        return None
    from vrnn_engine.exporters.training_file import load_start

    return load_start(start)


class _Display:
    """Shows progress as a bar on a terminal, and as lines elsewhere."""

    def __init__(self, bar: "Bar", updates: int):
        self.bar = bar
        self.live = sys.stderr.isatty()
        self.task = bar.add_task("", total=updates)
        self.bound: float | None = None

    def __call__(self, progress: "Progress") -> None:
        # The bound of one batch is noisy; show a moving average over a few dozen.
        self.bound = progress.bound if self.bound is None else 0.95 * self.bound + 0.05 * progress.bound
        valid = "" if progress.valid_bound is None else f", valid {progress.valid_bound:.2f}"
        text = f"bound {self.bound:.2f}{valid}, KL {progress.kl:.2f} nats per frame"
        self.bar.update(self.task, completed=progress.update, total=progress.updates, description=text)
        if not self.live and (progress.update % LINE_EVERY == 0 or progress.update == progress.updates):
            left = self.bar.tasks[self.task].time_remaining
            estimate = "" if left is None else f", {timedelta(seconds=round(left))} left"
            report.say(f"update {progress.update}/{progress.updates}: {text}{estimate}")


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    console = Console(stderr=True)
    # In a narrow terminal, the text is continued in a second line, and the other columns keep their widths.
    return Progress(
        BarColumn(bar_width=10, table_column=Column(min_width=10, no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.description}", table_column=Column(no_wrap=False)),
        console=console,
        disable=not sys.stderr.isatty(),
    )
