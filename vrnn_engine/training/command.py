"""The command lines that train a checkpoint again, all steps of a run that started from another run's weights."""

import re
from typing import NamedTuple

from vrnn_engine.training.checkpoint import Checkpoint
from vrnn_engine.training.recipe import Recipe, bundled_recipes, load_recipe, recipe_fields


class Start(NamedTuple):
    """Where the initial weights of a run come from; random weights have two empty texts."""

    recipe: str = ""
    """Name of the recipe that trained them."""
    commands: str = ""
    """Command lines that trained them, separated by semicolons."""


def start_from(base: Checkpoint) -> Start:
    """Return the start of a run that begins with the weights of a checkpoint.

    Parameters
    ----------
    base : Checkpoint
        The checkpoint.
    """
    return Start(base.recipe.name, training_command(base))


def training_command(checkpoint: Checkpoint) -> str:
    """Return the command lines that train a checkpoint again, separated by semicolons.

    Each run writes to `runs/RECIPE`, or to another folder if an earlier run of the same recipe has written there.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint. If it was read from a voice, its `earlier` are already all of the commands.
    """
    recipe, earlier = checkpoint.recipe, checkpoint.earlier
    if earlier and not checkpoint.resume:
        return earlier
    bundled = _bundled(checkpoint)
    name = recipe.name if bundled else f"{recipe.name}.toml"
    words = ["vrnn-engine train", name, "--data DATA"]
    if checkpoint.started_from:
        words.append(f"--from runs/{_folder(checkpoint.started_from, earlier)}/best.pt")
    folder = _folder(recipe.name, f"{earlier}; vrnn-engine train {recipe.name} ")
    if folder != recipe.name:
        words.append(f"--out runs/{folder}")
    if bundled and bundled.seed != recipe.seed:
        words.append(f"--seed {recipe.seed}")
    command, totals = " ".join(words), [*checkpoint.resume.get("begun", []), recipe.training.updates]
    # A run that was continued: its first number of updates, then each larger number that it was resumed with.
    if totals[1:] or (bundled and bundled.training.updates != recipe.training.updates):
        command += f" --updates {totals[0]}"
    resumed = [f"the same with --resume --updates {total}" for total in totals[1:]]
    return "; ".join([*filter(None, [earlier]), command, *resumed])


def _bundled(checkpoint: Checkpoint) -> Recipe | None:
    """Return the bundled recipe that a checkpoint was trained by, or None; seed and number of updates may differ."""
    recipe = checkpoint.recipe
    if recipe.name not in bundled_recipes():
        return None
    bundled = load_recipe(recipe.name)
    # Plain values, because a recipe with one of two changes may be invalid.
    fields = recipe_fields(recipe) | {"seed": bundled.seed}
    fields["training"]["updates"] = bundled.training.updates
    return bundled if fields == recipe_fields(bundled) else None


def _folder(name: str, commands: str) -> str:
    """Return the name of the folder that the last run of a recipe in some command lines writes to."""
    runs = len(re.findall(rf"vrnn-engine train {re.escape(name)}(?:\.toml)? ", commands))
    return name if runs < 2 else f"{name}-{runs}"
