"""The page as a server sends it to Chromium: under the server's content security policy, with a token, isolated."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser
from support.http_server import Served, serving
from support.silent_proxy import silent_proxy

from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.sessions.receiving import Inlet

TOKEN = "a-secret"
PLAYING = "document.getElementById('play').getAttribute('aria-label') === 'Pause'"
PLAYABLE = "document.getElementById('play') && !document.getElementById('play').disabled"
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
    browser.wait_until(PLAYABLE)
    browser.driver.find_element("id", "play").click()
    browser.wait_until(PLAYING)
    name = f'vrnn_engine_frames_total{{voice="{voice}"}}'
    while name not in served.services.metrics.expose().decode():
        browser.run("await new Promise(resolve => setTimeout(resolve, 20))")
    assert browser.run("return window.crossOriginIsolated") is True
    assert browser.run("return violations") == []
    assert browser.errors() == []
    assert browser.elsewhere == []


def play(browser: Browser, served: Served) -> None:
    """Open the page and press play."""
    browser.open(f"http://127.0.0.1:{served.port}/#token={TOKEN}&voice=toy-audio")
    browser.wait_until(PLAYABLE)
    browser.driver.find_element("id", "play").click()
    browser.wait_until(PLAYING)


def wait_for_rows(served: Served, count: int) -> None:
    """Wait until the voice has this number of sessions; fail after six seconds, much sooner than an idle one ends."""
    batch = served.services.voices.batch("toy-audio")
    for _ in range(300):
        if batch.rows == count:
            return
        time.sleep(0.02)
    raise AssertionError(f"there are {batch.rows} sessions, not {count}")


@pytest.mark.parametrize("closes", [True, False], ids=["the tab is closed", "another page is opened"])
def test_a_page_that_is_left_frees_its_row_at_once(browser: Browser, served: Served, closes: bool) -> None:
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    play(browser, served)
    wait_for_rows(served, 1)
    if not closes:
        browser.driver.get("about:blank")
        wait_for_rows(served, 0)
    browser.driver.close()
    browser.driver.switch_to.window(first)
    wait_for_rows(served, 0)


def test_a_page_that_the_browser_keeps_ends_its_session_and_begins_another_when_it_comes_back(
    browser: Browser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, take = [], Inlet.take
    monkeypatch.setattr(Inlet, "take", lambda inlet, data: (heard.append(data), take(inlet, data))[1])
    play(browser, served)
    wait_for_rows(served, 1)
    browser.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    wait_for_rows(served, 0)
    assert heard[-1] == '{"type":"close"}'
    browser.run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    browser.wait_until(PLAYABLE)
    wait_for_rows(served, 1)
    browser.driver.get("about:blank")
    wait_for_rows(served, 0)


@pytest.mark.slow
def test_the_page_says_that_a_server_is_silent_and_that_it_is_back(browser: Browser, served: Served) -> None:
    says = "document.getElementById('notice').textContent === '{}'"
    with silent_proxy(served.port) as proxy:
        browser.open(f"http://127.0.0.1:{proxy.port}/#token={TOKEN}&voice=toy-audio")
        browser.wait_until(PLAYABLE)
        browser.driver.find_element("id", "play").click()
        browser.wait_until(PLAYING)
        proxy.fall_silent()
        browser.wait_until(says.format("The server is away: trying again."))
        proxy.speak_again()
        browser.wait_until(says.format("The server is back."))
        browser.driver.get("about:blank")


@pytest.mark.slow
def test_a_server_that_is_silent_at_first_is_named_and_tried_until_it_answers(browser: Browser, served: Served) -> None:
    says = "document.getElementById('notice').textContent === '{}'"
    with silent_proxy(served.port) as proxy:
        proxy.ignore_sockets()
        browser.open(f"http://127.0.0.1:{proxy.port}/#token={TOKEN}&voice=toy-audio")
        browser.wait_until(says.format("The server does not answer: trying again."))
        # Another voice ends the tries for the first one; the page says again that the server is silent.
        browser.run("const choice = document.getElementById('voice'); choice.value = 'toy-pen'; choice.onchange()")
        time.sleep(30)  # longer than three tries
        assert browser.run(f"return {says.format('The server does not answer: trying again.')}")
        assert browser.run("return document.getElementById('loading').textContent") == "loading"
        assert proxy.ignored[-3:] == ["/toy-pen"] * 3
        proxy.speak_again()
        browser.wait_until(PLAYABLE)
        assert browser.run(f"return {says.format('The server is back.')}")
        browser.driver.get("about:blank")


def test_the_page_without_the_token_says_what_is_wrong(browser: Browser, served: Served) -> None:
    browser.open(f"http://127.0.0.1:{served.port}/#voice=toy-audio")
    browser.wait_until("document.body.innerText.toLowerCase().includes('#token=token')")
