"""The sound of a page: samples arrive in order, gaps are counted, jumps do not click."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import ISOLATION, Browser, serve_folder

import vrnn_engine.serve
from vrnn_engine.runtime.audio.limiter import CEILING, Limiter

STATIC = Path(vrnn_engine.serve.__file__).parent / "static"

TOP = float(np.float32(10 ** (CEILING / 20)))

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


@pytest.mark.parametrize("output_rate", [16000, 48000])
def test_samples_that_are_not_finite_are_played_as_silence(page: Browser, output_rate: int) -> None:
    page.run(CONNECT, output_rate, 40)
    heard = listen(page, 4000 * output_rate // 16000)
    page.run("feed.write(Float32Array.from([NaN, Infinity, -Infinity, 3e38, -3e38, NaN]))")
    heard = np.concatenate([heard, listen(page, 8000 * output_rate // 16000)])
    assert None not in heard.tolist()  # as JSON writes NaN
    heard = heard.astype(float)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() > 9e5
    assert np.abs(heard[-2000:]).max() == pytest.approx(1, abs=1e-2)


LIMIT = """
    const { Limiter } = await import('/player/sound/limiter.js');
    const [rate, blocks] = given;
    const limiter = new Limiter(rate);
    const number = value => ({ nan: NaN, inf: Infinity })[value] ?? value;
    const made = blocks.map(block => {
        const samples = Float32Array.from(block, number);
        limiter.push(samples);
        return [...samples];
    });
    return [made.flat(), limiter.limited];
"""


def test_the_limiter_does_what_that_of_the_desktop_does(page: Browser) -> None:
    rng = np.random.default_rng(3)
    samples = np.concatenate([rng.standard_normal(500) * level for level in (0.1, 1.0, 30.0, 0.2, 1e5, 0.3, 0.01)])
    samples = samples.astype(np.float32)
    limiter = Limiter(16000)
    expected = limiter.push(samples)
    made, limited = page.run(LIMIT, 16000, [part.tolist() for part in np.split(samples, 7)])
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)
    assert limited == limiter.limited > 500
    assert np.abs(made).max() <= TOP


def test_the_limiter_changes_nothing_below_its_ceiling(page: Browser) -> None:
    samples = np.clip(0.5 * np.random.default_rng(4).standard_normal(2000), -TOP, TOP).astype(np.float32)
    assert page.run(LIMIT, 16000, [samples.tolist()]) == [samples.tolist(), 0]
    assert page.run(LIMIT, 16000, [["nan", "inf", 0.5]]) == [[0, 0, 0.5], 0]


OPEN_SOUND = """
    const { openSound } = await import('/player/sound/output.js');
    const { SoundFeed } = await import('/player/sound/feed.js');
    const none = { value: undefined, configurable: true };
    if (given[0]) Object.defineProperty(AudioContext.prototype, 'audioWorklet', none);
    const sound = await openSound(16000);
    if (given[0]) delete AudioContext.prototype.audioWorklet;
    const feed = new SoundFeed(sound.port, sound.memory);
    const analyser = new AnalyserNode(sound.context, { fftSize: 4096 });
    sound.node.connect(analyser);
    let count = 0;
    const loud = () => { count += 1; return [NaN, 1e30, -5, Infinity, 0.2][count % 5]; };
    feed.onask = () => { while (feed.isDue) feed.write(Float32Array.from({ length: 200 }, loud)); };
    feed.onask();
    await sound.resume();
    const heard = new Float32Array(4096);
    let peak = 0;
    for (let turn = 0; turn < 100 && !(turn > 20 && peak > 0 && sound.limited()); turn++) {
        await new Promise(resolve => setTimeout(resolve, 50));
        analyser.getFloatTimeDomainData(heard);
        for (const sample of heard) if (!(Math.abs(sample) <= peak)) peak = Math.abs(sample);
    }
    const found = [sound.node.constructor.name, Number.isNaN(peak) ? 'NaN' : peak, sound.limited()];
    await sound.close();
    return found;
"""


@pytest.mark.parametrize("has_audio_thread", [True, False])
def test_what_the_browser_plays_is_finite_and_below_the_ceiling(page: Browser, has_audio_thread: bool) -> None:
    node, peak, limited = page.run(OPEN_SOUND, not has_audio_thread)
    assert node == ("AudioWorkletNode" if has_audio_thread else "ScriptProcessorNode")
    assert 0 < peak <= TOP
    assert limited > 100
