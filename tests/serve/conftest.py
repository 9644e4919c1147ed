"""Fixtures of the tests of the web page and the server."""

from collections.abc import Iterator

import pytest
from support import browser as browsers


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """One Chromium for all tests of this process; each opens a page of its own."""
    reason = browsers.missing()
    if reason:
        pytest.skip(reason)
    with browsers.open_browser() as running:
        yield running
