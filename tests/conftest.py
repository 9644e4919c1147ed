"""Fixtures that all tests share: toy voices, and homes of their own for installed and unpacked voices."""

from pathlib import Path

import pytest
import toy


@pytest.fixture(scope="session")
def toy_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice of sound; do not change it, `toy.build` another one to spoil."""
    return toy.build(tmp_path_factory.mktemp("voices") / "toy-audio")


@pytest.fixture(scope="session")
def toy_pen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice of ink, with external weights; do not change it."""
    return toy.build(tmp_path_factory.mktemp("voices") / "toy-pen", "pen", external=True)


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the voices and caches of the person who runs the tests out of them."""
    monkeypatch.setenv("VRNN_ENGINE_VOICES", str(tmp_path / "installed"))
    monkeypatch.setenv("VRNN_ENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path
