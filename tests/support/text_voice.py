"""Exports a tiny voice that reads a text, with random weights, once for all tests and all test processes."""

from pathlib import Path

import msgspec
import pytest
from filelock import FileLock

from support import text_models
from support.exports import shared_folder
from support.graphs import MADE_UP
from vrnn_engine.data.style import Style
from vrnn_engine.exporters.ink_style import InkStyle
from vrnn_engine.exporters.text_steps import TextSteps
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.training.recipe import load_recipe

RATE, LINE_HEIGHT = 30, 11.0
INK_STYLE = InkStyle(Style(slant=0.1, slant_sd=0.2, size=1.5, size_sd=0.2), RATE)


def steps(seed: int = 0, alphabet: str = text_models.ALPHABET) -> TextSteps:
    """Return a step model with random weights, in millimetres."""
    text = msgspec.structs.replace(text_models.config().text, alphabet=alphabet)
    model = text_models.model(seed, text=text).float()
    return TextSteps(model, RATE, "mm", (0.3, -0.1), (1.5, 0.7), LINE_HEIGHT, INK_STYLE)


def export_text_voice(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a voice with the alphabet of the recipe `handwriting`; tests must not change it."""
    folder = shared_folder(factory) / "exports"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "text.lock"):
        if not (folder / "text").exists():
            alphabet = load_recipe("handwriting").model.text.alphabet
            write_voice(steps(alphabet=alphabet), "text", folder / "text", MADE_UP)
    return folder / "text"
