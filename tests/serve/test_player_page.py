"""The player of a page: what is heard and written, and what steers it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import ISOLATION, Browser, serve_folder
from support.played_page import POLICY, write_page
from support.played_voice import VOICES

from vrnn_engine.runtime.audio.limiter import CEILING

# A worker whose thread the page can block.
BLOCK = """
    addEventListener('message', event => {
        if (!event.data.block) return;
        event.stopImmediatePropagation();
        const end = performance.now() + event.data.block;
        while (performance.now() < end);
    });
"""
OPEN = """
    const { openPlayer } = await import('/player/player.js');
    window.RealWorker ??= Worker;
    window.Worker = class extends RealWorker {
        constructor(_, options) {
            super('/blockable.js', options);
            window.worker = this;
        }
    };
    window.player?.close();
    const [voice, options, hasAudioThread] = given;
    if (!hasAudioThread) Object.defineProperty(AudioContext.prototype, 'audioWorklet', { value: undefined });
    window.player = await openPlayer({ mode: 'local', voice }, { ...options, seed: 7 });
    window.seen = { frames: [], latents: [], text: [], stats: [], error: [], end: [], state: [] };
    for (const name of Object.keys(seen)) player.addEventListener(name, ({ detail }) => seen[name].push(detail));
    if (player.audioNode) {
        window.analyser = player.audioNode.context.createAnalyser();
        player.audioNode.connect(analyser);
    }
    window.loudness = () => {
        const heard = new Float32Array(analyser.fftSize);
        analyser.getFloatTimeDomainData(heard);
        return Math.max(...heard) - Math.min(...heard);
    };
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, loud: Path) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_page(folder, blizzard=VOICES / "blizzard", handwriting=VOICES / "handwriting", loud=loud)
    (folder / "block.js").write_text(BLOCK)
    (folder / "blockable.js").write_text("import './block.js'; import './player/worker.js';")
    return folder


@pytest.fixture(params=[{}, ISOLATION], ids=["messages", "shared memory"])
def either_page(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The browser with a page without and with memory that threads share."""
    with serve_folder(folder, {"Content-Security-Policy": POLICY, **request.param}) as url:
        browser.open(url)
        assert browser.run("return crossOriginIsolated") is bool(request.param)
        yield browser
        assert browser.errors() == []


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Browser]:
    """The browser with a page from a plain server."""
    with serve_folder(folder) as url:
        browser.open(url)
        yield browser


def open_player(page: Browser, voice: str, has_audio_thread: bool = True, **options: Any) -> None:
    """Open `player` in the page, and collect its events in `seen`."""
    page.run(OPEN, voice, options, has_audio_thread)


def test_sound_is_heard_and_follows_a_control(either_page: Browser) -> None:
    page = either_page
    open_player(page, "blizzard")
    assert page.run("return [player.kind, player.playing, player.framesPerSecond, analyser.context.sampleRate]") == [
        "audio",
        False,
        80,
        16000,
    ]
    assert page.run("return player.audioNode.constructor.name") == "AudioWorkletNode"
    page.run("await player.play()")
    page.wait_until("loudness() > 0.01")
    page.run("player.set('output.temperature', 0)")
    page.wait_until("loudness() < 0.001")
    assert page.run("return player.value('output.temperature')[0]") == 0
    page.run("player.reset()")
    page.wait_until("loudness() > 0.01")
    page.run("player.pause()")
    assert page.run("return seen.state.map(({playing}) => playing)") == [True, False]
    frames = page.run("return seen.frames.map(({frame, data}) => [frame, data.length / 200])")
    assert [frame for frame, _ in frames[1:]] == [frame + count for frame, count in frames[:-1]]
    latents = page.run("return Object.values(seen.latents[0]).slice(1).map(values => [...values])")
    _, mean, std, kl = np.array(latents)
    np.testing.assert_allclose(kl, (std**2 + mean**2 - 1) / 2 - np.log(std), atol=1e-4)
    assert kl.shape == (64,)


def test_an_underrun_is_counted_when_the_worker_is_blocked(either_page: Browser) -> None:
    page = either_page
    open_player(page, "blizzard")
    page.run("await player.play()")
    page.wait_until("loudness() > 0.01 && seen.stats.length")
    before = page.run("return seen.stats.at(-1).underruns")
    page.run("worker.postMessage({ block: 1500 })")
    page.wait_until(f"seen.stats.at(-1).underruns > {before}")
    stats = page.run("return seen.stats.at(-1)")
    assert stats.keys() == {"stepMs", "frameMs", "underruns", "leadMs", "reconnects", "limited"}
    assert stats["frameMs"] == 12.5


def test_sound_that_is_too_loud_is_limited_before_the_speakers_only(either_page: Browser) -> None:
    page = either_page
    open_player(page, "loud")
    page.run("player.set('output.temperature', 1.3); await player.play()")
    page.wait_until("seen.stats.at(-1)?.limited > 0")
    made = np.concatenate(page.run("return seen.frames.map(({ data }) => [...data])"))
    assert np.abs(made).max() > 1.1  # what is recorded is not limited
    assert page.run("return loudness()") <= 2 * 10 ** (CEILING / 20) + 1e-6
    assert page.run("return seen.error") == []


def test_sound_is_heard_without_an_audio_thread(page: Browser) -> None:
    open_player(page, "blizzard", has_audio_thread=False)
    assert page.run("return player.audioNode.constructor.name") == "ScriptProcessorNode"
    page.run("await player.play()")
    page.wait_until("loudness() > 0.01")


def test_a_pen_writes_a_text(page: Browser) -> None:
    open_player(page, "handwriting", text="Hi", width=60)
    page.run("await player.play()")
    page.wait_until("player.pending === 0 && seen.text.length")
    assert page.run("return [player.written, player.pending]") == [2, 0]
    page.run("player.pause(); player.write(' you'); player.erase(1); await player.play()")
    page.wait_until("player.written === 5 && player.pending === 0")
    page.run("player.pause()")
    count = page.run("return (await player.save()).data.stream.frame")
    points = page.run("return seen.frames.flatMap(({data}) => [...data])")
    assert len(points) == 3 * count
    assert page.run("return seen.error") == []


def test_a_saved_state_continues_with_the_same_frames(page: Browser) -> None:
    open_player(page, "handwriting", text="one two three four")
    body = """
        const enough = count => new Promise(resolve => player.addEventListener('frames', ({ detail }) => {
            if (detail.frame + detail.data.length / 3 >= count) resolve();
        }));
        await player.play();
        await enough(20);
        const saved = structuredClone(await player.save());
        const first = saved.data.stream.frame;
        player.set('latent.temperature', 0.5);
        await enough(first + 30);
        player.pause();
        const rest = () => seen.frames.flatMap(({ frame, data }) => frame >= first ? [...data] : []).slice(0, 60);
        const before = rest();
        await player.restart({ seed: 8n, text: 'another one' });
        const seeds = [player.seed];
        seen.frames = [];
        await player.restore(saved);
        player.set('latent.temperature', 0.5);
        seeds.push(player.seed);
        await player.play();
        await enough(first + 30);
        player.close();
        return { first, before, after: rest(), seeds: seeds.map(String), voice: saved.voice, z: saved.latent.length };
    """
    found = page.run(body)
    assert found["first"] >= 20
    assert len(found["before"]) == 60
    assert found["after"] == found["before"]
    assert [found["seeds"], found["voice"], found["z"]] == [["8", "7"], "handwriting", 16]


def test_what_is_wrong_is_said_in_one_line(page: Browser) -> None:
    with pytest.raises(
        RuntimeError, match=r"cannot load /nowhere/voice.json: the server answers 404; reload the page, or copy"
    ):
        open_player(page, "nowhere")
    open_player(page, "handwriting")
    for wrong, message in {
        "player.set('latent.temperature', 9)": r"control latent.temperature = 9 is out of range \[0, 4\]",
        "player.set('latent.shift', 0, { index: 16 })": "control latent.shift has no dimension 16, only 0 to 15",
        "player.set('latent.shift', [1, 2])": "control latent.shift takes one number or 16 numbers",
        "player.set('volume', 0)": "unknown control volume; this voice has latent.temperature",
        "player.write('one\\ntwo ž')": r'cannot write "ž" \(line 2, character 5\); the nearest that it can is "z"',
        "await player.restart({ seed: 1.5 })": "seed 1.5 is not an integer",
        "await player.restore({ data: {} })": "the saved state is of another voice",
    }.items():
        with pytest.raises(RuntimeError, match=message):
            page.run(wrong)
    page.run("await player.restart({ text: 'immeasurable', width: 5 }); await player.play()")
    page.wait_until("seen.error.length")
    assert "mm wide, but a line has only 5; make the lines wider" in page.run("return seen.error[0].message")
    assert page.run("return seen.end") == []


def test_a_damaged_file_is_refused(page: Browser, folder: Path) -> None:
    weights = folder / "handwriting/weights.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    try:
        with pytest.raises(RuntimeError, match=r"weights\.bin of voice handwriting is damaged"):
            open_player(page, "handwriting")
    finally:
        weights.write_bytes(whole)
