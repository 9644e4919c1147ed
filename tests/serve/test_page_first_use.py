"""What a first visitor sees where something is missing: one clear line, or the page plays in another way."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, missing, open_browser, serve_folder
from support.page_probe import listening

from vrnn_engine import Voice
from vrnn_engine.serve.web.site import write_site

NOTICE = "document.getElementById('notice').textContent"
CAN_PLAY = "!document.getElementById('play').disabled"
ADVICE = "; reload the page, or copy its whole folder to the server again."


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, toy_audio: Path, toy_pen: Path) -> Path:
    """A page of two toy voices."""
    folder = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open(toy_audio), Voice.open(toy_pen)], folder)
    return folder


@pytest.fixture
def site(written: Path, tmp_path: Path) -> Path:
    """A copy of the page, which a test may damage."""
    return shutil.copytree(written, tmp_path / "page")


@pytest.fixture
def url(site: Path) -> Iterator[str]:
    with serve_folder(site) as address:
        yield address


def notice(browser: Browser, url: str) -> str:
    """Open a page that cannot be played; return what it says."""
    browser.open(url, 390, 844, touch=True)
    browser.wait_until(NOTICE)
    assert not browser.run(f"return {CAN_PLAY}")
    assert browser.run("return document.getElementById('loading').textContent") == ""
    return browser.run(f"return {NOTICE}")


@pytest.mark.parametrize(
    ("missing_part", "words"),
    [
        ("WebAssembly", "This browser has no WebAssembly. Use a newer browser."),
        ("DecompressionStream", "This browser is too old: use Safari 16.4, Firefox 114, Chrome 97 or newer."),
        ("AudioContext", "This browser cannot play sound. Use a newer browser."),
    ],
)
def test_a_browser_that_cannot_play_is_told_so(browser: Browser, url: str, missing_part: str, words: str) -> None:
    with browser.before_pages(f"delete window.{missing_part}"):
        assert notice(browser, url) == words


def test_a_browser_without_an_audio_thread_plays(browser: Browser, url: str) -> None:
    with listening(browser), browser.before_pages("delete window.AudioWorkletNode"):
        browser.open(url)
        browser.wait_until(CAN_PLAY)
        browser.driver.find_element("id", "play").click()
        browser.wait_until("heard.peak > 0")
        assert browser.run(f"return {NOTICE}") == ""


def test_a_file_that_is_missing_is_named(browser: Browser, site: Path, url: str) -> None:
    voice = next(site.glob("voices/*audio"))
    graph = next(voice.glob("step*.onnx"))
    graph.unlink()
    path = f"/voices/{voice.name}/{graph.name}"
    assert notice(browser, url) == f"Cannot load {path}: the server answers 404{ADVICE}"
    for text in ("<!doctype html><title>Not here</title>", "{}", "null"):
        (voice / "voice.json").write_text(text)
        assert notice(browser, url) == f"/voices/{voice.name}/voice.json is not the manifest of a voice{ADVICE}"
    (site / "config.json").write_text("<!doctype html><title>Not here</title>")
    assert "does not find its config.json. Serve the whole folder" in notice(browser, url)


def test_a_file_with_another_checksum_is_named(browser: Browser, site: Path, url: str) -> None:
    voice = next(site.glob("voices/*audio"))
    graph = next(voice.glob("step*.onnx"))
    graph.write_bytes(graph.read_bytes() + b"more")
    said = f"{graph.name} of voice toy-audio is damaged: its SHA-256 is not that of the manifest"
    assert notice(browser, url) == said + ADVICE


def test_a_program_that_is_damaged_is_named(browser: Browser, site: Path, url: str) -> None:
    next(site.rglob("*.wasm.gz")).write_text("<!doctype html><title>Not here</title>")
    assert notice(browser, url) == f"The program of onnxruntime-web is damaged{ADVICE}"


def test_a_file_that_the_browser_keeps_from_an_earlier_voice_is_loaded_again(browser: Browser, url: str) -> None:
    browser.open(url)
    found = browser.run("""
        const { Voice } = await import('/player/voice.js');
        const load = window.fetch, caches = [];
        window.fetch = async (address, options) => {
            caches.push(options.cache);
            return options.cache === 'reload' ? load(address, options) : new Response(new Uint8Array(5));
        };
        const { voices } = await (await load('/config.json')).json();
        const manifest = await (await load(`/${voices[0]}voice.json`)).json();
        const voice = new Voice(new URL(voices[0], location.href), manifest);
        const { length } = await voice.loadFile(voice.stepGraph.file);
        return [caches, length > 5];
    """)
    assert found == [["default", "reload"], True]


@pytest.mark.parametrize("part", ["app.js", "ui/words.js"])
def test_a_page_whose_modules_are_not_all_there_says_so(browser: Browser, site: Path, url: str, part: str) -> None:
    (site / part).unlink()
    browser.open(url)
    browser.wait_until(NOTICE)
    assert browser.run(f"return {NOTICE}").startswith("A part of this page is missing, or this browser is too old.")


def test_a_page_that_is_opened_as_a_file_says_how_to_serve_it(browser: Browser, site: Path) -> None:
    browser.open(site.joinpath("index.html").as_uri())
    browser.wait_until(NOTICE)
    assert browser.run(f"return {NOTICE}").endswith("Serve its folder: python -m http.server")


PRESS_ALONE = """
    const timer = setInterval(() => {
        const play = document.getElementById('play');
        if (!play || play.disabled) return;
        clearInterval(timer);
        play.click();
    }, 50);
"""
"""Presses play without a person: what selenium runs counts as done by one, and would allow the sound."""


@pytest.mark.slow
def test_sound_that_is_blocked_begins_with_a_tap(url: str) -> None:
    if reason := missing():
        pytest.skip(reason)
    with (
        open_browser("--autoplay-policy=document-user-activation-required") as browser,
        listening(browser),
        browser.before_pages(PRESS_ALONE),
    ):
        browser.open(url, 390, 844, touch=True)
        said = ""
        for _ in range(600):
            found = browser.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": NOTICE, "userGesture": False})
            if said := found["result"].get("value", ""):
                break
            time.sleep(0.1)
        assert said == "The browser has not started the sound: press play again."
        button = browser.driver.find_element("id", "play")
        assert button.get_attribute("aria-label") == "Play"
        button.click()
        browser.wait_until("heard.peak > 0")
        assert button.get_attribute("aria-label") == "Pause"
