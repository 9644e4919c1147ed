"""The page that `vrnn-engine web` writes, in a browser and from a plain web server: it plays and writes by itself."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.browser import ISOLATION, Browser, missing, open_browser, serve_folder
from support.page_probe import bytes_sent, ink, level, listening

from vrnn_engine import Engine, Voice
from vrnn_engine.serve.web.site import write_site

TOLERANCE = 1e-4
"""Of the largest value, as in the manifests of the bundled voices."""
CAN_PLAY = "!document.getElementById('play').disabled"
PRESS_PLAY = "document.getElementById('play').click()"
COLLECT = """
    const {openPlayer} = await import("/player/player.js");
    const [options, count] = given;
    const player = await openPlayer(await (await fetch("/config.json")).json(), options);
    const found = [];
    const all = new Promise((resolve, reject) => {
        player.addEventListener("frames", ({detail}) => {
            for (const value of detail.data) found.push(value);
            if (found.length >= count) resolve();
        });
        player.addEventListener("end", ({detail}) => reject(new Error(detail.reason)));
    });
    await player.play();
    await all;
    player.close();
    return found.slice(0, count);
"""
"""Plays a voice as the page does, and returns its first values."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the two bundled voices."""
    out = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open("blizzard"), Voice.open("handwriting")], out)
    return out


@pytest.fixture
def requests() -> list[str]:
    """The paths that the browser has asked for."""
    return []


@pytest.fixture
def url(site: Path, requests: list[str]) -> Iterator[str]:
    with serve_folder(site, requests=requests) as address:
        yield address


def difference(ours: list[float], engines: np.ndarray) -> float:
    """Return the largest difference as a part of the largest value."""
    return float(np.abs(np.array(ours) - engines.reshape(-1)).max() / np.abs(engines).max())


def show(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{line}")


@pytest.mark.slow
def test_a_seed_gives_the_ink_that_it_gives_elsewhere(browser: Browser, url: str) -> None:
    browser.open(url)
    options = {"voice": "voices/handwriting/", "seed": "7", "text": "Dear Anna, thank you.", "width": 80}
    engines = Engine.load("handwriting", "cpu").stream(seed=7, text=options["text"], width=80.0).read(200)
    assert difference(browser.run(COLLECT, options, 600), engines) < TOLERANCE


@pytest.mark.slow
def test_a_seed_gives_the_sound_that_it_gives_elsewhere(browser: Browser, url: str) -> None:
    """The first frames; later ones differ more and more, as between two computers."""
    browser.open(url)
    engines = Engine.load("blizzard", "cpu").stream(seed=7).read(200)
    ours = browser.run(COLLECT, {"voice": "voices/blizzard/", "seed": "7"}, 200 * 200)
    assert difference(ours[: 16 * 200], engines[: 16 * 200]) < TOLERANCE
    assert np.isfinite(ours).all()
    assert 0.5 < np.std(ours) / np.std(engines) < 2


@pytest.mark.slow
@pytest.mark.parametrize("headers", [None, ISOLATION], ids=["plain", "isolated"])
def test_the_page_plays_and_a_slider_changes_the_sound(
    browser: Browser, site: Path, capsys: pytest.CaptureFixture[str], headers: dict[str, str] | None
) -> None:
    """Isolation lets the threads share memory, and is not needed."""
    requests: list[str] = []
    with listening(browser), serve_folder(site, headers, requests) as url:
        browser.open(f"{url}#seed=7")
        browser.wait_until(CAN_PLAY)
        assert browser.run("return crossOriginIsolated") is (headers is not None)
        pressed = browser.run(f"const now = performance.now(); {PRESS_PLAY}; return now")
        first = browser.wait_until("heard.first")
        assert first > pressed
        show(
            f"blizzard: {bytes_sent(site, requests) / 1e6:.1f} MB in {len(requests)} files, "
            f"playable after {pressed / 1000:.2f} s, first sound {(first - pressed) / 1000:.2f} s later",
            capsys,
        )
        usual = level(browser, 3)
        assert usual > 0.003
        move = "const slider = document.getElementById(given[0]); slider.value = given[1];"
        move += "slider.dispatchEvent(new Event('input', {bubbles: true})); return slider.valueAsNumber"
        assert browser.run(move, "control-output-temperature", 0.3) == 0.3
        browser.run("await new Promise(resolve => setTimeout(resolve, 1000))")
        assert level(browser, 3) < usual / 1.5
        browser.run(PRESS_PLAY)
        browser.wait_until("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert (browser.errors(), browser.elsewhere) == ([], [])


@pytest.mark.slow
def test_the_pen_writes_what_is_typed(
    browser: Browser, site: Path, url: str, requests: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    browser.open(f"{url}#voice=handwriting&seed=7&text=Hi", 390, 844, touch=True)
    browser.wait_until(CAN_PLAY)
    assert ink(browser) == 0
    browser.run(PRESS_PLAY)
    browser.wait_until("/^2 characters written$/.test(document.getElementById('text-count').textContent)", seconds=60)
    drawn = ink(browser)
    assert drawn > 10
    browser.driver.find_element("id", "text").send_keys(" you ")
    browser.wait_until(
        "/^[67] characters written$/.test(document.getElementById('text-count').textContent)", seconds=60
    )
    assert ink(browser) > 1.3 * drawn
    show(f"handwriting: {bytes_sent(site, requests) / 1e6:.1f} MB in {len(requests)} files", capsys)
    assert (browser.errors(), browser.elsewhere) == ([], [])


def test_a_page_in_a_folder_of_a_server_chooses_between_its_voices(browser: Browser, site: Path) -> None:
    with serve_folder(site.parent) as url:
        browser.open(f"{url}page/")
        browser.wait_until(CAN_PLAY)
        names = browser.run("return [...document.querySelectorAll('#voice option')].map(option => option.textContent)")
        assert names == ["blizzard", "handwriting"]
        choose = "const choice = document.getElementById('voice'); choice.selectedIndex = 1;"
        browser.run(f"{choose} choice.dispatchEvent(new Event('change'))")
        browser.wait_until(f"document.getElementById('text') && {CAN_PLAY}")
    assert (browser.errors(), browser.elsewhere) == ([], [])


@pytest.mark.slow
def test_the_page_plays_from_another_computer_without_https(site: Path) -> None:
    """A browser then has no audio thread for the page, and computes no checksums."""
    if reason := missing():
        pytest.skip(reason)
    name = "computer.test"
    options = (f"--host-resolver-rules=MAP {name} 127.0.0.1", f"--proxy-bypass-list={name}")
    with open_browser(*options) as browser, listening(browser), serve_folder(site) as url:
        browser.open(url.replace("127.0.0.1", name))
        browser.wait_until(CAN_PLAY)
        assert browser.run("return [isSecureContext, 'audioWorklet' in AudioContext.prototype]") == [False, False]
        browser.run(PRESS_PLAY)
        browser.wait_until("heard.peak > 0.01")
        assert (browser.errors(), browser.elsewhere) == ([], [])
