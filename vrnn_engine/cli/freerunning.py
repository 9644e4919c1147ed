"""`vrnn-engine evaluate --free-running`: prints statistics of generated streams and of a corpus side by side."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vrnn_engine.cli import report
from vrnn_engine.cli.exported import as_voice
from vrnn_engine.cli.legibility import WIDTH
from vrnn_engine.errors import DataError, RecipeError

if TYPE_CHECKING:
    import numpy as np

    from vrnn_engine.evaluation.free_running import Corpus, FreeRunning
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.voice.manifest import Manifest
    from vrnn_engine.training.recipe import Recipe


def free_running(
    checkpoint: str,
    data: Path,
    split: str,
    seeds: Sequence[int],
    seconds: float,
    strict: bool,
    json: bool,
    voice: str | None = None,
    texts: Path | None = None,
) -> None:
    """Generate one take per seed, and print statistics of the generated and of real takes side by side.

    Parameters
    ----------
    checkpoint : str
        Path of a checkpoint; with a voice, a recipe is enough.
    data : Path
        The corpus.
    split : str
        Part of the corpus.
    seeds : sequence of int
        One take is generated from each seed.
    seconds : float
        Length of a take.
    strict : bool
        Fail if a file of the corpus cannot be read.
    json : bool
        Print JSON instead of a table.
    voice : str, optional
        Generate with this voice instead of the checkpoint.
    texts : Path, optional
        A file of texts, one a line, that a voice which reads a text writes as a page; by default a page of the package.
    """
    from vrnn_engine.evaluation.free_running import FreeRunning, generated_columns, real_columns
    from vrnn_engine.runtime.engine import Engine

    recipe = _recipe(checkpoint, voice, data)
    report.say(f"{recipe.name}: reading {data}")
    corpus = _corpus(recipe, data, strict)
    page = _page(texts) if recipe.model.text else None
    if texts and page is None:
        raise DataError(f"recipe {recipe.name} trains a model that reads no text; leave out --texts")
    # Before anything is generated, because a split may be too short.
    try:
        real = real_columns(corpus, split, recipe.data.rate, seconds, len(seeds))
    except DataError as error:
        raise DataError(f"{data}: its {split} split cannot be compared: {error}") from None
    report.say(f"{recipe.name}: generating {seconds:g} s from each of {len(seeds)} seeds")
    with as_voice(voice or checkpoint) as where:
        engine = Engine.load(where, rows=len(seeds))
        manifest = engine.voice.manifest
        _check_voice(manifest, recipe, checkpoint)
        generated = _takes(engine, seeds, seconds, None)
        written = _takes(engine, seeds, seconds, page) if page else None
    height = manifest.text.line_height if manifest.text else None
    found = FreeRunning(
        real,
        generated_columns(generated, corpus, manifest.rate, height),
        generated_columns(written, corpus, manifest.rate, height) if written else None,
    )
    if json:
        about = {
            "recipe": recipe.name,
            "voice": manifest.name,
            "split": split,
            "seeds": list(seeds),
            "seconds": seconds,
        }
        report.print_json(about | {name: columns for name, columns in found._asdict().items() if columns is not None})
    else:
        _print(found)


def _corpus(recipe: "Recipe", data: Path, strict: bool) -> "Corpus":
    """Open the corpus; its lines are as recorded, not transformed to the usual style."""
    import msgspec

    from vrnn_engine.data.options import PenData
    from vrnn_engine.data.text.corpus import TextCorpus
    from vrnn_engine.training.corpus import open_corpus

    if recipe.model.text and isinstance(recipe.data, PenData):
        return TextCorpus(data, recipe.model.text.alphabet, msgspec.structs.replace(recipe.data, style=None), strict)
    return open_corpus(recipe, data, strict)


def _page(texts: Path | None) -> str:
    """Return the page that is written: all texts of a file, or the page of the package."""
    from vrnn_engine.evaluation.legibility.texts import read_texts, texts_to_write

    return "\n".join(read_texts(texts)["text"]) if texts else texts_to_write()["page"][0]


def _takes(engine: "Engine", seeds: Sequence[int], seconds: float, page: str | None) -> "list[np.ndarray]":
    """Return what a voice generates from each seed: the beginning of a page, or without a text."""
    manifest = engine.voice.manifest
    width = WIDTH * manifest.text.line_height if manifest.text and page else None
    streams = [engine.stream(seed, text=page, width=width) for seed in seeds]
    found = engine.read(math.ceil(seconds * manifest.frames_per_second), streams)
    for stream in streams:
        stream.close()
    return found


def _recipe(given: str, voice: str | None, data: Path) -> "Recipe":
    from vrnn_engine.training.checkpoint import load_checkpoint
    from vrnn_engine.training.plan.fit import fitted
    from vrnn_engine.training.recipe import bundled_recipes, load_recipe

    named = given in bundled_recipes() or not (Path(given).suffix or Path(given).exists())
    if not (named or given.endswith(".toml")):
        return load_checkpoint(Path(given)).recipe
    recipe = load_recipe(given)
    if not voice:
        raise RecipeError(
            f"recipe {given} has no weights to generate with; give a --voice made from it, or a checkpoint"
        )
    return fitted(recipe, data)


def _check_voice(manifest: "Manifest", recipe: "Recipe", checkpoint: str) -> None:
    model = recipe.model
    wanted = (model.family, model.basis, model.frame_size, recipe.data.rate, recipe.about.unit)
    if (manifest.family, manifest.basis, manifest.frame_size, manifest.rate, manifest.unit) != wanted:
        raise DataError(
            f"voice {manifest.name!r} was not made from {checkpoint}, which has another family, basis, rate or unit; "
            "give a voice made from it"
        )


def _print(found: "FreeRunning") -> None:
    columns = {"real": found.real, "generated": found.generated}
    if found.written:
        columns |= {"a written page": found.written}
    rows = [
        (name.replace("_", " "), *(_cell(one.get(name, [])) for one in columns.values())) for name in found.generated
    ]
    report.print_table(("mean (lowest to highest)", *columns), rows)


def _cell(values: list[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    mean = f"{sum(known) / len(known):.3g}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.3g} to {max(known):.3g})"
