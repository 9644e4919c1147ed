"""Readers of training: checkpoints and recipes."""

import io
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import torch

from support import tiny_models
from support.fuzz.damage import damage_bytes, damage_value
from support.fuzz.reader import Reader
from support.recipes import pen_recipe
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.recipe import load_recipe


def checkpoints(home: Path) -> Reader:
    """A checkpoint whose bytes or whose fields are damaged, and the model that it makes."""
    weights = tiny_models.model("pen-gmm").state_dict()
    path = home / "best.pt"
    save_checkpoint(Checkpoint(pen_recipe(), weights, (0.0, 0.0), (1.0, 1.0), {"bound": 1.0}, "", {"a": 1}), path)
    data = path.read_bytes()
    fields = torch.load(path, weights_only=True)

    def damaged(rng: Random) -> bytes:
        if rng.random() < 0.6:
            return damage_bytes(data, rng)
        buffer = io.BytesIO()
        torch.save(damage_value(fields, rng), buffer)
        return buffer.getvalue()

    def read(path: Path) -> Any:
        found = load_checkpoint(path)
        state = {name: value.numpy().tobytes() for name, value in found.build().state_dict().items()}
        return state, found.recipe, found.mean, found.std, found.metrics, found.started_from, found.resume

    return Reader.of_file(path, data, read, damaged)


def recipes(home: Path) -> Reader:
    """A recipe in TOML."""
    data = (resources.files("vrnn_engine.training") / "recipes" / "handwriting.toml").read_bytes()
    return Reader.of_file(home / "recipe.toml", data, lambda path: load_recipe(str(path)))


READERS = {"checkpoints": checkpoints, "recipes": recipes}
