"""Train the recogniser of `vrnn-engine evaluate --legibility` on lines that a voice has not seen.

python benchmarks/recogniser.py unipen_lines.npz iamondb_lines.npz --out recogniser.pt

The first corpus is that of the voice; its recipe says which lines the voice was trained on.  The others are of writers
that the voice never saw.  6,300 updates take about half an hour on one core; --resume continues after an
interrupt.
"""

import argparse
import logging
import sys
from itertools import chain
from pathlib import Path

import torch

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.evaluation.legibility.lines import other_lines, voice_lines
from vrnn_engine.evaluation.legibility.recogniser import Recogniser
from vrnn_engine.evaluation.legibility.training import RecogniserTraining, Schedule
from vrnn_engine.training.recipe import load_recipe

SHARE = 0.4
"""Share of the training lines that are drawn from the voice's own corpus."""
VALID = 200
"""Largest number of lines whose error rate is logged."""


def train(options: argparse.Namespace) -> None:
    """Read the corpora and train."""
    recipe = load_recipe(options.recipe)
    if recipe.model.text is None:
        sys.exit(f"{options.recipe}: this recipe is of a voice that reads no text")
    alphabet = recipe.model.text.alphabet
    own = voice_lines(options.corpus, alphabet, recipe.data)
    others = [other_lines(path, alphabet) for path in options.others]
    other_train, other_test, valid = (
        list(chain(*(one[split] for one in others))) for split in ("train", "test", "valid")
    )
    lines = [*own["train"], *other_train]
    share = SHARE if other_train else 1.0
    weights = [share / len(own["train"])] * len(own["train"]) + [(1 - share) / max(1, len(other_train))] * len(
        other_train
    )
    print(f"{len(lines):,} lines to train, {len(valid):,} valid, {len(own['test']):,} and {len(other_test):,} held out")
    torch.manual_seed(options.seed)
    schedule = Schedule(updates=options.updates, seed=options.seed)
    run = RecogniserTraining(Recogniser(alphabet), lines, weights, schedule)
    if options.resume and options.out.exists():
        run.resume(options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    held_out = frozenset(line.id for line in chain(own["test"], other_test))
    run.run(options.out, held_out, valid[:VALID])


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="the voice's corpus, an .npz of lines with texts")
    parser.add_argument("others", type=Path, nargs="*", help="corpora of other writers")
    parser.add_argument("--recipe", default="handwriting", help="recipe of the voice")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--updates", type=int, default=6300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="continue the training of --out")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        train(parser.parse_args())
    except VRNNEngineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
