"""Train the recogniser of `vrnn-engine evaluate --legibility` on lines that a voice has not seen, or test it.

    python benchmarks/recogniser.py unipen_lines.npz iamondb_lines.npz --glyphs voice.pt --out recogniser.pt
    python benchmarks/recogniser.py unipen_lines.npz iamondb_lines.npz --glyphs voice.pt --test recogniser.pt

The first corpus is that of the voice; its recipe says which lines the voice was trained on.  The others are of writers
that the voice never saw.  With --glyphs, a checkpoint of a text voice cuts glyphs out of the training lines, from which
further lines are pieced together: sums, dates, prices, codes and capitals.  Signs with few glyphs there also get those
of lines that the voice was trained on; the command names these signs.  A training can be continued after an interrupt
(--resume), or begin with the weights of another recogniser (--from).

--test prints the errors on the lines that were held out: those of each corpus; those of sessions that neither voice
nor recogniser saw (--without); lines pieced together from glyphs of the held-out lines; and the texts of
`vrnn-engine evaluate --legibility`, as far as these glyphs have their characters.
"""

import argparse
import logging
import sys
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vrnn_engine.data.options import PenData
from vrnn_engine.data.text.glyphs import Glyphs
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.evaluation.glyphs import GlyphFinder
from vrnn_engine.evaluation.legibility.errors import COUNTS, rates
from vrnn_engine.evaluation.legibility.lines import READING, Lines, other_lines, voice_lines
from vrnn_engine.evaluation.legibility.measure import measure
from vrnn_engine.evaluation.legibility.pieced import few_glyphs, made_texts, pieced_lines
from vrnn_engine.evaluation.legibility.recogniser import Recogniser
from vrnn_engine.evaluation.legibility.recogniser_file import load_recogniser
from vrnn_engine.evaluation.legibility.texts import texts_to_write
from vrnn_engine.evaluation.legibility.training import RecogniserTraining, Schedule
from vrnn_engine.evaluation.legibility.variation import group_weights
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.recipe import load_recipe

SHARES = (0.25, 0.4, 0.35)
"""Shares of the training lines: the voice's own corpus, the others, and pieced lines."""
PIECED = 6000
"""Lines pieced together for the training."""
PIECED_TEST = 300
"""Lines pieced together for the test."""
VALID = 200
"""Largest number of lines whose error rate is logged."""


class Corpora(NamedTuple):
    """The lines of all corpora."""

    alphabet: str
    own: Lines
    """Of the voice's corpus; see `voice_lines`."""
    others: Lines
    """Of the other corpora; see `other_lines`."""


def read_corpora(options: argparse.Namespace) -> Corpora:
    """Read the lines of the corpora."""
    recipe = load_recipe(options.recipe)
    if recipe.model.text is None or not isinstance(recipe.data, PenData):
        sys.exit(f"{options.recipe}: this recipe is of a voice that reads no text")
    alphabet = recipe.model.text.alphabet
    own = voice_lines(options.corpus, alphabet, recipe.data, frozenset(options.without))
    others = [other_lines(path, alphabet) for path in options.others]
    return Corpora(
        alphabet, own, {split: list(chain(*(one[split] for one in others))) for split in ("train", "test", "valid")}
    )


def glyph_finder(path: Path) -> GlyphFinder:
    """Return a finder with the model of a checkpoint."""
    checkpoint = load_checkpoint(path)
    model = checkpoint.build()
    if not isinstance(model, TextVRNN):
        sys.exit(f"{path}: its model does not read a text")
    return GlyphFinder(model, checkpoint.mean, checkpoint.std, checkpoint.recipe.style, READING.rate)


def training_lines(corpora: Corpora, options: argparse.Namespace) -> list[list[TextLine]]:
    """Return the training lines of the voice's corpus, of the others, and pieced ones."""
    real = [corpora.own["train"], corpora.others["train"]]
    if options.glyphs is None:
        return [*real, []]
    finder, rng = glyph_finder(options.glyphs), np.random.default_rng(options.seed)
    glyphs = finder.find(list(chain(*real)), share=1)
    few = few_glyphs(glyphs, corpora.alphabet)
    if few:
        seen = finder.find([line for line in corpora.own["seen"] if few & set(line.text)], every=1)
        glyphs |= {character: [*glyphs.get(character, []), *seen.get(character, [])] for character in few}
    print("glyphs:", " ".join(f"{c}:{len(glyphs.get(c, []))}" for c in corpora.alphabet if c != " "))
    print(f"characters with glyphs that the voice was trained on: {''.join(sorted(few))}", flush=True)
    texts = made_texts(list(chain(*real)), glyphs, PIECED, rng)
    return [*real, list(pieced_lines(texts, glyphs, rng))]


def train(corpora: Corpora, options: argparse.Namespace) -> None:
    """Train a recogniser."""
    groups = training_lines(corpora, options)
    held_out = frozenset(line.id for line in chain(corpora.own["test"], corpora.others["test"]))
    counts = ", ".join(f"{len(group):,}" for group in groups)
    print(f"{counts} lines to train, {len(corpora.others['valid']):,} valid, {len(held_out):,} held out", flush=True)
    torch.manual_seed(options.seed)
    schedule = Schedule(updates=options.updates, learning_rate=options.learning_rate, seed=options.seed)
    model = load_recogniser(options.start).model if options.start else Recogniser(corpora.alphabet)
    weights = group_weights([[line.text for line in group] for group in groups], SHARES)
    run = RecogniserTraining(model, list(chain(*groups)), weights, schedule)
    if options.resume and options.out.exists():
        run.resume(options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    run.run(options.out, held_out, corpora.others["valid"][:VALID])


def test_sets(corpora: Corpora, options: argparse.Namespace) -> Lines:
    """Return the held-out lines by name."""
    own, others = corpora.own, corpora.others
    sets = {"own": own["test"], "others": others["test"], "new writers": own["new"]}
    if options.glyphs:
        rng = np.random.default_rng(options.seed)
        real = {line.id: line for line in chain(own["test"], own["new"], others["test"])}
        glyphs: Glyphs = glyph_finder(options.glyphs).find(list(real.values()), every=1, share=1)
        texts = made_texts(list(real.values()), glyphs, PIECED_TEST, rng)
        sets["pieced"] = list(pieced_lines(texts, glyphs, rng))
        for kind, known in texts_to_write().items():
            sets[kind] = list(pieced_lines([text for text in known if "\n" not in text], glyphs, rng))
    return {name: lines for name, lines in sets.items() if lines}


def test(corpora: Corpora, options: argparse.Namespace) -> None:
    """Print the error rates of a recogniser on lines that it was not trained on."""
    trained = load_recogniser(options.test)
    names = (*COUNTS, "faulty")
    print(f"{'':12} {'lines':>6}", *(f"{name:>18}" for name in names))
    for name, lines in test_sets(corpora, options).items():
        found = rates(measure(trained.model, lines))
        cells = (found[key] for key in names)
        shown = (f"{100 * c.rate:5.1f} ({100 * c.low:4.1f}-{100 * c.high:4.1f})" if c.count else "-" for c in cells)
        print(f"{name:12} {len(lines):6,}", *(f"{cell:>18}" for cell in shown), flush=True)


def main() -> None:
    """Read the options, and train or test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="the voice's corpus, an .npz of lines with texts")
    parser.add_argument("others", type=Path, nargs="*", help="corpora of other writers")
    parser.add_argument("--recipe", default="handwriting", help="recipe of the voice")
    parser.add_argument("--without", nargs="+", default=[], metavar="SESSION", help="sessions that the voice never saw")
    parser.add_argument("--glyphs", type=Path, metavar="CKPT.pt", help="checkpoint of a text voice, to cut out glyphs")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="train: the file to write")
    what.add_argument("--test", type=Path, metavar="FILE", help="test this recogniser")
    parser.add_argument(
        "--from", dest="start", type=Path, metavar="FILE", help="begin with the weights of a recogniser"
    )
    parser.add_argument("--updates", type=int, default=6300)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="continue the training of --out")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = parser.parse_args()
    try:
        (test if options.test else train)(read_corpora(options), options)
    except VRNNEngineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
