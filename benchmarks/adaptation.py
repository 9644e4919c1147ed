"""Adapt a checkpoint of a text voice to single writers, and measure what it gains and what it forgets.

    python benchmarks/adaptation.py runs/handwriting/best.pt iamondb_lines.npz unipen_lines.npz

Writers of IAM-OnDB are new to a voice that was trained on UNIPEN.  The corpus' .npz does not say who wrote a form.
Forms are assumed to be of one writer if the statistics of their strokes agree and they have the same place in the
series of their texts: forms like that occur in groups of eight, one of each series.  The last two forms of a writer
are held out.  IAM-OnDB has about 60 lines of each writer.  For more lines there are sessions of UNIPEN, whose training
lines the checkpoint knows; the lines held out are those that it does not know.

Each row of the table is one run of the recipe `handwriting-adapt`: the bound on the lines held out, on test lines of
all writers of UNIPEN, and on those of them that have digits or signs, in nats per point, and the seconds of the run.
"""

import argparse
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn_engine.data.batches import split_by_hash
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.corpus import open_checkpoint_corpus
from vrnn_engine.training.recipe import Recipe, changed, load_recipe
from vrnn_engine.training.trainer import train
from vrnn_engine.training.validation import validate

WRITERS = {
    "iam-1": "a02-125z c04-136z e04-220z g10-353z k05-369z l07-824z n05-425z p06-716z",
    "iam-2": "b04-253z d05-352z f06-380z j05-255z l02-154z m05-463z p01-004z r03-202z",
    "iam-3": "b08-681z e01-026z f09-499z j07-370z l05-536z n02-140z p04-445z r08-617z",
}
"""Forms of writers of IAM-OnDB."""
SESSIONS = ("data/8/hpp/hpp2/hpb2-js.dat",)
"""Sessions of UNIPEN."""
HELD_OUT_FORMS = 2
VALIDATION = 8
"""One in this number of the lines of a writer is for validation."""
SIGNS = re.compile(r"[^A-Za-z ,.'\"-]")

Table = dict[str, NDArray[Any]]


def chosen(table: Table, train_lines: list[int], test_lines: list[int], writer: str) -> Table:
    """Return a table of some lines, with their splits, as the file of one writer."""
    splits = ["valid" if place % VALIDATION == 0 else "train" for place in range(len(train_lines))]
    lines, ends = [*train_lines, *test_lines], table["offsets"]
    spans = [slice(ends[line], ends[line + 1]) for line in lines]
    picked = {name: np.concatenate([table[name][span] for span in spans]) for name in ("dxy", "eos")}
    per_line = {"ids", "texts", "points_per_second", "points_per_inch"} & set(table)
    return {
        **picked,
        **{name: table[name][lines] for name in per_line},
        "offsets": np.cumsum([0, *(span.stop - span.start for span in spans)]),
        "split": np.array(splits + ["test"] * len(test_lines)),
        "contributor": np.array([writer] * len(lines)),
    }


def lines_of_forms(table: Table, forms: list[str]) -> tuple[list[int], list[int]]:
    """Return the lines of a writer of IAM-OnDB to train on, shuffled, and those held out."""
    found = [(place, str(one).rpartition("-")[0]) for place, one in enumerate(table["ids"])]
    held_out = forms[-HELD_OUT_FORMS:]
    mine = [place for place, form in found if form in forms and form not in held_out]
    return shuffled(mine), [place for place, form in found if form in held_out]


def lines_of_session(table: Table, session: str) -> tuple[list[int], list[int]]:
    """Return the lines of a session of UNIPEN that a checkpoint was trained on, shuffled, and the others."""
    found = [(place, str(one)) for place, one in enumerate(table["ids"]) if str(one).startswith(f"{session}#")]
    known = [place for place, one in found if split_by_hash(one) == "train"]
    return shuffled(known), [place for place, one in found if split_by_hash(one) != "train"]


def shuffled(lines: list[int]) -> list[int]:
    """Return lines in a random order that is always the same."""
    return [int(line) for line in np.random.default_rng(0).permutation(lines)]


def others(start: Checkpoint, unipen: Path, step: int) -> tuple[TextCorpus, TextCorpus]:
    """Return corpora of every `step`th test line of UNIPEN, and of such lines that have digits or signs."""
    corpora = []
    for signs in (False, True):
        corpus = open_checkpoint_corpus(start, unipen)
        if not isinstance(corpus, TextCorpus):
            raise SystemExit("the checkpoint is not one of a text voice")
        texts, lines = corpus.texts["test"], corpus.lines["test"]
        kept = [place for place, text in enumerate(texts) if not signs or SIGNS.search(text)][:: 1 if signs else step]
        kept = kept[: len(texts) // step]
        corpus.texts["test"], corpus.lines["test"] = [texts[k] for k in kept], [lines[k] for k in kept]
        corpora.append(corpus)
    return corpora[0], corpora[1]


def adapted(start: Path, recipe: Recipe, table: Table, folder: Path) -> tuple[RecurrentModel, Path, float]:
    """Train on a table; return the best model, the file of the table, and the seconds of the run."""
    folder.mkdir()
    path = folder / "mine.npz"
    np.savez(path, **table)  # type: ignore[arg-type]
    began = time.monotonic()
    best = train(recipe, path, folder / "run", start=start)
    return best.build(), path, time.monotonic() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path, help="checkpoint of a text voice")
    parser.add_argument("iam", type=Path, help=".npz of IAM-OnDB with texts")
    parser.add_argument("unipen", type=Path, help=".npz of UNIPEN with texts")
    parser.add_argument(
        "--lines", type=int, nargs="+", default=[0, 20, 50, 100, 200], help="at most all that there are"
    )
    parser.add_argument("--writers", nargs="+", default=[*WRITERS, *SESSIONS], help="some of the writers")
    parser.add_argument("--recipe", default="handwriting-adapt")
    parser.add_argument("--updates", type=int, help="default: the recipe's")
    parser.add_argument("--every", type=int, default=4, help="use every Nth test line of UNIPEN")
    given = parser.parse_args()
    logging.getLogger("vrnn_engine").setLevel(logging.ERROR)
    start, recipe = load_checkpoint(given.start), changed(load_recipe(given.recipe), updates=given.updates)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads on {os.cpu_count()} cores")
    print(f"{recipe.name}: {recipe.training.updates} updates of {recipe.data.rows} lines, keep {recipe.training.keep}")
    everybody, signs = others(start, given.unipen, given.every)
    tables = {name: dict(np.load(path)) for name, path in (("iam", given.iam), ("unipen", given.unipen))}
    columns = ["writer", "lines", "held-out", "UNIPEN", "signs", "seconds"]
    print(" ".join(f"{name:>9}" for name in columns))
    for writer in given.writers:
        table = tables["iam" if writer in WRITERS else "unipen"]
        known, held_out = (
            lines_of_forms(table, WRITERS[writer].split()) if writer in WRITERS else lines_of_session(table, writer)
        )
        for count in sorted({min(count, len(known)) for count in given.lines}):
            with tempfile.TemporaryDirectory() as name:
                mine = chosen(table, known[:count] if count else known[:VALIDATION], held_out, writer)
                seconds = 0.0
                if count:
                    model, path, seconds = adapted(given.start, recipe, mine, Path(name) / "0")
                else:
                    model, path = start.build(), Path(name) / "mine.npz"
                    np.savez(path, **mine)  # type: ignore[arg-type]
                own = open_checkpoint_corpus(start, path)
            bounds = [validate(model, corpus, "test").elbo for corpus in (own, everybody, signs)]
            shown = " ".join(f"{bound:9.3f}" for bound in bounds)
            print(f"{writer[-9:]:>9} {count:9d} {shown} {seconds:9.0f}", flush=True)


if __name__ == "__main__":
    main()
