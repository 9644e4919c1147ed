"""The page as a server sends it to Chromium: under the server's content security policy, with a token, isolated."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser
from support.http_server import Served, serving

from vrnn_engine.serve.options import ServeOptions

TOKEN = "a-secret"
PLAYING = "document.getElementById('play').getAttribute('aria-label') === 'Pause'"
VIOLATIONS = """
    window.violations = [];
    document.addEventListener('securitypolicyviolation', event => violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def served(toy_audio: Path, toy_pen: Path) -> Iterator[Served]:
    with serving(ServeOptions((str(toy_audio), str(toy_pen)), device="cpu", token=TOKEN)) as running:
        yield running


@pytest.mark.parametrize("voice", ["toy-audio", "toy-pen"])
def test_the_page_plays_a_served_voice_under_its_policy(browser: Browser, served: Served, voice: str) -> None:
    browser.open(f"http://127.0.0.1:{served.port}/#token={TOKEN}&voice={voice}")
    browser.run(VIOLATIONS)
    browser.wait_until("document.getElementById('play') && !document.getElementById('play').disabled")
    browser.driver.find_element("id", "play").click()
    browser.wait_until(PLAYING)
    name = f'vrnn_engine_frames_total{{voice="{voice}"}}'
    while name not in served.services.metrics.expose().decode():
        browser.run("await new Promise(resolve => setTimeout(resolve, 20))")
    assert browser.run("return window.crossOriginIsolated") is True
    assert browser.run("return violations") == []
    assert browser.errors() == []
    assert browser.elsewhere == []


def test_the_page_without_the_token_says_what_is_wrong(browser: Browser, served: Served) -> None:
    browser.open(f"http://127.0.0.1:{served.port}/#voice=toy-audio")
    browser.wait_until("document.body.innerText.toLowerCase().includes('#token=token')")
