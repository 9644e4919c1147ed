"""Fixtures for tests of the runtime."""

from collections.abc import Iterator

import pytest
from support import sound_server


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sound_server.SoundServer]:
    """Run a private sound server; skip the test where there is none."""
    if reason := sound_server.missing():
        pytest.skip(reason)
    running = sound_server.SoundServer(tmp_path_factory.mktemp("sound"))
    yield running
    running.close()
