"""A remote stream gives the bits of a local one, and is used like one."""

import asyncio
import time

import msgspec
import numpy as np
import pytest

from vrnn_engine import ControlError, Engine, Player, RemoteError, StreamError, client
from vrnn_engine.runtime.live.events import Nudge, Seed, Set, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.serve.protocol import MAX_MESSAGE, MAX_OPEN

SHIFT, HEAT = "latent.shift", "output.temperature"
TIMELINE = [Set(frame=5, control=HEAT, value=0.2, ramp=0.3), Walk(second=0.5, control=SHIFT, speed=0.5, index=1)]


@pytest.fixture(scope="module")
def url(served, engine):
    return served.url(engine.voice.name)


@pytest.fixture
def remote(url):
    with client.connect(url, seed=7) as opened:
        yield opened


def test_it_gives_the_bits_of_a_local_stream(remote, engine):
    local = engine.stream(7)
    for frames in (1, 5, 0, 24, 3):
        assert np.array_equal(remote.read(frames), local.read(frames))
    assert (remote.frame, remote.seed) == (33, 7)


def test_it_describes_its_voice_as_a_local_stream_does(remote, engine):
    assert remote.voice.manifest == engine.voice.manifest
    assert remote.voice.name == engine.voice.name
    assert dict(remote.controls.specs) == dict(engine.stream().controls.specs)


def test_controls_that_are_set_before_the_first_read_affect_the_first_frame(remote, engine):
    local = engine.stream(7)
    for stream in (remote, local):
        stream.controls[HEAT] = 0.25
        stream.controls.assign(f"{SHIFT}/1", 0.5)
    assert np.array_equal(remote.read(20), local.read(20))
    assert remote.controls[HEAT] == 0.25
    assert remote.controls[SHIFT][1] == 0.5


def test_controls_text_and_timeline_are_given_when_it_opens(url, engine):
    stream = engine.stream(7)
    stream.controls.update({HEAT: 0.5, SHIFT: 0.25})
    local = Performance(stream, [TIMELINE[0], Walk(frame=40, control=SHIFT, speed=0.5, index=1)])
    with client.connect(url, seed=7, controls={HEAT: 0.5, SHIFT: 0.25}, events=TIMELINE) as remote:
        assert remote.controls[HEAT] == 0.5
        assert np.array_equal(remote.read(60), local.read(60))
        assert remote.controls[HEAT] == 0.2


def test_a_change_while_it_plays_takes_effect(remote, engine):
    before, plain = remote.read(10), engine.stream(7).read(200).reshape(200, -1)
    remote.controls[HEAT] = 0.0
    remote.send(Nudge(control=SHIFT, by=0.5))
    after = np.concatenate([before, remote.read(190)]).reshape(200, -1)
    same = (after == plain).all(axis=1)
    first = int(np.argmin(same))
    assert 10 <= first < 150  # not before it was sent, and soon after
    assert not same[first:].any()
    assert (remote.controls[SHIFT] == 0.5).all()


def test_16_bits_are_near_the_local_stream(url, engine):
    with client.connect(url, seed=7, format="s16le") as remote:
        assert np.allclose(remote.read(20), engine.stream(7).read(20), atol=1 / 32768)


def test_ink_has_three_columns(served, toy_pen):
    local = Engine.load(toy_pen, "cpu").stream(7)
    with client.connect(served.url(local.voice.name), seed=7) as remote:
        assert np.array_equal(remote.read(30), local.read(30))
        assert remote.read(0).shape == (0, 3)


def test_a_player_writes_the_file_of_the_local_stream(remote, engine, tmp_path):
    for stream, name in ((remote, "remote.wav"), (engine.stream(7), "local.wav")):
        with Player(stream, to=tmp_path / name, seconds=0.55) as player:
            player.wait()
    assert (tmp_path / "remote.wav").read_bytes() == (tmp_path / "local.wav").read_bytes()


def test_a_player_that_is_stopped_does_not_wait_for_frames(remote):
    with Player(remote, to="null") as player:
        player.wait(timeout=0.2)
    assert remote.read(3).size == 600


def test_the_latents_of_the_server_are_reported(remote, engine):
    local = engine.stream(7)
    while not remote.latent.size:
        remote.read(8)
    rows = []
    for _ in range(remote.frame + 80):
        local.read(1)
        rows.append(local.latent)
    assert any(np.array_equal(remote.latent, row) for row in rows)


def test_a_snapshot_continues_after_the_frames_that_were_read(url, remote, engine):
    local = engine.stream(7)
    remote.controls[HEAT] = 0.5
    local.controls[HEAT] = 0.5
    remote.read(33), local.read(33)
    saved = remote.snapshot()
    expected = local.read(50)
    with client.connect(url, resume=saved) as again:
        assert (again.frame, again.seed) == (33, 7)
        assert np.array_equal(again.read(50), expected)
    assert np.array_equal(remote.read(50), expected)


def test_a_saved_token_is_restored(remote, engine):
    plain = engine.stream(7).read(400).reshape(400, -1)
    remote.read(5)
    saved = remote.save()
    assert len(saved.latent) == engine.stream().latent.size
    remote.send(Seed(seed=9))
    assert not np.array_equal(remote.read(100).reshape(100, -1)[-20:], plain[85:105])
    remote.restore(saved.token)
    heard = remote.read(150).reshape(150, -1)
    again = plain[saved.frame : saved.frame + 20]
    assert any(np.array_equal(heard[at : at + 20], again) for at in range(130))


def test_a_stream_continues_after_many_restores_and_a_lost_connection(served, url, engine):
    with client.connect(url, seed=7) as remote:
        saved = remote.save()
        remote.read(50)  # the next token comes at frame 160
        for _ in range(12):
            remote.restore(saved.token)
        heard = remote.read(60).reshape(60, -1)
        served.lose_connections()
        heard = np.concatenate([heard, remote.read(140).reshape(140, -1)])
        assert remote.reconnects == 1
    plain = engine.stream(7).read(200).reshape(200, -1)
    start = max(at for at in range(150) if np.array_equal(heard[at], plain[0]))  # the last one that took effect
    assert np.array_equal(heard[start:], plain[: 200 - start])


@pytest.mark.parametrize("frames", [0, 8])
def test_the_events_of_a_pause_take_effect_in_order_when_it_ends(url, engine, frames):
    recorded = []
    with client.connect(url, seed=7, timeout=10, record=recorded.append) as remote:
        heard = [remote.read(frames)]
        for _ in range(120):
            remote.send(Nudge(control=SHIFT, by=0.001))
        time.sleep(2.0)  # enough to send them all
        heard.append(remote.read(300))
        assert (remote.reconnects, len(recorded)) == (0, 120)
    local = Performance(engine.stream(7), recorded)
    assert np.array_equal(np.concatenate(heard), local.read(frames + 300))


def test_errors_that_can_be_known_here_are_raised_here(remote):
    with pytest.raises(ControlError, match=r"did you mean 'output.temperature'"):
        remote.controls["output.temperatur"] = 1
    with pytest.raises(ControlError, match="out of range"):
        remote.send(Set(control=HEAT, value=-5))
    with pytest.raises(StreamError, match="writes no text"):
        remote.write("Dear Anna")
    with pytest.raises(StreamError, match="not a whole number of frames"):
        remote.read(-1)


def test_the_first_message_may_be_as_large_as_the_server_takes_it(url, engine):
    values = np.random.default_rng(1).uniform(0.5, 1.5, 1000).tolist()
    events = [Set(frame=index // 50, control=HEAT, value=value) for index, value in enumerate(values)]
    assert MAX_MESSAGE < len(msgspec.json.encode(events)) < MAX_OPEN
    with client.connect(url, 7, events=events) as remote:
        heard = remote.read(30)
    assert np.array_equal(heard, Performance(engine.stream(7), events).read(30))
    with pytest.raises(RemoteError, match=r"have 280,\d+ bytes, more than a server takes at first \(262,144\)"):
        client.connect(url, text=140_000 * "\u017e")


def test_a_closed_stream_says_so(url):
    remote = client.connect(url)
    remote.read(1)
    remote.close()
    remote.close()
    with pytest.raises(StreamError, match="closed; connect again"):
        remote.read(1)


def test_the_asynchronous_stream_gives_the_same_bits(url, engine):
    async def listen():
        blocks = []
        async with client.connect_async(url, seed=7) as remote:
            remote.controls[HEAT] = 0.5
            async for block in remote.blocks(8):
                blocks.append(block)
                if len(blocks) == 5:
                    break
            blocks.append(await remote.read(3))
            saved = await remote.save()
        return np.concatenate(blocks), saved.frame

    local = engine.stream(7)
    local.controls[HEAT] = 0.5
    heard, frame = asyncio.run(listen())
    assert np.array_equal(heard, local.read(43))
    assert frame >= 43


def test_many_asynchronous_streams_share_one_loop(url, engine):
    async def listen(seed):
        async with client.connect_async(url, seed=seed) as remote:
            return await remote.read(40)

    async def listen_to_all():
        return await asyncio.gather(*map(listen, range(6)))

    for seed, heard in enumerate(asyncio.run(listen_to_all())):
        assert np.array_equal(heard, engine.stream(seed).read(40))


def test_what_a_snapshot_has_cannot_be_given_as_well(url, remote):
    remote.read(1)
    with pytest.raises(RemoteError, match="give only `resume`"):
        client.connect(url, seed=3, resume=remote.snapshot())
    with pytest.raises(RemoteError, match="is of voice"):
        client.connect(url + "x", resume=remote.snapshot())
