"""Drives the browser of WebKitGTK, the relative of Safari, on a display of its own and with a sound server."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import sound_server
from support.browser import run_script
from support.page import Page

PROGRAMS = ("WebKitWebDriver", "Xvfb")
SCREEN = "1600x1200x24"


def _browser() -> Path | None:
    """Return the program MiniBrowser, which comes with the driver."""
    return next(Path("/usr/lib").glob("*/webkit2gtk-*/MiniBrowser"), None)


def missing() -> str | None:
    """Return why no WebKit can run here, or None if one can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent or _browser() is None:
        return f"no {', '.join(absent) or 'MiniBrowser'} here (Debian: webkit2gtk-driver, xvfb)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium comes with the extra `dev`"
    return sound_server.missing()


class WebKit(Page):
    """A running MiniBrowser with one page; use `open_browser`.

    Its driver gives no log: `page_probe.add_probe` lets the page collect its errors.
    """

    elsewhere: tuple[str, ...] = ()
    """Not known here; the page's content security policy refuses other hosts, which is an error of the page."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.version = f"WebKitGTK {driver.capabilities['browserVersion']}"

    def open(self, url: str, width: int = 1280, height: int = 800, touch: bool = False) -> None:
        self._driver.get("about:blank")  # also where only the part after # differs
        self._driver.set_window_size(width, height)
        self._driver.get(url)

    def run(self, body: str, *arguments: Any, seconds: float = 60.0) -> Any:
        return run_script(self._driver, body, *arguments, seconds=seconds)

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()  # a click of a script would not start the sound

    def log(self) -> list[str]:
        return self.run("return window.failures ?? []")

    def errors(self) -> list[str]:
        return self.log()

    def screenshot(self, path: Path) -> None:
        path.write_bytes(self._driver.get_screenshot_as_png())


@contextlib.contextmanager
def open_browser() -> Iterator[WebKit]:
    """Start a display, a sound server and the browser, and end them at the end of the block."""
    from selenium import webdriver

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sound = stack.enter_context(contextlib.closing(sound_server.SoundServer(folder)))
        display = stack.enter_context(_display())
        options = webdriver.WebKitGTKOptions()
        options.binary_location = str(_browser())
        options.add_argument("--automation")
        service = webdriver.WebKitGTKService(
            shutil.which("WebKitWebDriver"),
            log_output=os.devnull,
            env={**sound.environment, "DISPLAY": display, "NO_AT_BRIDGE": "1"},
        )
        driver = webdriver.WebKitGTK(options=options, service=service)
        stack.callback(driver.quit)
        yield WebKit(driver)


@contextlib.contextmanager
def _display() -> Iterator[str]:
    """Run an X server without a screen; yield its name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as file:
            yield f":{file.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)
