"""Fits a recipe to recordings: their rate and channels, and a frame of about the recipe's duration."""

import math
from pathlib import Path

import msgspec

from vrnn_engine.training.recipe import Recipe


def fitted(recipe: Recipe, data: Path) -> Recipe:
    """Return a recipe fitted to recordings if it has `fit = true`, else the recipe itself.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    data : Path
        A folder of recordings, or a single recording.

    Raises
    ------
    DataError
        There is no recording that can be read.
    """
    if not recipe.fit:
        return recipe
    from vrnn_engine.data.material import survey  # needs soundfile, which an export does without

    return fitted_to(recipe, survey(data).rate)


def fitted_to(recipe: Recipe, rate: int) -> Recipe:
    """Return a recipe with `fit = true` fitted to recordings; the result has `fit = false`.

    Its rate is that of the recordings, but at most the recipe's.  A frame has the power of two of samples that is
    nearest to the duration of the recipe's frame.

    Parameters
    ----------
    recipe : Recipe
        A recipe of sound.
    rate : int
        Sampling rate of the recordings, Hz.
    """
    rate = min(rate, recipe.data.rate)
    size = 2 ** round(math.log2(recipe.model.frame_size * rate / recipe.data.rate))
    data = msgspec.structs.replace(recipe.data, rate=rate)
    model = msgspec.structs.replace(recipe.model, frame_size=size)
    return msgspec.structs.replace(recipe, fit=False, data=data, model=model)
