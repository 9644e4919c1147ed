"""Plays the page of a voice in a browser, and counts gaps in the sound.

    python benchmarks/web_page.py [--browser chromium|firefox|webkit] [--voice blizzard] [--minutes 10] [--isolated]
                                  [--shots FOLDER] [--json FILE]
    python benchmarks/web_page.py --served [--voice blizzard] [--minutes 10] [--shots FOLDER] [--json FILE]

The page of `vrnn-engine web` comes from a plain web server in this process, without the headers that let threads share
memory, unless `--isolated` is given.  With `--served`, `vrnn-engine serve` computes the voice, and the page, in
Chromium, plays what comes over a WebSocket.
Chromium plays to a sound device that takes samples in real time, whether there is one or not; for Firefox and
WebKitGTK, a sound server runs beside them.
Times of a frame are those that the player of the page reports once a second.  With `--shots`, pictures of the page at
the widths of a phone and of a desktop are written, after ten seconds of playing.  Needs Debian's packages chromium and
chromium-driver and selenium; firefox-esr; or webkit2gtk-driver, xvfb and selenium.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from vrnn_engine import Voice
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.serve.web.site import write_site

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import browser as chromium
from support import firefox, server_process, webkit
from support.browser import Browser
from support.page import Page
from support.page_probe import add_probe, bytes_sent, ink, level, listening

BROWSERS = {"chromium": chromium, "firefox": firefox, "webkit": webkit}

MINUTE = 60.0
SHOT_SECONDS = 10.0
LEVEL_SECONDS = 2.0
SIZES = {"phone": (390, 844, True), "desktop": (1440, 900, False)}
CAN_PLAY = "!document.getElementById('play').disabled"
PLAY = "#play"
TEXT = "Dear Anna, thank you for your letter. The garden is full of birds this morning. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", choices=BROWSERS, default="chromium")
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--served", action="store_true", help="let a server compute the voice")
    parser.add_argument("--isolated", action="store_true", help="let the threads of the page share memory")
    parser.add_argument("--shots", type=Path, metavar="FOLDER", help="write pictures of the page")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wanted = BROWSERS[options.browser]
    if reason := wanted.missing():
        parser.error(reason)
    if options.served and (options.browser != "chromium" or options.isolated):
        parser.error("--served plays in Chromium, and the server isolates its pages")
    machine, voice = measure_machine({}), Voice.open(options.voice)
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}")
    with wanted.open_browser() as browser:
        print(browser.version)
        measure = measure_served if options.served else measure_static
        report = {"voice": voice.name, "isolated": options.isolated, "served": options.served}
        report |= {"browser": browser.version} | measure(browser, voice, options)
        print(f"loaded {report['bytes'] / 1e6:.2f} MB in {report['files']} files")
        if browser.elsewhere or browser.errors():
            sys.exit(f"error: the page called {browser.elsewhere} and logged {browser.errors()}")
    if options.json:
        options.json.write_text(json.dumps(report | {"machine": msgspec.to_builtins(machine)}, indent=2) + "\n")


def measure_static(browser: Page, voice: Voice, options: argparse.Namespace) -> dict:
    """Play the page of `vrnn-engine web` from a plain web server."""
    requests: list[str] = []
    headers = chromium.ISOLATION if options.isolated else None
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "page"
        write_site([voice], site)
        add_probe(site)
        with chromium.serve_folder(site, headers, requests) as url:
            report = play(browser, url, voice, options.minutes)
            # without the probe
            report |= {"files": len(requests) - 1, "bytes": bytes_sent(site, requests)}
            take_shots(browser, f"{url}#seed=7", voice.name, options.shots)
            return report


def measure_served(browser: Browser, voice: Voice, options: argparse.Namespace) -> dict:
    """Play the page of `vrnn-engine serve`, which runs in a process of its own."""
    with server_process.running(options.voice) as server, listening(browser):
        url = server.url("", "http")
        report = play(browser, url, voice, options.minutes)
        loaded = browser.loaded()
        report |= {"files": len(loaded), "bytes": sum(loaded.values())}
        take_shots(browser, f"{url}#seed=7", voice.name, options.shots)
        return report


def play(browser: Page, url: str, voice: Voice, minutes: float) -> dict:
    """Open the page and play; print a line each minute, and return the measurements."""
    text = f"&text={TEXT * round(20 * minutes + 1)}" if voice.manifest.text else ""
    sounds = voice.manifest.modality == "audio"
    browser.open(f"{url}#seed=7{text}")
    browser.wait_until(CAN_PLAY, seconds=120)
    pressed = browser.run("return performance.now()")
    browser.click(PLAY)
    print(f"{pressed / 1000:.2f} s from the address to a page that can play")
    first = browser.wait_until("heard.first", seconds=60) - pressed if sounds else None
    if first is not None:
        print(f"{first / 1000:.2f} s from play to the first sound")
    began, rows = time.monotonic(), []
    print(f"{'seconds':>8}{'p50 ms':>9}{'p99':>9}{'max':>9}{'lead ms':>9}{'gaps':>6}")
    while time.monotonic() - began < MINUTE * minutes:
        time.sleep(min(MINUTE, MINUTE * minutes - (time.monotonic() - began)))
        stats = browser.run("return statistics.splice(0)")
        p50, p99, most = np.percentile([one["stepMs"] for one in stats], [50, 99, 100]).tolist()
        lead, gaps = min(one["leadMs"] for one in stats), stats[-1]["underruns"]
        rows.append(
            {"seconds": time.monotonic() - began, "p50": p50, "p99": p99, "max": most, "lead": lead, "gaps": gaps}
        )
        print(f"{rows[-1]['seconds']:8.0f}{p50:9.2f}{p99:9.2f}{most:9.2f}{lead:9.0f}{gaps:6d}", flush=True)
    print(f"{rows[-1]['gaps']} gaps in {rows[-1]['seconds'] / 60:.1f} minutes")
    seen = {"level": level(browser, LEVEL_SECONDS)} if sounds else {"ink": ink(browser)}
    print(", ".join(f"{name} {value:.3g}" for name, value in seen.items()))
    return {"playable_ms": pressed, "first_sound_ms": first, "minutes": rows} | seen


def take_shots(browser: Page, url: str, name: str, folder: Path | None) -> None:
    """Write a picture of the playing page for each size and each set of colours, if a folder is given."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [{"colours": one} for one in ("light", "dark")] if isinstance(browser, Browser) else [{}]
    for size, (width, height, touch) in SIZES.items():
        for colours in chosen:
            browser.open(url, width, height, touch, **colours)
            browser.wait_until(CAN_PLAY, seconds=120)
            browser.click(PLAY)
            time.sleep(SHOT_SECONDS)
            path = folder / f"{name}-{size}-{colours.get('colours', 'light')}.png"
            browser.screenshot(path)
            print(path)


if __name__ == "__main__":
    main()
