"""The sound of a page: samples arrive in order, gaps are counted, jumps do not click."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import ISOLATION, Browser, serve_folder

import vrnn_engine.serve

STATIC = Path(vrnn_engine.serve.__file__).parent / "static"

# The side that computes gives 1, 2, 3 and so on, or a sine. `listen` returns the next samples of the output.
CONNECT = """
    const { SoundFeed } = await import('/player/sound/feed.js');
    const { Playback, SharedRing } = await import('/player/sound/playback.js');
    const [outputRate, period] = given;
    const { port1, port2 } = new MessageChannel();
    const memory = crossOriginIsolated ? new SharedRing().memory : null;
    const playback = new Playback({ port: port2, memory, rate: 16000 }, outputRate);
    window.feed = new SoundFeed(port1, memory);
    window.isFed = true;
    let count = 0;
    const next = () => { count += 1; return period ? Math.sin(2 * Math.PI * count / period) : count; };
    window.listen = async samples => {
        const heard = [];
        while (heard.length < samples) {
            const out = new Float32Array(128);
            playback.fill(out);
            heard.push(...out);
            await new Promise(resolve => setTimeout(resolve, 1));
            while (isFed && feed.isDue) feed.write(Float32Array.from({ length: 200 }, next));
            await new Promise(resolve => setTimeout(resolve, 1));
        }
        return heard;
    };
"""


@pytest.fixture(scope="module", params=[{}, ISOLATION], ids=["messages", "shared memory"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The browser with an empty page, without and with memory that threads share."""
    with serve_folder(STATIC, request.param) as url:
        browser.open(url + "player/player.js")
        assert browser.run("return crossOriginIsolated") is bool(request.param)
        yield browser


def listen(page: Browser, samples: int) -> np.ndarray:
    return np.array(page.run("return await listen(given[0])", samples))


def test_all_samples_are_played_in_order(page: Browser) -> None:
    page.run(CONNECT, 16000, 0)
    heard = listen(page, 12_000)
    assert heard[:128].max() == 0  # it waits until half of the lead is there
    assert heard[heard > 0][64:].tolist() == list(range(65, np.count_nonzero(heard) + 1))  # the first 64 fade in
    assert page.run("return [feed.underruns, feed.lead > 0.05]") == [0, True]


def test_a_gap_is_counted_once_and_loses_no_sample(page: Browser) -> None:
    page.run(CONNECT, 16000, 0)
    heard = [listen(page, 4000)]
    page.run("isFed = false")
    heard.append(listen(page, 8000))
    assert page.run("return feed.underruns") == 1
    assert heard[-1][-1] == 0
    page.run("isFed = true")
    heard.append(listen(page, 8000))
    assert page.run("return feed.underruns") == 1
    blocks = np.concatenate(heard).reshape(-1, 128)
    played = np.diff(blocks, axis=1).max(axis=1) > 0  # in a gap, the sound only falls
    assert blocks[-1, -1] == played.sum() * 128


def test_a_jump_drops_what_was_not_played_without_a_click(page: Browser) -> None:
    page.run(CONNECT, 16000, 37)
    listen(page, 4000)
    page.run("feed.clear()")
    heard = listen(page, 4000)
    # A sine of 37 samples changes by 0.17 from one sample to the next; a fade adds a little.
    assert np.abs(np.diff(heard)).max() < 0.25
    assert page.run("return feed.underruns") == 0


def test_sound_is_resampled_for_a_device_of_another_rate(page: Browser) -> None:
    page.run(CONNECT, 48000, 40)
    heard = listen(page, 24_000)[-6000:]
    times = np.arange(len(heard)) * 2 * np.pi / (40 * 3)
    fitted: Any = np.linalg.lstsq(np.stack([np.sin(times), np.cos(times)], axis=1), heard, rcond=None)
    assert np.hypot(*fitted[0]) == pytest.approx(1, abs=1e-2)
    assert np.sqrt(fitted[1][0] / len(heard)) < 2e-3
