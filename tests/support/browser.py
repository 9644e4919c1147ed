"""Drives headless Chromium, and serves folders to it from this process."""

import functools
import http.server
import os
import shutil
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.page import Page

PROGRAMS = ("chromium", "chromedriver")
ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""Headers with which a page may use SharedArrayBuffer."""
_OF_CHROMIUM = (
    "accounts.google.com",
    "clients2.google.com",
    *(f"{name}.googleapis.com" for name in ("content-autofill", "optimizationguide-pa", "update")),
)
"""Hosts that Chromium calls for itself, at its start and when a page has fields; no option turns all of this off."""


def missing() -> str | None:
    """Return why no browser can run here, or None if one can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: chromium, chromium-driver)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium comes with the extra `dev`"
    return None


class Browser(Page):
    """A running Chromium with one page; use `open_browser`."""

    def __init__(self, driver: Any, elsewhere: list[str]) -> None:
        self.driver = driver
        """The driver of selenium, for what has no method here."""
        self.elsewhere = elsewhere
        """First lines of the requests to hosts other than this machine; none of them is answered."""
        self.version = f"Chromium {driver.capabilities['browserVersion']}"
        self._lines: list[dict[str, Any]] = []

    def open(self, url: str, width: int = 1280, height: int = 800, touch: bool = False, colours: str = "light") -> None:
        """Load a page as `Page.open` does, on a system that prefers `colours`, "light" or "dark"."""
        media = [{"name": "prefers-color-scheme", "value": colours}]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.driver.get("about:blank")  # also where only the part after # differs
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        self._read_log()
        self._lines.clear()
        self.elsewhere.clear()
        self.driver.get(url)

    @contextmanager
    def before_pages(self, source: str) -> Iterator[None]:
        """Run JavaScript in each page that is opened in the block, before the page's own."""
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

    def run(self, body: str, *arguments: Any, seconds: float = 60.0) -> Any:
        """Run the body of an async function, as `Page.run`; its arguments may be elements as well."""
        return run_script(self.driver, body, *arguments, seconds=seconds)

    def log(self) -> list[str]:
        """Return what the page wrote to the console, and its uncaught errors and failed requests."""
        self._read_log()
        return [f"{line['level']}: {line['message']}" for line in self._lines]

    def errors(self) -> list[str]:
        """Return the errors among the lines of `log`."""
        return [line for line in self.log() if line.startswith("SEVERE: ")]

    def loaded(self) -> dict[str, int]:
        """Return the bytes sent for each address that the page itself loaded; a worker keeps a list of its own."""
        entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        return self.run(f"return Object.fromEntries({entries}.map(entry => [entry.name, entry.transferSize]))")

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as a PNG."""
        path.write_bytes(self.driver.get_screenshot_as_png())

    def _read_log(self) -> None:
        self._lines += self.driver.get_log("browser")


def run_script(driver: Any, body: str, *arguments: Any, seconds: float) -> Any:
    """Run the body of an async function by a driver of selenium, as `Page.run`."""
    script = f"""
        const given = [...arguments], done = given.pop();
        (async () => {{ {body} }})().then(
            value => done({{value}}), error => done({{error: [error, error?.stack].join(" ")}}));
    """
    driver.set_script_timeout(seconds)
    result = driver.execute_async_script(script, *arguments)
    if "error" in result:
        raise RuntimeError(result["error"])
    return result.get("value")


@contextmanager
def open_browser(*options: str) -> Iterator[Browser]:
    """Start Chromium, and end it at the end of the block.

    Parameters
    ----------
    *options : str
        More options of its command line.
    """
    from selenium import webdriver

    with _refuse_and_list() as (proxy, elsewhere):
        chrome = webdriver.ChromeOptions()
        chrome.binary_location = shutil.which("chromium") or ""
        chrome.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for option in (
            "--headless=new",
            "--autoplay-policy=no-user-gesture-required",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-features=AutofillServerCommunication,OptimizationHints,OptimizationGuideModelDownloading",
            f"--proxy-server={proxy}",  # not used for 127.0.0.1
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *options,
        ):
            chrome.add_argument(option)
        # With the path of the driver, selenium does not look for one to download.
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        driver = webdriver.Chrome(options=chrome, service=service)
        try:
            yield Browser(driver, elsewhere)
        finally:
            driver.quit()


@contextmanager
def serve_folder(
    folder: Path, headers: dict[str, str] | None = None, requests: list[str] | None = None
) -> Iterator[str]:
    """Serve a folder as `python -m http.server` does; yield its address, which ends in a slash.

    Parameters
    ----------
    folder : Path
        May change in the meantime.
    headers : dict of str to str, optional
        Sent with every answer, such as `ISOLATION`.
    requests : list of str, optional
        Gets the path of each request.
    """

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            if requests is not None:
                requests.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    with _running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/"


@contextmanager
def _refuse_and_list() -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that answers no request; yield its address and the growing list of their first lines."""
    lines: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline(1000).decode(errors="replace").strip()
            if not any(host in line for host in _OF_CHROMIUM):
                lines.append(line)
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _running(server):
        yield f"127.0.0.1:{server.server_address[1]}", lines


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
