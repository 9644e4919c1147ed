"""Fits a recipe to recordings: their rate and channels, and a frame at least as long as the recipe's."""

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

    found = survey(data)
    return fitted_to(recipe, found.rate, found.channels)


def fitted_to(recipe: Recipe, rate: int, channels: int) -> Recipe:
    """Return a recipe with `fit = true` fitted to recordings; the result has `fit = false`.

    Its rate and channels are those of the recordings, but at most the recipe's.  Each channel of a frame has the
    smallest power of two of samples that lasts at least as long as the recipe's frame: a shorter frame resolves low
    frequencies worse.

    Parameters
    ----------
    recipe : Recipe
        A recipe of sound.
    rate : int
        Sampling rate of the recordings, Hz.
    channels : int
        1 for mono, 2 for stereo.
    """
    rate = min(rate, recipe.data.rate)
    channels = min(channels, recipe.model.channels)
    block = recipe.model.frame_size / recipe.model.channels
    size = channels * 2 ** math.ceil(math.log2(block * rate / recipe.data.rate))
    data = msgspec.structs.replace(recipe.data, rate=rate)
    model = msgspec.structs.replace(recipe.model, frame_size=size, channels=channels)
    return msgspec.structs.replace(recipe, fit=False, data=data, model=model)
