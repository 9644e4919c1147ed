"""Adapt a checkpoint of a text voice to single writers, and measure what it gains and what it forgets.

    python benchmarks/adaptation.py runs/handwriting/best.pt unipen_lines.npz --recogniser recogniser.pt

The writers are sessions of UNIPEN that the checkpoint was not trained on (`piece_lines.py --without`, or another
corpus).  A fifth of their lines is held out, also from the recogniser's training.  Each row of the table is one run of
the table [adapt] of the recipe, on some of the other lines; the row of 0 lines is the checkpoint itself:

- bounds in nats per point: on the writer's lines held out, and on test lines of all writers of UNIPEN;
- character error rates in %: of short texts that the voice writes after it was primed with a line of the writer and its
  text, of the same texts without priming, and of the writer's real lines held out;
- distance of slant, size and curvature (each divided by its sd over the writers of UNIPEN) to the writer's lines held
  out: of both kinds of written texts, and of the line that primes;
- seconds of the run.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn_engine.cli.legibility import ROWS, write_texts
from vrnn_engine.data.batches import split_by_hash
from vrnn_engine.data.options import PenData
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.data.text.prepared import TextLine, prepared_lines
from vrnn_engine.evaluation.ink import PIECE_SECONDS, style_values
from vrnn_engine.evaluation.legibility.lines import is_held_out_of_new
from vrnn_engine.evaluation.legibility.measure import measure
from vrnn_engine.evaluation.legibility.recogniser import Recogniser
from vrnn_engine.evaluation.legibility.recogniser_file import load_recogniser
from vrnn_engine.evaluation.legibility.texts import Request, texts_to_write
from vrnn_engine.exporters.export import export, line_height
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.training.checkpoint import BEST, Checkpoint, load_checkpoint
from vrnn_engine.training.corpus import open_checkpoint_corpus
from vrnn_engine.training.plan.adapt import adapted
from vrnn_engine.training.recipe import Recipe, changed, load_recipe
from vrnn_engine.training.trainer import train
from vrnn_engine.training.validation import validate

SESSIONS = ("data/8/lex/lex0/ehrls1.dat", "data/8/hpp/hpp2/hpb2-js.dat")
"""Sessions of UNIPEN."""
VALIDATION = 8
"""One in this number of the lines of a writer is for validation."""
LEAST_PRIME = 20
"""Characters that the line needs that primes the voice."""
LONGEST = 40
"""Most characters of a text that is written."""
LEAST_LINES = 3
"""Lines that a writer needs, to count in the sds over writers."""

Table = dict[str, NDArray[Any]]
Values = NDArray[np.float64]


class Ruler(NamedTuple):
    """The recogniser and the corpora that measure a voice."""

    data: PenData
    """How lines are read."""
    everybody: TextCorpus
    """Test lines of all writers of UNIPEN."""
    deviations: Values
    """Sds of slant, size and curvature over these writers."""
    recogniser: Recogniser
    texts: list[str]
    """Texts to write."""


def chosen(table: Table, train_lines: Sequence[int], test_lines: Sequence[int], writer: str) -> Table:
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


def lines_of_session(table: Table, session: str) -> tuple[list[int], list[int]]:
    """Return the lines of a session to train on, shuffled, and those held out."""
    found = [(place, str(one)) for place, one in enumerate(table["ids"]) if str(one).startswith(f"{session}#")]
    if not found:
        raise SystemExit(f"no line is of the session {session}")
    known = [place for place, one in found if not is_held_out_of_new(one)]
    order = np.random.default_rng(0).permutation(len(known))
    return [known[place] for place in order], [place for place, one in found if is_held_out_of_new(one)]


def short_texts(count: int) -> list[str]:
    """Return some short texts of all kinds."""
    short = [text for texts in texts_to_write().values() for text in texts if len(text) <= LONGEST]
    return [short[place] for place in np.linspace(0, len(short) - 1, count).round().astype(int)]


def deviations_of_writers(lines: Sequence[TextLine], piece: int) -> Values:
    """Return the sds of slant, size and curvature over the writers of lines."""
    by_writer: dict[str, list[NDArray[np.float32]]] = {}
    for line in lines:
        by_writer.setdefault(line.writer, []).append(line.ink)
    values = [style_values(inks, piece) for inks in by_writer.values() if len(inks) >= LEAST_LINES]
    return np.nanstd(np.array(values), axis=0, ddof=1)


def make_ruler(start: Checkpoint, options: argparse.Namespace) -> Ruler:
    """Read UNIPEN and the recogniser."""
    corpus = open_checkpoint_corpus(start, options.unipen)
    if not isinstance(corpus, TextCorpus) or not isinstance(start.recipe.data, PenData):
        raise SystemExit("the checkpoint is not one of a text voice")
    data = start.recipe.data
    real = [line for line in prepared_lines(options.unipen, data) if split_by_hash(line.id) == "test" and line.text]
    deviations = deviations_of_writers(real, round(PIECE_SECONDS * data.rate))
    for part in (corpus.texts, corpus.lines):
        part["test"] = part["test"][:: options.every]
    return Ruler(data, corpus, deviations, load_recogniser(options.recogniser).model, short_texts(options.texts))


class Writer:
    """A writer's lines, in the unit of the voice.

    Parameters
    ----------
    start : Checkpoint
        Its normalisation is that of the bounds.
    path : Path
        File of all lines of the writer.
    ruler : Ruler
        Measures the ink and the error rates.
    """

    def __init__(self, start: Checkpoint, path: Path, ruler: Ruler):
        self.ruler, self.piece = ruler, round(PIECE_SECONDS * ruler.data.rate)
        self.corpus = open_checkpoint_corpus(start, path)
        known = set(ruler.recogniser.alphabet)
        lines = [line for line in prepared_lines(path, ruler.data) if line.text and set(line.text) <= known]
        self.held_out = [line for line in lines if line.split == "test"]
        self.prime = next(line for line in lines if line.split == "train" and len(line.text) >= LEAST_PRIME)
        self.style = style_values([line.ink for line in self.held_out], self.piece)

    def away(self, lines: Sequence[TextLine]) -> float:
        """Return the distance of the style of lines to that of the lines held out."""
        values = style_values([line.ink for line in lines], self.piece)
        return float(np.linalg.norm((values - self.style) / self.ruler.deviations))

    def error_rate(self, lines: Sequence[TextLine], height: float | None = None) -> float:
        """Return the character error rate of lines, in %."""
        found = measure(self.ruler.recogniser, lines, height)
        return 100 * sum(one.wrong[0] for one in found) / sum(one.characters[0] for one in found)

    def row(self, checkpoint: Path, folder: Path) -> dict[str, float]:
        """Measure a checkpoint."""
        trained = load_checkpoint(checkpoint)
        model = trained.build()
        own, others = (validate(model, corpus, "test").elbo for corpus in (self.corpus, self.ruler.everybody))
        export(checkpoint, folder / "voice", "adapted")
        engine, height = Engine.load(folder / "voice", rows=ROWS), line_height(trained.recipe)
        wanted = [Request(one, "text", f"text {seed}", seed) for seed, one in enumerate(self.ruler.texts)]
        primed, unprimed = (write_texts(engine, wanted, height, line) for line in (self.prime, None))
        return {
            "own": own,
            "UNIPEN": others,
            "primed %": self.error_rate(primed.lines, height),
            "unprimed %": self.error_rate(unprimed.lines, height),
            "real %": self.error_rate(self.held_out),
            "primed": self.away(primed.lines),
            "unprimed": self.away(unprimed.lines),
            "line": self.away([self.prime]),
        }


def write_file(table: Table, path: Path) -> Path:
    """Write a table, and return its path."""
    np.savez(path, **table)  # type: ignore[arg-type]
    return path


def measure_session(session: str, table: Table, recipe: Recipe, ruler: Ruler, options: argparse.Namespace) -> None:
    """Print the rows of one writer."""
    known, held_out = lines_of_session(table, session)
    start = load_checkpoint(options.start)
    with tempfile.TemporaryDirectory() as name:
        every = write_file(chosen(table, known, held_out, session), Path(name) / "all.npz")
        writer = Writer(start, every, ruler)
        counts = sorted({min(count, len(known)) for count in options.lines})
        for count in counts:
            folder, began = Path(name) / str(count), time.monotonic()
            folder.mkdir()
            checkpoint = options.start
            if count:
                mine = write_file(chosen(table, known[:count], held_out, session), folder / "mine.npz")
                train(recipe, mine, folder / "run", start=start)
                checkpoint = folder / "run" / BEST
            seconds = time.monotonic() - began if count else 0.0
            found = writer.row(checkpoint, folder) | {"seconds": seconds}
            if count == counts[0]:
                print(" ".join(f"{name:>11}" for name in ("writer", "lines", *found)))
            cells = " ".join(f"{value:11.2f}" for value in found.values())
            print(f"{Path(session).stem:>11} {count:11d} {cells}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path, help="checkpoint of a text voice")
    parser.add_argument("unipen", type=Path, help=".npz of UNIPEN with texts")
    parser.add_argument("--recogniser", type=Path, required=True)
    parser.add_argument("--sessions", nargs="+", default=SESSIONS)
    parser.add_argument("--lines", type=int, nargs="+", default=[0, 50, 100, 200], help="at most all that there are")
    parser.add_argument("--recipe", default="handwriting", help="a recipe with a table [adapt]")
    parser.add_argument("--updates", type=int, help="default: the recipe's")
    parser.add_argument("--every", type=int, default=4, help="use every Nth test line of UNIPEN")
    parser.add_argument("--texts", type=int, default=60, help="texts to write")
    options = parser.parse_args()
    logging.getLogger("vrnn_engine").setLevel(logging.ERROR)
    recipe = changed(adapted(load_recipe(options.recipe)), updates=options.updates)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads on {os.cpu_count()} cores")
    print(f"{recipe.name}: {recipe.training.updates} updates of {recipe.data.rows} lines, keep {recipe.training.keep}")
    table = dict(np.load(options.unipen))
    ruler = make_ruler(load_checkpoint(options.start), options)
    for session in options.sessions:
        measure_session(session, table, recipe, ruler, options)


if __name__ == "__main__":
    main()
