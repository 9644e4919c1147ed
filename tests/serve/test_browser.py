"""The browser that the tests of the web page use: it runs scripts and sound, and reports errors and requests."""

from pathlib import Path

import pytest
from support.browser import ISOLATION, Browser, serve_folder

PAGE = """<!doctype html><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<script type="module" src="first.mjs"></script>"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "first.mjs").write_text('document.title = "It runs"; window.ready = true;')
    return tmp_path


def test_a_page_runs_at_the_width_of_a_phone(browser: Browser, page: Path) -> None:
    requests: list[str] = []
    with serve_folder(page, requests=requests) as url:
        browser.open(url, 360, 640, touch=True)
        browser.wait_until("window.ready")
        assert browser.driver.title == "It runs"
        assert browser.run("return [innerWidth, innerHeight, given[0]]", 5) == [360, 640, 5]
        assert browser.loaded().keys() == {url, url + "first.mjs"}
        assert all(size > 0 for size in browser.loaded().values())
    assert requests == ["/", "/first.mjs"]
    assert (browser.errors(), browser.elsewhere) == ([], [])


def test_the_audio_clock_runs_without_a_sound_device(browser: Browser, page: Path) -> None:
    with serve_folder(page) as url:
        browser.open(url)
        browser.run("window.audio = new AudioContext(); await audio.resume()")
        assert browser.wait_until("audio.currentTime > 0.2")


@pytest.mark.parametrize(("headers", "isolated"), [({}, False), (ISOLATION, True)])
def test_isolation_follows_the_headers(browser: Browser, page: Path, headers: dict[str, str], isolated: bool) -> None:
    with serve_folder(page, headers) as url:
        browser.open(url)
        assert browser.run("return crossOriginIsolated") is isolated


def test_errors_and_requests_to_other_hosts_are_reported(browser: Browser, page: Path) -> None:
    (page / "first.mjs").write_text('console.log("hello"); setTimeout(() => { throw new Error("uncaught") })')
    with serve_folder(page) as url:
        browser.open(url)
        with pytest.raises(RuntimeError, match="thrown"):
            browser.run("throw new Error('thrown')")
        assert browser.run("return await fetch('missing').then(answer => answer.status)") == 404
        browser.run("await fetch('http://other.example/x', {mode: 'no-cors'}).catch(() => 0)")
        with pytest.raises(RuntimeError, match="hello"):
            browser.wait_until("false", seconds=0.2)
    assert any("uncaught" in line for line in browser.errors())
    assert any("missing" in line for line in browser.errors())
    assert not any("hello" in line for line in browser.errors())
    assert any("other.example" in line for line in browser.elsewhere)
