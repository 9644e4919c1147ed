"""Recipes: TOML files that describe a training run completely, except for the path of the data."""

import math
import re
import tomllib
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec

from vrnn_engine.base.folders import name_fault
from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.suggest import suggest
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.options import Above0, PenData, Positive, SpeechData
from vrnn_engine.data.style import Style
from vrnn_engine.errors import RecipeError
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.families import check

MAX_SEED = 2**63 - 1


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[training]` table of a recipe: number of updates, learning rate, weight of the KL, and precision."""

    updates: Positive
    """Number of steps of Adam."""
    learning_rate: Above0
    """Learning rate at the first update."""
    final_learning_rate: Above0
    """Learning rate after the last update; the rate falls to it along half a cosine."""
    warmup: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Number of updates over which the learning rate first rises linearly from 0."""
    decay: Annotated[int, msgspec.Meta(ge=0)] = 0
    """If above 0, the learning rate stays constant after `warmup`, and the half cosine is over this number of last
    updates (warmup-stable-decay).  Until these begin, an unfinished run may be given another number of `updates`."""
    clip: Above0 = 1.0
    """Limit of the global norm of the gradient of the loss per frame; a larger gradient is scaled down to this norm."""
    kl_start: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Weight of the KL in the loss at the first update."""
    kl_warmup: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Number of updates over which the weight of the KL rises from `kl_start` to 1."""
    free_nats: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """KL of the latent of a line, in nats, up to which it is not part of the loss (free bits, Kingma et al. 2016); only
    for text-conditioned models.  Within a line the recurrence remembers the hand, so otherwise the model would not use
    the latent."""
    average: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Decay of the moving average of the weights; the average is validated and exported.  0 for no average."""
    resample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Probability that, in a sequence, the recurrence reads frames sampled from the decoder instead of the true ones,
    as in free-running generation (parallel scheduled sampling, Duckworth et al. 2019)."""
    resample_from: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Number of updates after which `resample` begins.  The next validation then replaces the best checkpoint so far,
    even if its bound is lower, because a model that never read its own frames drifts.  A run with fewer updates never
    resamples."""
    input_noise: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Sd of noise on the moves of a pen that the recurrence reads, in sds of a move."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Share of the units of a text-conditioned model that are dropped, the same ones for a whole line."""
    keep: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Share of the weights that the run started from (`--from`) in the weights that are validated and exported; the
    other part is that of the trained weights (Wortsman et al. 2022, arXiv:2109.01903).  So a voice can be adapted to
    few lines of one writer, and keeps what these lines do not contain.  The initial weights are validated as well, so
    the best checkpoint is never worse than them."""
    validate_every: Positive = 500
    """Number of updates between validations; there is also a validation after the last update."""
    accumulate: Positive = 1
    """Number of parts into which the rows of a batch are split; parts are computed one after another and their
    gradients added.  More parts need less memory and give the same gradient, up to rounding."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """`bf16` computes matrix products in bfloat16 (autocast), but likelihoods and the cell of the LSTM in fp32."""

    def __post_init__(self) -> None:
        if self.resample_from and not self.resample:
            raise ValueError(f"resample_from {self.resample_from} needs a resample above 0")
        if self.warmup + self.decay > self.updates:
            raise ValueError(f"warmup {self.warmup} and decay {self.decay} are more than {self.updates} updates")
        if self.input_noise and self.resample:
            raise ValueError("input_noise and resample both replace the input of the recurrence; remove one of them")


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[about]` table of a recipe: the text about the training data on the card of a voice."""

    data: str
    """Description of the data."""
    source: str
    """Where to get the data."""
    licence: str
    """Licence of the data."""
    unit: str
    """Unit of the values of a frame: `full scale`, `mm`, `tablet units`."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A complete description of a training run."""

    name: str
    """Name of the folder of checkpoints and of the voice: up to 64 letters, digits, `.`, `_` and `-`."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEED)]
    about: About
    model: ModelConfig
    data: SpeechData | PenData
    training: Schedule
    fit: bool = False
    """Before a run begins, fit `data.rate`, `model.channels` and `model.frame_size` to the recordings; the values
    here are then the largest.  See `vrnn_engine.training.plan.fit`.  The recipe of a run has no `fit`."""
    adapt: dict[str, Any] = {}
    """The `[adapt]` table: values that replace others if the run starts from trained weights (`--from`); see
    `vrnn_engine.training.plan.adapt`.  The recipe of a run has none."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise ValueError(f"name {self.name!r}: letters, digits, '.', '_' and '-' only, because it names a folder")
        check(self.model)
        if isinstance(self.data, PenData) != (self.model.modality == "pen"):
            raise ValueError(f"data of kind {type(self.data).__name__} does not fit basis {self.model.basis!r}")
        if self.training.input_noise and self.model.modality != "pen":
            raise ValueError("training.input_noise is for a pen, not for audio")
        if self.fit and (self.model.basis != "mdct" or not isinstance(self.data, SpeechData)):
            raise ValueError("fit = true needs basis 'mdct', whose frames may have any length")
        self._check_text()

    def _check_text(self) -> None:
        if (isinstance(self.data, PenData) and self.data.text is not None) != (self.model.text is not None):
            raise ValueError("model.text and data.text need each other; add the missing one, or remove both")
        if self.model.text and self.training.resample:
            raise ValueError("training.resample cannot be used with model.text; use training.input_noise")
        for name in ("dropout", "free_nats"):
            if getattr(self.training, name) and not self.model.text:
                raise ValueError(f"training.{name} needs model.text")

    @property
    def style(self) -> Style | None:
        """The style table of a pen recipe, if it has one."""
        return self.data.style if isinstance(self.data, PenData) else None

    @property
    def ink_height(self) -> float:
        """Typical rms height of the ink of a pen recipe about its baseline, in its unit; 1 if the recipe has none."""
        return self.data.height if isinstance(self.data, PenData) else 1.0


def bundled_recipes() -> list[str]:
    """Return the names of the recipes in this package, sorted."""
    folder = resources.files(__package__) / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Load a recipe.

    Parameters
    ----------
    name : str
        Name of a bundled recipe, or a path that ends in .toml.

    Raises
    ------
    RecipeError
        The name is unknown, the file cannot be read, or a field is invalid; the message names the field and the reason.
    """
    if name.endswith(".toml"):
        where = name
        try:
            text = read_text_bytes(name).decode()
        except OSError as error:
            raise RecipeError(f"recipe {name}: {one_line(error)}") from None
        except UnicodeDecodeError:
            raise RecipeError(f"recipe {name}: not a text file in UTF-8") from None
    elif name in bundled_recipes():
        where = f"{name}.toml"
        text = (resources.files(__package__) / "recipes" / where).read_text("utf-8")
    else:
        hint = suggest(name, bundled_recipes(), "recipes here")
        raise RecipeError(f"no recipe named {name!r}{hint} (or give a path ending in .toml)")
    try:
        recipe = recipe_from(tomllib.loads(text))
        if fault := name_fault(recipe.name, "voice"):  # not in Recipe: older checkpoints are read
            raise ValueError(fault)
        return recipe
    except (ValueError, RecursionError) as error:  # of tomllib and msgspec
        raise RecipeError(f"recipe {where}: {one_line(error)}") from None


def changed(recipe: Recipe, seed: int | None = None, updates: int | None = None) -> Recipe:
    """Return a recipe with another seed or number of updates.

    Parameters
    ----------
    recipe : Recipe
        The recipe; it is not changed.
    seed, updates : int, optional
        None keeps the value of the recipe.

    Raises
    ------
    RecipeError
        The new value is out of range, or contradicts another field.
    """
    fields = recipe_fields(recipe)
    if seed is not None:
        fields["seed"] = seed
    if updates is not None:
        fields["training"]["updates"] = updates
    try:
        return recipe_from(fields)
    except msgspec.ValidationError as error:
        raise RecipeError(f"recipe {recipe.name}: {error}") from None


def recipe_from(fields: dict[str, Any]) -> Recipe:
    """Build a recipe from plain values, as TOML and checkpoints contain them.

    Parameters
    ----------
    fields : dict
        Values by field name, nested as in TOML.

    Raises
    ------
    msgspec.ValidationError
        A field is missing, unknown or out of range.
    """
    _refuse_infinite(fields, "$")
    return msgspec.convert(fields, Recipe)


def recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, the inverse of `recipe_from`.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    """
    fields: dict[str, Any] = msgspec.to_builtins(recipe)
    return fields


def _refuse_infinite(value: Any, where: str) -> None:
    """Raise an error for `inf` and `nan`: TOML allows them, and the bounds of a field's type do not exclude them."""
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_infinite(part, f"{where}.{name}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError(f"Expected a finite number, got {value} - at `{where}`")
