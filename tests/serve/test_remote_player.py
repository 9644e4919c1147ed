"""The player of a page that listens to a server: the bits of a local stream, before and after the server was killed."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from support.browser import Browser
from support.server_process import ServerProcess, running
from support.silent_proxy import silent_proxy

from vrnn_engine import Engine
from vrnn_engine.runtime.live.events import Set
from vrnn_engine.runtime.live.performance import Performance

HEAT = "output.temperature"
OPEN = """
    const { openPlayer } = await import('/player/player.js');
    window.player?.close();
    window.player = await openPlayer({ mode: 'remote', voices: [given[0]] }, { seed: 7 });
    window.heard = [];
    window.last = {};
    const keep = ({ detail: { frame, data } }) => heard.push({ frame, data: Array.from(data) });
    player.addEventListener('frames', keep);
    for (const name of ['latents', 'stats', 'state', 'error', 'end', 'text']) {
        player.addEventListener(name, ({ detail }) => { last[name] = detail; });
    }
    window.hear = async count => {
        const [start, size] = [heard.length, player.manifest.frame_size];
        const length = () => heard.slice(start).reduce((sum, one) => sum + one.data.length / size, 0);
        while (length() < count) {
            if (last.end) throw new Error(last.end.reason);
            await new Promise(resolve => setTimeout(resolve, 10));
        }
        return heard;
    };
"""


@pytest.fixture(scope="module")
def server(toy_audio, toy_pen) -> Iterator[ServerProcess]:
    with running(str(toy_audio), str(toy_pen)) as process:
        yield process


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Browser]:
    browser.open(server.url("config.json", "http"))  # an empty page of the server
    yield browser
    browser.run("window.player?.close()")


def joined(blocks: list[dict]) -> np.ndarray:
    """Return frames as samples, after a check that each follows the one before it."""
    size = 200 if len(blocks[0]["data"]) % 200 == 0 else 3
    at = blocks[0]["frame"]
    for block in blocks:
        assert block["frame"] == at
        at += len(block["data"]) // size
    return np.concatenate([block["data"] for block in blocks]).astype(np.float32)


def test_it_plays_the_bits_of_a_local_stream(page, engine):
    page.run(OPEN, "toy-audio")
    assert page.run("return [player.kind, player.framesPerSecond, String(player.seed)]") == ["audio", 80, "7"]
    page.run(f"player.set('{HEAT}', 0.5); await player.play()")
    heard = joined(page.run("return await hear(150)"))
    stream = engine.stream(7)
    stream.controls[HEAT] = 0.5
    assert np.array_equal(heard, stream.read(len(heard) // 200))
    assert page.run("return last.latents.latent.length") == stream.latent.size
    assert page.run("return last.state") == {"playing": True, "connected": True}


def test_ink_comes_at_the_pace_of_the_pen(page, toy_pen):
    page.run(OPEN, "toy-pen")
    heard = joined(page.run("await player.play(); return await hear(120)"))
    assert np.array_equal(heard.reshape(-1, 3), Engine.load(toy_pen, "cpu").stream(7).read(len(heard) // 3))


def test_it_restarts_and_returns_to_a_saved_state(page, engine):
    page.run(OPEN, "toy-audio")
    page.run("await player.play(); await hear(20); window.saved = await player.save()")
    assert page.run("return [saved.voice, saved.latent.length]") == ["toy-audio", engine.stream().latent.size]
    heard = joined(page.run("await player.restart({ seed: 9n }); heard.length = 0; return await hear(40)"))
    assert np.array_equal(heard, engine.stream(9).read(len(heard) // 200))
    page.run("await player.restore(saved)")
    page.run("await hear(60)")
    rows = np.concatenate(page.run("return heard.slice(-10).map(one => one.data)")).astype(np.float32).reshape(-1, 200)
    plain = engine.stream(7).read(400).reshape(-1, 200)
    assert any(np.array_equal(rows, plain[at : at + len(rows)]) for at in range(380))
    assert page.run("return String(player.seed)") == "7"


def test_a_saved_state_is_restored_in_a_pause(page, engine):
    page.run(OPEN, "toy-audio")
    page.run("await player.play(); await hear(20); window.saved = await player.save(); await hear(20); player.pause()")
    page.run("await player.restore(saved); heard.length = 0", seconds=30)
    page.run("await player.play(); await hear(20)")
    rows = np.concatenate(page.run("return heard.slice(0, 10).map(one => one.data)")).astype(np.float32)
    plain = engine.stream(7).read(200)
    assert any(np.array_equal(rows, plain[at : at + len(rows)]) for at in range(0, len(plain) - len(rows), 200))


def test_controls_that_change_in_a_pause_take_effect_after_it(page, engine):
    page.run(OPEN, "toy-audio")
    page.run("await player.play(); await hear(20); player.pause(); heard.length = 0")
    page.run("""
        for (let step = 0; step < 90; step++) {
            player.set('latent.shift', step / 100, { index: step % 2 });
            await new Promise(resolve => setTimeout(resolve, 27));
        }
    """)
    heard = joined(page.run("await player.play(); return await hear(60)"))
    assert page.run("return last.end ?? null") is None
    assert not np.array_equal(heard[-200:], engine.stream(7).read(400)[-200:])


def test_a_server_that_is_killed_and_started_again_changes_no_bit(page, server, engine):
    page.run(OPEN, "toy-audio")
    # The event takes effect after the token of frame 80, and the server is killed before it sends that of frame 160.
    page.run(f"await player.play(); await hear(85); player.set('{HEAT}', 0.3); await hear(25)")
    server.kill()
    time.sleep(0.5)
    assert page.run("return last.state") == {"playing": True, "connected": False}
    page.run("player.pause()")
    assert page.run("return last.state") == {"playing": False, "connected": False}
    page.run("await player.play()")
    page.run("player.set('latent.hold', 0)")  # this does not stop the tries to connect
    threading.Thread(target=server.start).start()
    page.run("await hear(200)")
    heard = joined(page.run("return heard"))
    count = len(heard) // 200
    plain, rows = engine.stream(7).read(count).reshape(count, 200), heard.reshape(count, 200)
    first = int(np.argmin((rows == plain).all(axis=1)))
    assert first >= 85
    expected = Performance(engine.stream(7), [Set(frame=first, control=HEAT, value=0.3)]).read(count)
    assert np.array_equal(heard, expected)
    page.wait_until("last.stats?.reconnects === 1")


@pytest.mark.slow
def test_a_server_that_falls_silent_is_left_and_the_session_continues_over_another_connection(page, server, engine):
    with silent_proxy(server.port) as proxy:
        page.open(f"http://127.0.0.1:{proxy.port}/config.json")
        page.run(OPEN, "toy-audio")
        page.run("await player.play(); await hear(100)")
        proxy.fall_silent()
        page.wait_until("last.state.connected === false")
        assert page.run("return last.state") == {"playing": True, "connected": False}
        proxy.speak_again()
        page.run("await hear(100)")
        heard = joined(page.run("return heard"))
        assert np.array_equal(heard, engine.stream(7).read(len(heard) // 200))
        page.wait_until("last.stats?.reconnects === 1")
        page.run("player.close()")


def test_a_voice_that_is_not_served_is_one_line(page):
    with pytest.raises(RuntimeError, match="cannot be reached, or refuses this page"):
        page.run(OPEN, "nothing")
