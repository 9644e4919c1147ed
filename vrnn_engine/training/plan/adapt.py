"""The table `[adapt]` of a recipe: what a run does differently that adapts trained weights to other data."""

from pathlib import Path
from typing import Any

import msgspec

from vrnn_engine.base.folders import check_name
from vrnn_engine.errors import RecipeError
from vrnn_engine.training.checkpoint import LAST, load_checkpoint
from vrnn_engine.training.recipe import Recipe, recipe_fields, recipe_from

ADDITION = "-adapted"
"""Added to the name of a recipe: it names the folder of the run, and the voice."""
TABLES = ("about", "data", "training")
"""Tables with values that `[adapt]` may replace."""


def adapted(recipe: Recipe) -> Recipe:
    """Return the recipe of a run that adapts trained weights: with the values of the recipe's table `[adapt]`.

    Parameters
    ----------
    recipe : Recipe
        A recipe with that table.

    Returns
    -------
    Recipe
        Without that table, and with another name.

    Raises
    ------
    RecipeError
        The table has another field than `TABLES`, or a value that is not valid in its place; or the new name is too
        long for a voice.
    """
    fields, changes = recipe_fields(full(recipe)), recipe.adapt
    check_name(recipe.name + ADDITION, "voice", RecipeError)
    try:
        if unknown := set(changes) - set(TABLES):
            raise ValueError(f"{unknown.pop()!r} cannot be replaced; there are {', '.join(TABLES)}")
        return recipe_from(_replaced(fields, changes) | {"name": recipe.name + ADDITION})
    except ValueError as error:
        raise RecipeError(f"recipe {recipe.name}, table [adapt]: {error}") from None


def full(recipe: Recipe) -> Recipe:
    """Return a recipe without its table `[adapt]`.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    """
    return msgspec.structs.replace(recipe, adapt={})


def recipe_of_run(recipe: Recipe, start: bool, resumed: Path | None) -> Recipe:
    """Return the recipe that a run uses.

    Parameters
    ----------
    recipe : Recipe
        A recipe, with or without a table `[adapt]`.
    start : bool
        Whether the run starts from trained weights.
    resumed : Path, optional
        Folder of the run that is continued.

    Returns
    -------
    Recipe
        The adapted recipe if the run starts from trained weights, or if the run that is continued did, and the recipe
        has the table; else the full one.

    Raises
    ------
    CheckpointError
        The run that is continued is damaged.
    RecipeError
        The table is not valid.
    """
    if not recipe.adapt:
        return recipe
    last = resumed / LAST if resumed else None
    if last and last.is_file():
        start = load_checkpoint(last).recipe.name == recipe.name + ADDITION
    changed = adapted(recipe)
    return changed if start else full(recipe)


def _replaced(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return nested fields with other values."""
    found = dict(fields)
    for name, value in changes.items():
        inner = found.get(name)
        found[name] = _replaced(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found
