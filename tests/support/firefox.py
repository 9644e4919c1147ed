"""Drives headless Firefox over WebDriver BiDi, which it speaks itself, with a sound server that takes its sound."""

import base64
import collections
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from support import sound_server
from support.page import Page

PROGRAM = "firefox-esr"
_PREFERENCES = {
    "media.autoplay.default": 0,  # allowed without a click
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.auto": False,
    "browser.startup.page": 0,
}
_EVENTS = ["log.entryAdded", "network.beforeRequestSent", "network.responseCompleted", "network.fetchError"]
ANSWER_SECONDS = 60.0


def missing() -> str | None:
    """Return why no Firefox can run here, or None if one can."""
    if shutil.which(PROGRAM) is None:
        return f"no {PROGRAM} here (Debian: firefox-esr)"
    return sound_server.missing()  # without a sound device, Firefox does not start the sound of a page


class Firefox(Page):
    """A running Firefox with one page; use `open_browser`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._lines: list[str] = []
        self.elsewhere: list[str] = []
        """Addresses that the page asked for on hosts other than this machine."""
        found = self._ask("session.new", capabilities={})["capabilities"]
        self.version = f"Firefox {found['browserVersion']}"
        self._ask("session.subscribe", events=_EVENTS)
        self._page = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def open(self, url: str, width: int = 1280, height: int = 800, touch: bool = False) -> None:
        size = {"width": width, "height": height}
        self._ask("browsingContext.navigate", context=self._page, url="about:blank", wait="complete")
        self._ask("browsingContext.setViewport", context=self._page, viewport=size)
        self._lines.clear()
        self.elsewhere.clear()
        self._ask("browsingContext.navigate", context=self._page, url=url, wait="complete")

    @contextlib.contextmanager
    def before_pages(self, source: str) -> Iterator[None]:
        """Run JavaScript in each page that is opened in the block, before the page's own."""
        added = self._ask("script.addPreloadScript", functionDeclaration=f"() => {{ {source} }}")
        try:
            yield
        finally:
            self._ask("script.removePreloadScript", script=added["script"])

    def run(self, body: str, *arguments: Any, seconds: float = 60.0) -> Any:
        code = f"""(async (given) => {{ {body} }})({json.dumps(arguments)}).then(
            value => JSON.stringify({{value}}), error => JSON.stringify({{error: [error, error?.stack].join(" ")}}))"""
        where = {"context": self._page}
        found = self._ask(
            "script.evaluate", seconds, expression=code, target=where, awaitPromise=True, userActivation=True
        )
        if found["type"] != "success":
            raise RuntimeError(found["exceptionDetails"]["text"])
        result = json.loads(found["result"]["value"])
        if "error" in result:
            raise RuntimeError(result["error"])
        return result.get("value")

    def log(self) -> list[str]:
        self.run("return null")  # the events that came before the answer are read with it
        return list(self._lines)

    def errors(self) -> list[str]:
        return [line for line in self.log() if line.startswith("error: ")]

    def screenshot(self, path: Path) -> None:
        picture = self._ask("browsingContext.captureScreenshot", context=self._page)["data"]
        path.write_bytes(base64.b64decode(picture))

    def _ask(self, method: str, seconds: float = ANSWER_SECONDS, **parameters: Any) -> Any:
        """Send a command; return its result."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(seconds))
            if message["type"] == "event":
                self._note(message["method"], message["params"])
            elif message["id"] == number and message["type"] == "error":
                raise RuntimeError(f"{method}: {message['message']}")
            elif message["id"] == number:
                return message["result"]

    def _note(self, event: str, told: dict[str, Any]) -> None:
        """Keep what an event says."""
        if event == "log.entryAdded":
            self._lines.append(f"{told['level']}: {told['text']}")
            return
        url = told["request"]["url"]
        if event == "network.beforeRequestSent":
            host = urlsplit(url).hostname
            if told["context"] == self._page and host not in (None, "127.0.0.1"):
                self.elsewhere.append(url)
        elif event == "network.fetchError":
            self._lines.append(f"error: {url}: {told['errorText']}")
        elif told["response"]["status"] >= 400:
            self._lines.append(f"error: {url}: {told['response']['status']}")


@contextlib.contextmanager
def open_browser() -> Iterator[Firefox]:
    """Start Firefox and a sound server, and end both at the end of the block."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sound = stack.enter_context(contextlib.closing(sound_server.SoundServer(folder)))
        profile = folder / "profile"
        profile.mkdir()
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _PREFERENCES.items())
        (profile / "user.js").write_text("".join(lines))
        options = ["--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
        process = subprocess.Popen(
            [PROGRAM, *options], env=sound.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        stack.callback(_end, process)
        address = next((line.split()[-1] for line in process.stderr if "BiDi listening on" in line), None)
        if address is None:
            raise RuntimeError("Firefox has ended before it listened")
        # Firefox would else wait once the pipe is full of its warnings.
        threading.Thread(target=collections.deque, args=(process.stderr, 0), daemon=True).start()
        yield Firefox(stack.enter_context(connect(f"{address}/session", max_size=None, ping_interval=None)))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(timeout=30)
