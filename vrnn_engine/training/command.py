"""The command lines that train a checkpoint again, all steps of a run that started from another run's weights."""

import re
from typing import NamedTuple

from vrnn_engine.training.checkpoint import Checkpoint
from vrnn_engine.training.plan.adapt import ADDITION, adapted, full
from vrnn_engine.training.plan.fit import fitted_to
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
    bundled, is_adapted = _bundled(checkpoint), _is_adapted(checkpoint)
    name = _given_name(checkpoint)
    words = ["vrnn-engine train", name if bundled else f"{name}.toml", "--data DATA"]
    if checkpoint.started_from:
        runs = _runs(checkpoint.started_from, earlier)
        words.append(f"--from runs/{_folder(checkpoint.started_from, runs)}/best.pt")
    folder = _folder(recipe.name, 1 + _runs(recipe.name, earlier))
    if folder != recipe.name or is_adapted:
        words.append(f"--out runs/{folder}")
    if bundled and bundled.seed != recipe.seed:
        words.append(f"--seed {recipe.seed}")
    if limit := checkpoint.resume.get("time_limit"):
        return "; ".join([*filter(None, [earlier]), " ".join([*words, f"--minutes {limit['planned_minutes']:g}"])])
    command, totals = " ".join(words), [*checkpoint.resume.get("begun", []), recipe.training.updates]
    # A run that was continued: its first number of updates, then each larger number that it was resumed with.
    if totals[1:] or (bundled and bundled.training.updates != recipe.training.updates):
        command += f" --updates {totals[0]}"
    resumed = [f"the same with --resume --updates {total}" for total in totals[1:]]
    return "; ".join([*filter(None, [earlier]), command, *resumed])


def _is_adapted(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint was trained by the table `[adapt]` of a recipe."""
    return bool(checkpoint.started_from) and checkpoint.recipe.name.endswith(ADDITION)


def _given_name(checkpoint: Checkpoint) -> str:
    """Return the name of the recipe that was given to the command."""
    name = checkpoint.recipe.name
    return name.removesuffix(ADDITION) if _is_adapted(checkpoint) else name


def _bundled(checkpoint: Checkpoint) -> Recipe | None:
    """Return the bundled recipe that a checkpoint was trained by, or None; seed and number of updates may differ."""
    name = _given_name(checkpoint)
    if name not in bundled_recipes():
        return None
    bundled = (adapted if _is_adapted(checkpoint) else full)(load_recipe(name))
    # Plain values, because a recipe with one of two changes may be invalid.
    fields = recipe_fields(checkpoint.recipe) | {"seed": bundled.seed}
    fields["training"]["updates"] = bundled.training.updates
    if checkpoint.resume.get("time_limit"):
        fields["training"] = recipe_fields(bundled)["training"]  # a time limit stretches all of the schedule
    rate, channels = checkpoint.recipe.data.rate, checkpoint.recipe.model.channels
    general = fitted_to(bundled, rate, channels) if bundled.fit else bundled
    return bundled if fields == recipe_fields(general) else None


def _folder(name: str, runs: int) -> str:
    """Return the name of the folder that the last of some runs of a recipe writes to."""
    return name if runs < 2 else f"{name}-{runs}"


def _runs(name: str, commands: str) -> int:
    """Return the number of command lines that write to the folder of a recipe, or to this folder with a number."""
    return sum(_written(command) == name for command in commands.split("; "))


def _written(command: str) -> str:
    """Return the name of the folder that a command line writes to, without its number; empty if it names none."""
    if out := re.search(r"--out runs/(\S+?)(?:-\d+)?(?: |$)", command):
        return out[1]
    recipe = re.search(r"vrnn-engine train (\S+) ", command)
    return recipe[1].removesuffix(".toml") if recipe else ""
