"""The provenance of a voice: its data, its metrics and the command that trains its checkpoint again."""

from vrnn_engine.runtime.voice.manifest import Provenance
from vrnn_engine.training.checkpoint import Checkpoint
from vrnn_engine.training.recipe import bundled_recipes, load_recipe, recipe_fields


def provenance_of(checkpoint: Checkpoint) -> Provenance:
    """Return the provenance of a checkpoint, as the manifest records it."""
    about = checkpoint.recipe.about
    return Provenance(
        data=about.data,
        source=about.source,
        licence=about.licence,
        command=training_command(checkpoint),
        metrics=checkpoint.metrics,
    )


def training_command(checkpoint: Checkpoint) -> str:
    """Return the command lines that train a checkpoint again, separated by semicolons."""
    recipe, bundled = checkpoint.recipe, None
    if recipe.name in bundled_recipes():
        bundled = load_recipe(recipe.name)
        fields = recipe_fields(recipe) | {
            "seed": bundled.seed
        }  # plain values: a recipe with one of two changes may be invalid
        fields["training"]["updates"] = bundled.training.updates
        if fields != recipe_fields(bundled):
            bundled = None
    words = ["vrnn-engine train", recipe.name if bundled else f"{recipe.name}.toml", "--data DATA"]
    if checkpoint.started_from:
        words.append(f"--from runs/{checkpoint.started_from}/best.pt")
    if bundled and bundled.seed != recipe.seed:
        words.append(f"--seed {recipe.seed}")
    command, totals = " ".join(words), [*checkpoint.resume.get("begun", []), recipe.training.updates]
    # A run that was continued: its first number of updates, then each larger number that it was resumed with.
    if totals[1:] or (bundled and bundled.training.updates != recipe.training.updates):
        command += f" --updates {totals[0]}"
    return "; ".join([command, *(f"the same with --resume --updates {total}" for total in totals[1:])])
