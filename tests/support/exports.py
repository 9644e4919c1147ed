"""Exports each tiny model once, for all tests and all test processes."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from support import tiny_models
from support.graphs import MADE_UP
from vrnn_engine import Voice
from vrnn_engine.exporters.voice_writer import write_voice


def export_once(kind: str, factory: pytest.TempPathFactory) -> Voice:
    """Return the voice of `tiny_models.steps(kind)`; tests share its folder and must not change it."""
    folder = shared_folder(factory) / "exports"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / f"{kind}.lock"):
        if not (folder / kind).exists():
            write_voice(tiny_models.steps(kind), kind, folder / kind, MADE_UP)
    return Voice.open(folder / kind)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of the test run; pytest-xdist gives each process a folder in it."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
