"""Reproduces the paper's table: every family on every corpus, with several seeds and equal weights and updates.

    python benchmarks/reproduction.py --data DIR [--runs DIR] [--only PART]... [--seeds 1 2 3] [--updates 600]

DIR contains a folder (for iamondb, a folder or an .npz file) for each corpus, named as its recipe; missing corpora are
left out.  Each run is a cell, CORPUS/FAMILY/BASIS/SEED.  A finished cell is a line of docs/reproduction.jsonl and is
not run again; an interrupted cell resumes from its checkpoint.  Several processes of this script may run at once: each
takes cells that no other one runs.
After each cell, docs/reproduction.md is written from all cells with the same number of updates.  --only selects the
cells whose name contains PART.  Needs the extra `train`.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from filelock import FileLock, Timeout
from reproduction_table import FAMILIES, write_table

from vrnn_engine.evaluation.likelihood import likelihood
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.families import OPTIONAL, build_model, families
from vrnn_engine.training.checkpoint import LAST
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.recipe import Recipe, load_recipe
from vrnn_engine.training.trainer import train

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "reproduction.jsonl"

SPEECH = ("blizzard", "timit", "onomatopoeia", "accent")
INK = ("iamondb",)
MODEL_OF_SPEECH = "timit"
"""Recipe whose sizes all speech corpora use here, so that only their data differ."""
COMPONENTS = 4
"""Number of components of a mixture of frames; with the paper's 20, almost all weights would be the mixture's."""
SOURCE_FILTER = {"cepstrum": 40, "warp": 0.42, "shortest": 40, "longest": 200, "pitch": [96]}
SEEDS = [1, 2, 3]
PATHS = 5
"""K of the importance-weighted bound."""


class Cell(NamedTuple):
    """One run of the table."""

    corpus: str
    family: str
    basis: str
    seed: int

    def __str__(self) -> str:
        return "/".join(map(str, self))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/reproduction"), help="folder of the checkpoints of unfinished cells"
    )
    parser.add_argument("--only", action="append", metavar="PART")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for cell in cells(options.seeds):
        data = next((p for p in (options.data / cell.corpus, options.data / f"{cell.corpus}.npz") if p.exists()), None)
        if data is None or (options.only and not any(part in str(cell) for part in options.only)):
            continue
        folder = options.runs / str(options.updates) / str(cell)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / "lock", blocking=False):
                if not finished(cell, options.updates):
                    run(cell, data, folder, options.updates)
        except Timeout:
            continue  # another process runs this cell
    write_page(options.updates)


def cells(seeds: list[int]) -> Iterator[Cell]:
    """Yield all cells, those of the first seed first, so that an unfinished table has no gaps."""
    for seed in seeds:
        for corpus, basis in itertools.product(SPEECH, ("samples", "mdct", "source-filter")):
            for family in FAMILIES:
                if basis != "source-filter" or family.endswith("gauss"):
                    yield Cell(corpus, family, basis, seed)
        for corpus, family in itertools.product(INK, FAMILIES):
            yield Cell(corpus, family, "points", seed)


def run(cell: Cell, data: Path, folder: Path, updates: int) -> None:
    """Train and measure one cell, and append it to the results."""
    recipe = recipe_of(cell, updates)
    began = time.monotonic()
    print(f"{cell}: {updates} updates", flush=True)
    best = train(recipe, data, folder, resume=(folder / LAST).exists())
    model = best.build()
    corpus = open_corpus(recipe, data)
    found = likelihood(model, corpus, "test", PATHS)
    row = {
        **cell._asdict(),
        "updates": updates,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "elbo": found.elbo.mean,
        "importance_weighted": found.importance_weighted.mean,
        "paths": found.samples,
        "kl": found.kl.mean,
        "interval": found.elbo.interval,
        "valid_elbo": best.metrics["valid_elbo_per_sequence"],
        "test_sequences": found.sequences,
        "frames_per_sequence": found.frames / found.sequences,
        "seconds": round(time.monotonic() - began),
        "torch": torch.__version__,
    }
    print(f"{cell}: ELBO {row['elbo']:,.0f}, {row['seconds']} s", flush=True)
    with FileLock(RESULTS.with_suffix(".lock")):
        with RESULTS.open("a") as file:
            rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
            file.write(json.dumps(rounded) + "\n")
        write_page(updates)


def write_page(updates: int) -> None:
    """Write the page from all finished cells with this number of updates."""
    rows = [row for row in results() if row["updates"] == updates]
    write_table(rows, DOCS / "reproduction.md", COMPONENTS, len(list(cells(SEEDS))))


def results() -> list[dict]:
    """Return all finished cells."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def finished(cell: Cell, updates: int) -> bool:
    """Return whether a cell is among the results."""
    return any(row["updates"] == updates and cell == tuple(row[name] for name in Cell._fields) for row in results())


def recipe_of(cell: Cell, updates: int) -> Recipe:
    """Return the small recipe of a corpus with a cell's family and basis, and the number of weights of VRNN-Gauss."""
    recipe = load_recipe(cell.corpus)
    speech = cell.corpus in SPEECH
    base = load_recipe(MODEL_OF_SPEECH if speech else cell.corpus)
    # The learning rates of ink are not those of its recipe, so that a change of the recipe does not affect the table.
    schedule = msgspec.structs.replace(
        base.training,
        updates=updates,
        learning_rate=1e-3,
        final_learning_rate=base.training.final_learning_rate if speech else 1e-4,
        kl_warmup=updates // 5,
        average=0.99,
        validate_every=max(1, updates // 5),
    )
    # Ink: the same number of points per update, in shorter chunks of more lines, takes a third of the time.
    data = (
        msgspec.structs.replace(recipe.data, lanes=16, chunk=40, carry=4)
        if speech
        else msgspec.structs.replace(recipe.data, rows=60, chunk=100)
    )
    gauss = model_of("vrnn-gauss", cell.basis, base.model)
    model = matched(model_of(cell.family, cell.basis, base.model), parameters(gauss))
    return msgspec.structs.replace(recipe, seed=cell.seed, model=model, data=data, training=schedule)


def model_of(family: str, basis: str, base: ModelConfig) -> ModelConfig:
    """Return a model config of a family with the sizes of another config."""
    # The paper has no slow cells.
    fields = msgspec.to_builtins(base) | {"family": family, "components": 1, "slow_cells": None}
    if family.endswith("-gmm"):
        fields["components"] = base.components if basis == "points" and base.components > 1 else COMPONENTS
    for name in OPTIONAL:
        if name not in families()[family].uses:
            del fields[name]
    if basis == "source-filter":
        fields["source_filter"] = SOURCE_FILTER
    fields["basis"] = "samples" if basis == "source-filter" else basis
    fields["input_compression"] = base.input_compression if basis == "mdct" else 0.0
    return msgspec.convert(fields, ModelConfig)


def parameters(config: ModelConfig) -> int:
    """Return the number of weights of a model."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_model(config).parameters())


def matched(config: ModelConfig, target: int) -> ModelConfig:
    """Return a config with the width of the recurrence that gives the wanted number of weights."""
    low, high = 1, 4096
    while low < high:
        middle = (low + high) // 2
        if parameters(msgspec.structs.replace(config, recurrent_size=middle)) < target:
            low = middle + 1
        else:
            high = middle
    return msgspec.structs.replace(config, recurrent_size=low)


if __name__ == "__main__":
    main()
