"""The page as a server sends it to Chromium: under the server's content security policy, with a token, isolated."""

import time
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
KEEP_LAST = """
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (message) {
        localStorage.setItem('last', message);
        send.call(this, message);
    };
"""
"""Keeps the last message that the page has sent, also when the page is gone."""


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


@pytest.mark.parametrize("closes", [True, False], ids=["the tab is closed", "another page is opened"])
def test_a_page_that_is_left_ends_its_session_at_once(browser: Browser, served: Served, closes: bool) -> None:
    """By its own message, which a proxy passes on although it may keep the connection to the server."""
    batch, address = served.services.voices.batch("toy-audio"), f"http://127.0.0.1:{served.port}/"
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.open(f"{address}#token={TOKEN}&voice=toy-audio")
    browser.run("localStorage.removeItem('last')")
    browser.run(KEEP_LAST)
    browser.wait_until("document.getElementById('play') && !document.getElementById('play').disabled")
    browser.driver.find_element("id", "play").click()
    browser.wait_until(PLAYING)
    assert batch.rows == 1
    if not closes:
        browser.driver.get("about:blank")
    browser.driver.close()
    browser.driver.switch_to.window(first)
    for _ in range(300):
        if not batch.rows:
            break
        time.sleep(0.02)
    assert not batch.rows
    browser.open(f"{address}config.json")
    assert browser.run("return localStorage.getItem('last')") == '{"type":"close"}'


def test_the_page_without_the_token_says_what_is_wrong(browser: Browser, served: Served) -> None:
    browser.open(f"http://127.0.0.1:{served.port}/#voice=toy-audio")
    browser.wait_until("document.body.innerText.toLowerCase().includes('#token=token')")
