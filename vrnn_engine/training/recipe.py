"""Recipes: TOML files that say everything about a training run but where its data lies."""

import difflib
import math
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from vrnn_engine.data.layouts import Layout
from vrnn_engine.data.style import Style
from vrnn_engine.errors import RecipeError
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.families import check

MAX_SEED = 2**63 - 1
Positive = Annotated[int, msgspec.Meta(ge=1)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]


class SpeechData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="speech"):
    """A folder of recordings; see `vrnn_engine.data.speech.SpeechCorpus`."""

    rate: Positive
    lanes: Positive
    chunk: Positive
    carry: Positive
    layout: Layout = "folders"
    """How the corpus names and sorts its recordings; see `vrnn_engine.data.layouts`."""


class PenData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="pen"):
    """An .npz of ink lines; see `vrnn_engine.data.pen.PenCorpus`."""

    rows: Positive
    chunk: Positive
    rate: Positive
    """Points per second of the voice that comes of it."""
    resample: bool = False
    """Resample every line to `rate`; else the file's points are taken to have it."""
    height_mm: Above0 | None = None
    authors_normalisation: bool = False
    max_points: Positive = 4096
    max_move: Above0 | None = None
    split_by_form: bool = False
    style: Style | None = None
    """Train on lines that all have the usual style, and have a stream draw one of its own."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long and how fast to train."""

    updates: Positive
    learning_rate: Above0
    final_learning_rate: Above0
    """Reached at the last update along a half cosine."""
    clip: Above0 = 1.0
    """Largest global norm of the gradient of the loss per frame."""
    kl_start: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    kl_warmup: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The KL's weight rises from `kl_start` to 1 over this many updates."""
    average: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Decay of the running average of the weights that is validated and exported; 0 for none."""
    resample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Share of sequences whose frames the recurrence sees as the decoder would have drawn them (parallel
    scheduled sampling, Duckworth et al. 2019): what it will live on when it runs free."""
    resample_from: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The update that `resample` begins at.  What was best before it is forgotten: whatever its bound, a
    model that never saw its own frames drifts."""
    validate_every: Positive = 500
    accumulate: Positive = 1
    """Parts that a batch's rows are walked in, one after another, to take less memory; the numbers stay
    the same."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """`bf16` computes the products in bfloat16 (autocast), and likelihoods and the recurrence's cell in fp32."""

    def __post_init__(self) -> None:
        if self.resample_from >= self.updates:
            raise ValueError(f"resample_from {self.resample_from} is not before the last of {self.updates} updates")
        if self.resample_from and not self.resample:
            raise ValueError(f"resample_from {self.resample_from} goes with a resample above 0")


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a voice's card should say of the data that the recipe is meant for."""

    data: str
    source: str
    licence: str
    unit: str
    """Unit of a frame's values: `full scale`, `mm`, `tablet units`."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole training run."""

    name: str
    """Letters, digits, `.`, `_` and `-`: folders and voices are named by it."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEED)]
    about: About
    model: ModelConfig
    data: SpeechData | PenData
    training: Schedule

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise ValueError(f"name {self.name!r}: letters, digits, '.', '_' and '-' only, as folders are named by it")
        check(self.model)
        if isinstance(self.data, PenData) != (self.model.modality == "pen"):
            raise ValueError(f"data of kind {type(self.data).__name__} does not fit basis {self.model.basis!r}")

    @property
    def style(self) -> Style | None:
        """That of ink, if the recipe has one."""
        return self.data.style if isinstance(self.data, PenData) else None


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files(__package__) / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Return a bundled recipe by name, or one from a path that ends in .toml.

    Raises
    ------
    RecipeError
        Unknown name, unreadable file, or a wrong field (which one, and why).
    """
    if name.endswith(".toml"):
        where = name
        try:
            text = Path(name).read_text("utf-8")
        except OSError as error:
            raise RecipeError(f"recipe {name}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise RecipeError(f"recipe {name}: not a text file in UTF-8") from None
    elif name in bundled_recipes():
        where = f"{name}.toml"
        text = (resources.files(__package__) / "recipes" / where).read_text("utf-8")
    else:
        near = difflib.get_close_matches(name, bundled_recipes(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(bundled_recipes())}"
        raise RecipeError(f"no recipe named {name!r}; {hint} (or give a path ending in .toml)")
    try:
        return recipe_from(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RecipeError(f"recipe {where}: {error}") from None


def changed(recipe: Recipe, seed: int | None = None, updates: int | None = None) -> Recipe:
    """Return a recipe with another seed or number of updates; raise `RecipeError` where it does not fit them."""
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
    """Build a recipe from plain values, as TOML and checkpoints hold them."""
    _refuse_infinite(fields, "$")
    return msgspec.convert(fields, Recipe)


def recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values."""
    fields: dict[str, Any] = msgspec.to_builtins(recipe)
    return fields


def _refuse_infinite(value: Any, where: str) -> None:
    """TOML has `inf` and `nan`, which no bound of a field's type keeps out."""
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_infinite(part, f"{where}.{name}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError(f"Expected a finite number, got {value} - at `{where}`")
