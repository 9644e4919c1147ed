"""Fixtures of the tests of the web page and the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import browser as browsers
from support import toy_voice
from support.served import Served, serve

from vrnn_engine.runtime.engine import Engine


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """One Chromium for all tests of this process; each opens a page of its own."""
    reason = browsers.missing()
    if reason:
        pytest.skip(reason)
    with browsers.open_browser() as running:
        yield running


def _allow_infinite_latents(manifest: dict) -> None:
    for control in manifest["controls"]:
        if control["name"] == "latent.temperature":
            control["maximum"] = 3.4e38


@pytest.fixture(scope="session")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice whose frames are not finite for long at a latent temperature of 3.4e38."""
    folder = toy_voice.build(tmp_path_factory.mktemp("voices") / "toy-audio")
    toy_voice.change(folder, _allow_infinite_latents)
    return folder


@pytest.fixture(scope="module")
def engine(fragile: Path) -> Engine:
    """The same voice without a server."""
    return Engine.load(fragile, "cpu")


@pytest.fixture(scope="module")
def served(fragile: Path) -> Iterator[Served]:
    """A server of that voice."""
    with serve(str(fragile)) as server:
        yield server
        server.wait_until_empty("toy-audio")  # no test has left a session behind
