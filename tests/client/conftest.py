"""A server of toy voices, for tests of its clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.served import Served, serve


@pytest.fixture(scope="module")
def served(toy_audio: Path, toy_pen: Path) -> Iterator[Served]:
    """Serve toy voices of sound and ink in a thread of this process."""
    with serve(str(toy_audio), str(toy_pen)) as running:
        yield running
