"""`vrnn-engine evaluate --free-running`: what a checkpoint makes alone, beside held-out real material."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vrnn_engine.cli import report
from vrnn_engine.cli.exported import as_voice
from vrnn_engine.errors import DataError, RecipeError

if TYPE_CHECKING:
    import numpy as np

    from vrnn_engine.data.pen import PenCorpus
    from vrnn_engine.training.recipe import Recipe

Columns = dict[str, list[float]]
"""Statistics by name, a value for each take; NaN where a take has none."""

LONG = 120.0
"""Seconds from which a take of sound is long enough to drift: two minutes."""


def free_running(
    checkpoint: str,
    data: Path,
    split: str,
    seeds: Sequence[int],
    seconds: float,
    strict: bool,
    json: bool,
    voice: str | None = None,
) -> None:
    """Measure takes of a checkpoint, or of a voice made of it or its recipe, one a seed, and as long ones of a split;
    print both.
    """
    from vrnn_engine.data.pen import PenCorpus
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.training.corpus import open_corpus

    recipe = _recipe(checkpoint, voice)
    report.say(f"{recipe.name}: reading {data}")
    corpus = open_corpus(recipe, data, strict)
    report.say(f"{recipe.name}: {seconds:g} s of each of {len(seeds)} seeds")
    with as_voice(voice or checkpoint) as where:
        engine = Engine.load(where, rows=len(seeds))
        manifest = engine.voice.manifest
        model = recipe.model
        made_of = (model.family, model.basis, model.frame_size, recipe.data.rate, recipe.about.unit)
        if (manifest.family, manifest.basis, manifest.frame_size, manifest.rate, manifest.unit) != made_of:
            raise DataError(
                f"voice {manifest.name!r} is not of {checkpoint}, which has another family, basis, rate or unit"
            )
        streams = [engine.stream(seed) for seed in seeds]
        made = engine.read(math.ceil(seconds * manifest.frames_per_second), streams)
    if isinstance(corpus, PenCorpus):
        real = _pen(_lines_of_writers(corpus, split, round(seconds * manifest.rate)))
        generated = _pen([[take] for take in made])
    else:
        real = _audio(_cut(corpus.parts[split].samples, round(seconds * manifest.rate), len(seeds)), manifest.rate)
        generated = _audio(made, manifest.rate)
    if json:
        about = {
            "recipe": recipe.name,
            "voice": manifest.name,
            "split": split,
            "seeds": list(seeds),
            "seconds": seconds,
        }
        report.print_json(about | {"real": real, "generated": generated})
    else:
        _print(real, generated)


def _recipe(given: str, voice: str | None) -> "Recipe":
    from vrnn_engine.training.checkpoint import load_checkpoint
    from vrnn_engine.training.recipe import bundled_recipes, load_recipe

    named = given in bundled_recipes() or not (Path(given).suffix or Path(given).exists())
    if not (named or given.endswith(".toml")):
        return load_checkpoint(Path(given)).recipe
    recipe = load_recipe(given)
    if not voice:
        raise RecipeError(f"recipe {given} has no weights to run free: give a --voice made by it, or a checkpoint")
    return recipe


def _cut(samples: "np.ndarray", length: int, count: int) -> "list[np.ndarray]":
    """Cut up to so many takes out of a split, evenly spread; one shorter take where it has no more."""
    from vrnn_engine.data.recordings import QUANTUM

    count = max(1, min(count, len(samples) // length))
    starts = [max(0, len(samples) - length) * k // max(1, count - 1) for k in range(count)]
    if len(samples) < length:
        report.warn(f"the real material is {len(samples) / length:.0%} as long as a generated take: repeats less")
    return [samples[start : start + length] * QUANTUM for start in starts]


def _lines_of_writers(corpus: "PenCorpus", split: str, length: int) -> "list[list[np.ndarray]]":
    """Return the first lines of each writer of a split, until they have so many points."""
    takes: dict[str, list[np.ndarray]] = {}
    for line, writer in zip(corpus.lines[split], corpus.writers[split], strict=True):
        take = takes.setdefault(writer, [])
        if sum(map(len, take)) < length:
            take.append(line)
    return list(takes.values())


def _audio(takes: "Sequence[np.ndarray]", rate: int) -> Columns:
    from vrnn_engine.evaluation.drift import drift
    from vrnn_engine.evaluation.repetition import repetition
    from vrnn_engine.evaluation.sound import CENTRES, MODULATIONS, describe, modulation_spectrum

    rows = []
    for take in takes:
        found = describe(take, rate)
        row = {"level_db": found.level, "above_4_khz_db": found.high, "depth_db": found.depth}
        row |= {f"band_{centre:.0f}_hz_db": level for centre, level in zip(CENTRES, found.bands, strict=True)}
        indices = modulation_spectrum(take, rate)
        row |= {f"modulation_{centre:.0f}_hz": index for centre, index in zip(MODULATIONS, indices, strict=True)}
        row |= {"modulation_of_syllables": found.syllabic, "voiced": found.voiced, "clipped": found.clipped}
        row["repetition"] = repetition(take, rate)
        if len(take) >= LONG * rate:
            row |= {f"drift_{name}": value for name, value in drift(take, rate).to_dict().items()}
        rows.append(row)
    return _columns(rows)


def _pen(takes: "Sequence[Sequence[np.ndarray]]") -> Columns:
    from vrnn_engine.evaluation.ink import constancy, describe_ink

    rows = []
    for take in takes:
        found = describe_ink(take)
        spreads = {
            "stroke_length": found.length,
            "curvature": found.curvature,
            "slant": found.slant,
            "size": found.size,
        }
        row = {
            f"{name}_{part}": getattr(spread, part) for name, spread in spreads.items() for part in ("median", "iqr")
        }
        rows.append(row | {"lifted": found.lifted})
    columns = _columns(rows)
    try:
        columns |= _columns([{f"constancy_{name}": value for name, value in constancy(takes).to_dict().items()}])
    except DataError as error:  # the rest can be told all the same
        report.warn(str(error))
    return columns


def _columns(rows: list[dict[str, float]]) -> Columns:
    """Turn takes of statistics into statistics of takes."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _print(real: Columns, generated: Columns) -> None:
    rows = [(name.replace("_", " "), _cell(real.get(name, [])), _cell(generated[name])) for name in generated]
    report.print_table(("mean (least to most)", "real", "generated"), rows)


def _cell(values: list[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    mean = f"{sum(known) / len(known):.3g}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.3g} to {max(known):.3g})"
