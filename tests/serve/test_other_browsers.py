"""The page that `vrnn-engine web` writes plays in Firefox and in WebKitGTK as well."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import firefox, webkit
from support.browser import serve_folder
from support.page import Page
from support.page_probe import add_probe, ink

from vrnn_engine import Voice
from vrnn_engine.runtime.audio.limiter import CEILING
from vrnn_engine.serve.web.site import write_site

pytestmark = pytest.mark.slow
CAN_PLAY = "!document.getElementById('play').disabled"
COST = "document.getElementById('cost').textContent.includes('{}')"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, loud: Path, toy_pen: Path) -> Iterator[str]:
    """Address of a page of two toy voices, one of which can be too loud."""
    site = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open(loud), Voice.open(toy_pen)], site)
    add_probe(site)
    with serve_folder(site) as address:
        yield address


@pytest.fixture(scope="module", params=[firefox, webkit], ids=["firefox", "webkit"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    kind: Any = request.param
    if reason := kind.missing():
        pytest.skip(reason)
    with kind.open_browser() as running:
        yield running


def test_sound_is_heard_and_limited(page: Page, url: str) -> None:
    page.open(f"{url}#voice=toy-audio&output.temperature=1.3")
    page.wait_until(CAN_PLAY)
    page.click("#play")
    page.wait_until("heard.peak > 0.1")
    page.wait_until(COST.format("samples limited"))
    assert page.run("return heard.peak") <= 10 ** (CEILING / 20) + 1e-6
    assert (page.errors(), list(page.elsewhere)) == ([], [])


def test_ink_is_drawn(page: Page, url: str) -> None:
    page.open(f"{url}#voice=toy-pen")
    page.wait_until(CAN_PLAY)
    assert ink(page) == 0
    page.click("#play")
    for _ in range(100):
        if ink(page) > 50:
            break
        page.run("await new Promise(resolve => setTimeout(resolve, 300))")
    assert ink(page) > 50
    assert (page.errors(), list(page.elsewhere)) == ([], [])


def test_errors_of_the_page_are_reported(page: Page, url: str) -> None:
    page.open(url)
    page.wait_until(CAN_PLAY)
    page.run("setTimeout(() => { throw new Error('uncaught') })")
    page.run("await new Promise(resolve => setTimeout(resolve, 200))")
    assert any("uncaught" in line for line in page.errors())
    with pytest.raises(RuntimeError, match="thrown"):
        page.run("throw new Error('thrown')")
