"""A remote stream outlives its server: the bits after a crash are those of a stream that never lost it."""

import threading
import time

import numpy as np
import pytest
from support.server_process import running

from vrnn_engine import Engine, Player, RemoteError, client
from vrnn_engine.runtime.live.events import Nudge, Set, Walk
from vrnn_engine.runtime.live.performance import Performance

SHIFT, HEAT = "latent.shift", "output.temperature"
TIMELINE = [
    Walk(frame=20, control=SHIFT, speed=0.5, index=1, seed=4),
    Set(frame=150, control=HEAT, value=0.2, ramp=2.0),
    Set(frame=280, control=HEAT, value=0.9),
]


@pytest.fixture
def server(toy_audio):
    with running(str(toy_audio)) as process:
        yield process


def as_recorded(engine, events, frames, seed=7):
    """Return the frames of a local performance of the recorded events."""
    return Performance(engine.stream(seed), sorted(events, key=lambda event: event.frame)).read(frames)


def test_a_server_that_is_killed_and_started_again_changes_no_bit(server, engine):
    recorded, heard = [], []
    with client.connect(server.url(engine.voice.name), seed=7, events=TIMELINE, record=recorded.append) as remote:
        for part in range(3):
            heard.append(remote.read(90))
            remote.controls[HEAT] = 0.3 + 0.1 * part
            remote.send(Nudge(control=SHIFT, by=0.1, index=2))
            heard.append(remote.read(5 + 11 * part))
            if part < 2:
                server.kill()
                threading.Timer(0.3, server.start).start()
        heard.append(remote.read(60))
        assert remote.reconnects == 2
    together = np.concatenate(heard)
    assert len(recorded) == len(TIMELINE) + 6
    assert np.array_equal(together, as_recorded(engine, recorded, len(together) // 200))


def test_what_was_sent_while_there_was_no_server_takes_effect_later(server, engine):
    recorded = []
    with client.connect(server.url(engine.voice.name), seed=7, record=recorded.append) as remote:
        heard = [remote.read(100)]
        server.kill()
        time.sleep(0.3)
        remote.controls[HEAT] = 0.3
        remote.send(Nudge(control=SHIFT, by=0.1, index=2))
        server.start()
        heard.append(remote.read(200))
    assert [type(event) for event in recorded] == [Set, Nudge]
    assert np.array_equal(np.concatenate(heard), as_recorded(engine, recorded, 300))


def test_a_server_that_stops_hands_its_sessions_over(server, engine):
    with client.connect(server.url(engine.voice.name), seed=7) as remote:
        heard = [remote.read(30)]
        server.stop()
        server.start()
        heard.append(remote.read(60))
    assert np.array_equal(np.concatenate(heard), engine.stream(7).read(90))


def test_a_player_plays_on(server, engine, tmp_path):
    with (
        client.connect(server.url(engine.voice.name), seed=7) as remote,
        Player(remote, to=tmp_path / "remote.wav", seconds=3) as player,
    ):
        player.wait(timeout=1)
        server.kill()
        server.start()
        player.wait()
    with Player(engine.stream(7), to=tmp_path / "local.wav", seconds=3) as player:
        player.wait()
    assert (tmp_path / "remote.wav").read_bytes() == (tmp_path / "local.wav").read_bytes()


def test_a_snapshot_continues_at_another_server_with_the_same_key(server, engine, toy_audio):
    with client.connect(server.url(engine.voice.name), seed=7, events=TIMELINE) as remote:
        remote.controls[HEAT] = 0.5
        remote.read(130)
        saved = remote.snapshot()
    server.kill()
    with running(str(toy_audio)) as other, client.connect(other.url(engine.voice.name), resume=saved) as remote:
        heard = remote.read(90)
    events = [Set(frame=0, control=HEAT, value=0.5), *TIMELINE]
    assert np.array_equal(heard, as_recorded(engine, events, 220)[130 * 200 :])


def test_a_server_with_another_key_ends_the_stream_with_one_line(server, engine):
    with client.connect(server.url(engine.voice.name), seed=7) as remote:
        remote.read(30)
        server.kill()
        server.start(key="another key of this length")
        with pytest.raises(
            RemoteError, match=r"has ended the session: this token is damaged, or of a server with anot"
        ):
            remote.read(200)


def test_a_server_that_does_not_come_back_is_given_up(server, engine):
    with client.connect(server.url(engine.voice.name), seed=7, timeout=1.0) as remote:
        remote.read(30)
        server.kill()
        with pytest.raises(
            RemoteError, match=r"^ws://127.0.0.1:\d+/\S+ cannot be reached for 1 s: nothing listens there$"
        ):
            remote.read(400)


@pytest.mark.slow
def test_a_text_is_written_to_its_end():
    engine = Engine.load("handwriting", "cpu")
    recorded, heard = [], []
    with (
        running("handwriting") as server,
        client.connect(server.url("handwriting"), seed=4, text="Dear Anna,\n", record=recorded.append) as remote,
    ):
        heard.append(remote.read(60))
        remote.write("thank you.")
        heard.append(remote.read(50))
        server.kill()
        server.start()
        while remote.written_frame is None:
            heard.append(remote.read(10))
        assert (remote.written, remote.pending) == (21, 0)
    together = np.concatenate(heard)
    local = Performance(engine.stream(4, text="Dear Anna,\n"), recorded)
    assert np.array_equal(together, local.read(len(together)))
    assert local.stream.pending == 0
