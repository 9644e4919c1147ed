"""A reader gets its frames or one error, whatever the server and the connection do."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.scripted_server import Peer, scripted

from vrnn_engine import RemoteError, client
from vrnn_engine.client import connection
from vrnn_engine.runtime.live.events import Set
from vrnn_engine.serve.codec import encode
from vrnn_engine.serve.protocol import FAILED, GOING_AWAY, IDLE, MAX_TOKEN, POLICY, SLOW, End, Token

HEAT = "output.temperature"


def ends(work: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return what a function returns, or raise its error; fail if it does not end."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001  (given to the test)
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, "it waits for ever"
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]


async def keep_silent(peer: Peer) -> None:
    await peer.wait()


async def open_and_keep_silent(peer: Peer) -> None:
    await peer.open()
    await peer.wait()


async def open_and_leave(peer: Peer) -> None:
    await peer.open()
    await peer.socket.close(FAILED)


def test_a_server_that_does_not_open_the_session_is_one_error(toy_audio):
    with scripted(toy_audio, keep_silent) as url, pytest.raises(RemoteError, match=r"has sent nothing for 0.5 s"):
        ends(lambda: client.connect(url, timeout=0.5))


def test_a_server_that_opens_the_session_and_sends_no_frame_is_one_error(toy_audio):
    with scripted(toy_audio, open_and_keep_silent) as url, client.connect(url, timeout=0.5) as remote:
        for ask in (lambda: remote.read(2), remote.save):
            with pytest.raises(RemoteError, match=r"has sent nothing for 0.5 s; is the server overloaded\?"):
                ends(ask)


def test_a_server_that_loses_each_connection_is_one_error(toy_audio):
    with (
        scripted(toy_audio, open_and_leave) as url,
        client.connect(url, timeout=1.5) as remote,
        pytest.raises(RemoteError, match=r"cannot be reached for 1.5 s: |has sent nothing for 1.5 s"),
    ):
        ends(lambda: remote.read(2))


def test_tries_that_follow_each_other_quickly_end_after_the_timeout(toy_audio, monkeypatch):
    async def play(peer: Peer) -> None:
        await peer.open()
        await peer.send_frames(0, 2)
        await peer.wait()

    monkeypatch.setattr(connection, "LONGEST_WAIT", 0.05)
    with scripted(toy_audio, play) as url:
        remote = client.connect(url, timeout=1.0)
        remote.read(2)
    with remote, pytest.raises(RemoteError, match=r"cannot be reached for 1 s: nothing listens there"):
        ends(lambda: remote.read(2))


@pytest.mark.parametrize(("voice", "frames"), [("toy_audio", 40), ("toy_pen", 80)])
def test_the_server_may_be_ahead_by_half_a_second_of_sound_and_more_of_ink(voice, frames, request):
    given = []

    async def listen(peer: Peer) -> None:
        await peer.open()
        given.append(json.loads(await peer.socket.recv()))
        await peer.send_frames(0, 4)
        await peer.wait()

    with scripted(request.getfixturevalue(voice), listen) as url, client.connect(url) as remote:
        ends(lambda: remote.read(1))
    assert given == [{"type": "credit", "frames": frames}]


@pytest.mark.parametrize("code", [SLOW, IDLE])
def test_a_reader_that_waits_when_the_server_ends_the_session_gets_the_next_frames(toy_audio, code):
    async def end_once(peer: Peer) -> None:
        await peer.open()
        if peer.number > 1:
            await peer.send_frames(0, 8)
            await peer.wait()
            return
        await peer.send_frames(0, 2)
        await peer.socket.recv()  # credit: the reader waits for more
        await peer.end(code)

    with scripted(toy_audio, end_once) as url, client.connect(url, timeout=10) as remote:
        assert ends(lambda: remote.read(6)).size == 6 * 200
        assert remote.reconnects == 1


@pytest.mark.parametrize("before", [[(0, IDLE)], [(8, IDLE)], [(80, GOING_AWAY), (0, IDLE)]])
def test_a_session_that_ended_in_a_pause_continues_with_the_next_read(toy_audio, before):
    """Each connection before the last one sends some frames, and is ended with a code."""
    ended = threading.Event()

    async def behave(peer: Peer) -> None:
        await peer.open()
        if peer.number > len(before):
            await peer.send_frames(peer.asked.frame or 0, 100)
            await peer.wait()
            return
        frames, code = before[peer.number - 1]
        if frames:
            await peer.send_frames(0, frames)
        await peer.end(code)
        if code == IDLE:
            ended.set()

    with scripted(toy_audio, behave) as url, client.connect(url, timeout=0.5) as remote:
        if before[0][0]:
            ends(lambda: remote.read(4))
        assert ended.wait(10)
        time.sleep(0.7)  # longer than `timeout`
        assert ends(lambda: remote.read(90)).size == 90 * 200


@pytest.mark.parametrize("error", [ValueError("a fault"), OSError("disk full"), RemoteError("no room")])
def test_an_error_of_the_recording_ends_the_recording_and_not_the_stream(served, engine, monkeypatch, error):
    recorded, warned = [], []
    monkeypatch.setattr(logging.getLogger("vrnn_engine"), "warning", lambda text, *values: warned.append(text % values))

    def record(event):
        recorded.append(event)
        raise error

    events = [Set(frame=0, control=HEAT, value=0.5), Set(frame=2, control=HEAT, value=0.6)]
    url = served.url(engine.voice.name)
    with client.connect(url, seed=7, events=events, record=record, timeout=10) as remote:
        assert ends(lambda: remote.read(8)).size == 8 * 200
        assert remote.reconnects == 0
    assert len(recorded) == 1
    assert warned == [f"the recording ends at frame 0: {type(error).__name__}: {error}"]


def shapes(manifest: dict[str, Any], *shape: int) -> dict[str, Any]:
    first = {**manifest["controls"][0], "shape": list(shape)}
    return {**manifest, "controls": [first, *manifest["controls"][1:]]}


async def send_frames_without_credit(peer: Peer) -> None:
    await peer.open()
    first = 0
    while True:
        await peer.send_frames(first, 2)
        first += 2


async def send_a_token_that_is_too_long(peer: Peer) -> None:
    await peer.open()
    await peer.socket.send(encode(Token(frame=1, token="t" * (MAX_TOKEN + 1), reason="time")))
    await peer.wait()


async def announce_large_messages(peer: Peer) -> None:
    await peer.open(frames=2**62)


async def announce_vast_controls(peer: Peer) -> None:
    await peer.open(manifest=shapes(peer.manifest, 2**24))


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (send_frames_without_credit, "the server sent frame [0-9]+, for which it had no credit"),
        (send_a_token_that_is_too_long, "a token of more than 60,000 characters"),
        (announce_large_messages, "messages of frames that are not 1 to 1310"),
        (announce_vast_controls, "the controls together have more than 1,048,576 values"),
    ],
)
def test_a_server_that_sends_without_limit_is_one_error(toy_audio, behave, words):
    def play(url: str) -> None:
        with client.connect(url, timeout=10) as remote:
            while True:
                remote.save()

    with scripted(toy_audio, behave) as url, pytest.raises(RemoteError, match=words) as caught:
        ends(lambda: play(url))
    assert "\n" not in str(caught.value)


def test_a_token_that_was_not_asked_for_is_no_answer(toy_audio):
    async def send_it(peer: Peer) -> None:
        await peer.open()
        await peer.socket.send(encode(Token(frame=0, token="unasked", reason="save")))
        await peer.socket.recv()
        await peer.socket.send(encode(Token(frame=0, token="asked", reason="save")))
        await peer.wait()

    with scripted(toy_audio, send_it) as url, client.connect(url, timeout=10) as remote:
        assert ends(remote.save).token == "asked"


def test_the_reason_of_a_server_is_shown_in_one_line(toy_audio):
    async def end(peer: Peer) -> None:
        await peer.open()
        await peer.socket.send(encode(End(code=POLICY, reason="two\nlines\x1b[2J" + "x" * 1000)))
        await peer.wait()

    with scripted(toy_audio, end) as url, client.connect(url, timeout=5) as remote:
        with pytest.raises(RemoteError, match="has ended the session: two lines") as caught:
            ends(lambda: remote.read(2))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500


async def send_nonsense(peer: Peer) -> None:
    await peer.open()
    await peer.socket.send('{"type":"applied","frame":0,"event":{"do":"set","control":"none","value":1,"frame":0}}')
    await peer.wait()


def test_an_unexpected_error_of_the_client_reaches_the_reader(toy_audio):
    with scripted(toy_audio, send_nonsense) as url, client.connect(url, timeout=5) as remote:
        with pytest.raises(RemoteError, match=r"^the client of \S+ failed: \w+: .+") as caught:
            ends(lambda: remote.read(2))
        assert caught.value.__cause__ is not None
