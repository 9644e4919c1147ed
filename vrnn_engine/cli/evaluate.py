"""`vrnn-engine evaluate`: prints the likelihood of a corpus, statistics of streams, or how legible a voice writes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vrnn_engine.cli import freerunning, legibility, report
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.evaluation.likelihood import Likelihood

UNITS = ("per_sequence", "per_frame", "per_sample")


def evaluate(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CKPT.pt",
            help="Checkpoint written by `vrnn-engine train`; with --voice, a recipe is enough. With --legibility, "
            "also a voice.",
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="PATH",
            help="The corpus, in any form that `vrnn-engine train` reads. With --legibility, a corpus of the "
            "recogniser; repeatable.",
        ),
    ],
    samples: Annotated[int, typer.Option(metavar="K", min=1, help="Samples K of the importance-weighted bound.")] = 40,
    split: Annotated[Literal["train", "valid", "test"], typer.Option(help="Part of the corpus.")] = "test",
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=2**63 - 1, help="Random seed; with --free-running, the first stream's seed."
        ),
    ] = 0,
    free_running: Annotated[
        bool, typer.Option("--free-running", help="Compare generated streams with the corpus; compute no bounds.")
    ] = False,
    voice: Annotated[
        str | None,
        typer.Option(
            metavar="VOICE", help="Generate with this voice made from the checkpoint or recipe, at default controls."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Number of generated streams.")] = 4,
    seconds: Annotated[
        float, typer.Option(metavar="S", min=4, help="Length of each stream; 120 or more shows drift.")
    ] = 60.0,
    legible: Annotated[
        bool, typer.Option("--legibility", help="Have a recogniser read what a voice writes; compute no bounds.")
    ] = False,
    recogniser: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pt", help="The recogniser; docs/text.md says how to train one."),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(metavar="FILE.txt", help="Write these texts, one a line, instead of those of the package."),
    ] = None,
    lines: Annotated[
        int, typer.Option(metavar="N", min=1, help="Largest number of real lines of each corpus that are read.")
    ] = 200,
    strict: report.Strict = False,
    json: report.AsJson = False,
) -> None:
    """Measure a checkpoint's likelihood on a corpus.

    Prints the ELBO, its KL and the importance-weighted bound.  With --free-running, compares generated streams with the
    corpus instead: spectrum, modulation, noise, repetition and drift of sound; strokes, slant, size and constancy of
    style of ink.  With --legibility, prints the error rates of a recogniser of handwriting on a voice's writing
    and on real lines.
    """
    if voice and not free_running:
        raise WrongOption("needs --free-running", param_hint="--voice")
    if free_running and legible:
        raise WrongOption("cannot be combined with --free-running", param_hint="--legibility")
    if recogniser and not legible:
        raise WrongOption("needs --legibility", param_hint="--recogniser")
    if texts and not (legible or free_running):
        raise WrongOption("needs --legibility or --free-running", param_hint="--texts")
    if legible and recogniser is None:
        raise WrongOption("is needed for --legibility; docs/text.md says how", param_hint="--recogniser")
    if len(data) > 1 and not legible:
        raise WrongOption("is given twice; give one corpus", param_hint="--data")
    import torch  # noqa: F401  # first, so that a missing extra is reported before any file is read

    report.show_log()
    every = range(seed, seed + seeds)
    if recogniser:
        legibility.legibility(checkpoint, recogniser, data, texts, every, lines, json)
    elif free_running:
        freerunning.free_running(checkpoint, data[0], split, every, seconds, strict, json, voice, texts)
    else:
        _bounds(checkpoint, data[0], split, samples, seed, strict, json)


def _bounds(checkpoint: str, data: Path, split: str, samples: int, seed: int, strict: bool, json: bool) -> None:
    """Compute the bounds of a checkpoint on a corpus, and print them."""
    from vrnn_engine.evaluation.likelihood import likelihood
    from vrnn_engine.training.checkpoint import load_checkpoint
    from vrnn_engine.training.corpus import open_checkpoint_corpus
    from vrnn_engine.training.world import default_device

    trained = load_checkpoint(Path(checkpoint))
    model = trained.build().to(default_device())
    report.say(f"{trained.recipe.name}: reading {data}")
    corpus = open_checkpoint_corpus(trained, data, strict)
    found = likelihood(model, corpus, split, samples, seed)
    if json:
        about = {
            "samples": found.samples,
            "sequences": found.sequences,
            "frames": found.frames,
            "values": found.values,
            "log_jacobian": found.log_jacobian,
        }
        report.print_json({"recipe": trained.recipe.name, "split": split, **about, "nats": found.table()})
    else:
        _print(found, split, trained.recipe.about.unit + (" of ink in the usual style" if trained.recipe.style else ""))


def _print(found: "Likelihood", split: str, unit: str) -> None:
    report.say(f"{split}: {found.sequences:,} sequences, {found.frames:,} frames; nats, with 95 % confidence intervals")
    names = {
        "elbo": "ELBO",
        "kl": "KL within the ELBO",
        "importance_weighted": f"importance-weighted, K = {found.samples}",
        "elbo_world": f"ELBO in world units ({unit})",
        "importance_weighted_world": "importance-weighted in world units",
    }
    table = found.table()
    rows = [(title, *(_cell(table[name][per], per) for per in UNITS)) for name, title in names.items()]
    report.print_table(("", *(per.replace("_", " ") for per in UNITS)), rows)


def _cell(estimate: dict[str, float], per: str) -> str:
    digits = 4 if per == "per_sample" else 2
    return f"{estimate['mean']:,.{digits}f} ± {estimate['interval']:.{digits}f}"
