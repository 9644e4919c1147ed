"""Fixtures for tests of the runtime."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sound_server

from vrnn_engine.runtime.voice.manifest import Manifest
from vrnn_engine.runtime.voice.voice import Voice


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sound_server.SoundServer]:
    """Run a private sound server; skip the test where there is none."""
    if reason := sound_server.missing():
        pytest.skip(reason)
    running = sound_server.SoundServer(tmp_path_factory.mktemp("sound"))
    yield running
    running.close()


@pytest.fixture
def audio(toy_audio: Path) -> Manifest:
    """The manifest of the toy voice that makes sound."""
    return Voice.open(toy_audio).manifest


@pytest.fixture
def pen(toy_pen: Path) -> Manifest:
    """The manifest of the toy voice that writes."""
    return Voice.open(toy_pen).manifest
