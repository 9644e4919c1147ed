"""Opens the page as `vrnn-engine web` writes it, and does what its user does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.browser import Browser

LISTEN = """
    window.asked = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
        asked.push({ name: message.name, argument: message.argument });
        return post.call(this, message, ...rest);
    };
"""
"""Keeps what the page asks of the worker that computes the voice, in `asked`."""

READY = "!document.getElementById('play').disabled"


class ShownPage:
    """The page in a browser; use `listening`."""

    def __init__(self, browser: Browser, url: str, downloads: Path) -> None:
        self.browser = browser
        self.url = url
        self.downloads = downloads

    def open(
        self, fragment: str = "", width: int = 1280, height: int = 900, touch: bool = False, colours: str = "light"
    ) -> None:
        """Open the page as `Browser.open` does, and wait until the voice is loaded."""
        self.browser.open(self.url + fragment, width, height, touch, colours)
        self.browser.wait_until(READY)

    def find(self, selector: str) -> Any:
        """Return the element of a CSS selector."""
        return self.browser.driver.find_element("css selector", selector)

    def press(self, *keys: str) -> None:
        """Press keys in the focused element."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser.driver).send_keys(*keys).perform()

    def is_playing(self) -> bool:
        """Return whether the button shows that the voice plays."""
        return self.find("#play").get_attribute("aria-label") == "Pause"

    def asked(self, name: str) -> list[Any]:
        """Return the arguments of what the page asked of the worker under a name; big integers are strings."""
        body = """
            const plain = (key, value) => typeof value === 'bigint' ? String(value)
                : ArrayBuffer.isView(value) ? Array.from(value) : value;
            const found = asked.filter(one => one.name === given[0]).map(one => one.argument);
            return JSON.parse(JSON.stringify(found, plain));
        """
        return self.browser.run(body, name)

    def wait_for(self, name: str, count: int = 1) -> list[Any]:
        """Wait until the worker has had `count` requests of a name; return their arguments."""
        self.browser.wait_until(f"asked.filter(one => one.name === '{name}').length >= {count}")
        return self.asked(name)

    def notice(self) -> str:
        """Return what the quiet line says."""
        return self.find("#notice").text

    def download(self, ending: str, seconds: float = 20.0) -> Path:
        """Wait for a finished download with an ending of its name."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [path for path in self.downloads.glob(f"*{ending}") if path.stat().st_size]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no file {ending} in {list(self.downloads.iterdir())}")


@contextmanager
def listening(browser: Browser, url: str, downloads: Path) -> Iterator[ShownPage]:
    """Yield the page; what it asks of its worker is kept, and its downloads go into a folder."""
    where = {"behavior": "allow", "downloadPath": str(downloads)}
    with browser.before_pages(LISTEN):
        browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
        try:
            yield ShownPage(browser, url, downloads)
        finally:
            browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "default"})
