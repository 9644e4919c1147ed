"""Watches a page from outside its code: what it plays, what it draws, and what its server sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.browser import Browser
from support.page import Page

_TAP = """{
    window.heard = {first: 0, peak: 0, power: 0, samples: 0};
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (target, ...more) {
        if (target instanceof AudioDestinationNode && !window.tap) {
            window.tap = new AnalyserNode(this.context, {fftSize: 2048});
            connect.call(this, window.tap);
            const block = new Float32Array(window.tap.fftSize);
            setInterval(() => {
                if (this.context.state !== "running") return;
                window.tap.getFloatTimeDomainData(block);
                for (const x of block) heard.peak = Math.max(heard.peak, Math.abs(x)), heard.power += x * x;
                heard.samples += block.length;
                if (heard.peak > 0 && !heard.first) heard.first = performance.now();
            }, 50);
        }
        return connect.call(this, target, ...more);
    };
    window.statistics = [];
    const dispatch = EventTarget.prototype.dispatchEvent;
    EventTarget.prototype.dispatchEvent = function (event) {
        if (event.type === "stats") statistics.push(event.detail);
        return dispatch.call(this, event);
    };
}"""
_COLLECT_ERRORS = """
    window.failures = [];
    const fail = message => failures.push(String(message));
    addEventListener("error", ({message, target}) => fail(message ?? `cannot load ${target.src ?? target.href}`), true);
    addEventListener("unhandledrejection", ({reason}) => fail(reason));
    addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) => {
        fail(`${violatedDirective} refuses ${blockedURI}`);
    });
    const report = console.error;
    console.error = (...words) => (fail(words.join(" ")), report(...words));
"""
_PROBE = "probe.js"


def add_probe(site: Path) -> None:
    """Let the page in a folder measure itself as in `listening`, in any browser, and collect errors in `failures`."""
    (site / _PROBE).write_text(f"{_TAP}\n{{{_COLLECT_ERRORS}}}")
    page = site / "index.html"
    page.write_text(page.read_text().replace("<head>", f'<head><script src="{_PROBE}"></script>', 1))


@contextmanager
def listening(browser: Browser) -> Iterator[None]:
    """Measure the sound of the pages that are opened in the block, in their variable `heard`.

    Its `first` is the time of the first sound in milliseconds since the page was opened, `peak` the largest magnitude,
    and `power` the sum of the squares of `samples` samples.  The variable `statistics` collects the events `stats` of
    the player.
    """
    with browser.before_pages(_TAP):
        yield


def level(browser: Page, seconds: float) -> float:
    """Return the root mean square of what the page plays in the next seconds, full scale 1."""
    return browser.run(
        """
        Object.assign(heard, {peak: 0, power: 0, samples: 0});
        await new Promise(resolve => setTimeout(resolve, 1000 * given[0]));
        return Math.sqrt(heard.power / Math.max(1, heard.samples));
        """,
        seconds,
    )


def ink(browser: Page) -> int:
    """Return the number of dark pixels on the paper, in light colours."""
    return browser.run("""
        const canvas = document.querySelector("#sheet canvas");
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let dark = 0;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] > 128 && data[i] + data[i + 1] + data[i + 2] < 250) dark += 1;
        }
        return dark;
    """)


def bytes_sent(folder: Path, requests: list[str]) -> int:
    """Return the total size of the files of a folder that were requested, by the paths that `serve_folder` lists."""
    requests = [request for request in requests if request != f"/{_PROBE}"]
    files = [folder / (request.partition("?")[0].lstrip("/") or "index.html") for request in requests]
    return sum(path.stat().st_size for path in files)
