"""Recipes that train tiny models in seconds, and recipes as TOML."""

import msgspec

from support import text_models, tiny_models
from vrnn_engine.data.options import TextLines
from vrnn_engine.training.recipe import About, PenData, Recipe, Schedule, SpeechData

ABOUT = About(data="made up", source="a test", licence="none", unit="mm")

SCHEDULE = Schedule(
    updates=24, learning_rate=1e-2, final_learning_rate=1e-3, average=0.9, validate_every=8, kl_start=0.5, kl_warmup=10
)


def pen_recipe(**schedule):
    return Recipe(
        name="tiny-pen",
        seed=5,
        about=ABOUT,
        model=tiny_models.config("pen-gmm"),
        data=PenData(rows=16, chunk=15, rate=50, resample=True, height_mm=1.8),
        training=msgspec.structs.replace(SCHEDULE, **schedule),
    )


def speech_recipe(basis="mdct-gauss", **schedule):
    return Recipe(
        name="tiny-speech",
        seed=5,
        about=ABOUT,
        model=tiny_models.config(basis),
        data=SpeechData(rate=8000, lanes=2, chunk=10, carry=2),
        training=msgspec.structs.replace(SCHEDULE, **schedule),
    )


TEXT_SCHEDULE = Schedule(
    updates=24,
    warmup=4,
    decay=8,
    learning_rate=1e-2,
    final_learning_rate=1e-3,
    average=0.9,
    validate_every=8,
    kl_start=0.5,
    kl_warmup=10,
    input_noise=0.1,
    dropout=0.2,
)


def text_recipe(**schedule):
    return Recipe(
        name="tiny-text",
        seed=5,
        about=ABOUT,
        model=text_models.config(),
        data=PenData(
            rows=16,
            chunk=200,
            rate=30,
            resample=True,
            height_mm=1.8,
            max_points=200,
            max_move=30.0,
            text=TextLines(max_characters=20, min_points=2.0, rest=5, join=0.3, jitter=0.05),
        ),
        training=msgspec.structs.replace(TEXT_SCHEDULE, **schedule),
    )


def toml(fields, prefix=""):
    """Write plain values as TOML: enough for a recipe."""
    plain = {name: value for name, value in fields.items() if not isinstance(value, dict) and value is not None}
    tables = {name: value for name, value in fields.items() if isinstance(value, dict)}
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in plain.items()]
    for name, value in tables.items():
        lines += [f"[{prefix}{name}]", toml(value, f"{prefix}{name}.")]
    return "\n".join(lines)
