"""The WebSocket endpoint: hostile clients, slow ones and those that vanish harm no other session and leave nothing."""

import asyncio
import gc
import json
import os
import socket
import struct
import threading

import numpy as np
import pytest
from support.served import Served, hear, listener, run, serve
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode

from vrnn_engine.serve import connection, protocol
from vrnn_engine.serve.codec import decode_server, encode
from vrnn_engine.serve.protocol import Credit, End, ErrorMessage, Open, Opened, SendEvent, Stats

VOICE = "toy-audio"


async def end_of(url: str, *messages: str | bytes) -> tuple[int, str]:
    """Send messages; return the code and the reason with which the server closes the connection."""
    async with connect(url, compression=None, max_size=None) as client:
        for message in messages:
            await client.send(message)
        try:
            while True:
                await client.recv()
        except ConnectionClosed:
            return client.close_code, client.close_reason


OPEN = encode(Open(credit=8))


NUDGE = {"do": "nudge", "control": "latent.shift/" + "9" * 5000, "by": 1.0}


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        (["garbage"], 1008, "the first message: "),
        ([b"\x00\xff"], 1008, "text messages only"),
        (['{"type":"credit","frames":1}'], 1008, "has to be of type open"),
        ([encode(Open(protocol=2))], 1008, "version 1 of the protocol, not 2"),
        ([encode(Open(text="hello"))], 1008, "writes no text"),
        ([encode(Open(controls={"latent.temprature": 1.0}))], 1008, "unknown control"),
        ([encode(Open(controls={"latent.shift/" + "9" * 5000: 1.0}))], 1008, "unknown control"),
        ([encode(Open(events=({**NUDGE, "frame": 0},)))], 1008, "unknown control"),
        ([encode(Open(token="abc"))], 1008, "not a token"),
        ([encode(Open(frame=3))], 1008, "frame 3 is not within"),
        ([encode(Open(seed=str(2**64)))], 1008, "seed"),
        ([encode(Open(events=({"do": "prime", "file": "/etc/passwd", "frame": 0},)))], 1008, "takes no event 'prime'"),
        ([encode(Open(events=({"do": "reset"},)))], 1008, "either a frame or a second"),
        ([encode(Open(events=({"do": "reset", "frame": 2**70},)))], 1008, "cannot read the event 'reset'"),
        ([encode(Open(events=({"do": "reset", "frame": 9}, {"do": "reset", "frame": 8})))], 1008, "earlier than"),
        ([OPEN, "x" * 70_000], 1009, "more than 65536 bytes"),
        ([OPEN, "\u00e9" * 40_000], 1009, "more than 65536 bytes"),
        (["x" * 300_000], 1009, "more than 262144 bytes"),
        ([encode(Open(events=({"do": "reset", "frame": 1},) * 1001))], 1008, "1001 events, more than 1000"),
        ([OPEN, *["{}"] * 30], 4002, "too many bad messages"),
        ([OPEN, *[b"\x01"] * 30], 4002, "text messages only"),
        ([OPEN, *['{"type":"credit","frames":1}'] * 300], 1008, "more than 100 messages a second"),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value)[:30],
)
def test_a_client_that_breaks_the_rules_is_told_why(served: Served, messages, code, reason) -> None:
    found = run(end_of(served.url(VOICE), *messages))
    assert found[0] == code
    assert reason in found[1]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "takes no event None"),
        ({"do": "fork", "to": "x.wav", "seconds": 1}, "takes no event 'fork'"),
        ({"do": "rewind", "seconds": 1}, "takes no event 'rewind'"),
        ({"do": "snapshot", "name": "x"}, "takes no event 'snapshot'"),
        ({"do": "restore", "name": "x", "snapshot": "AAAA"}, "give a token"),
        ({"do": "restore", "token": "AAAA"}, "damaged"),
        ({"do": "set", "control": "latent.shift", "value": 99}, "out of range"),
        ({"do": "reset", "frame": 2**70}, "cannot read the event 'reset'"),
        ({"do": "erase", "count": 2**70}, "cannot read the event 'erase'"),
        ({"do": "set", "control": "latent.shift", "value": 1, "frame": 9}, "leave out frame and second"),
        ({"do": "morph", "to": "x", "seconds": 1}, "give the latent itself"),
        ({"do": "morph", "to": "x", "seconds": 1, "latent": [1.0]}, "has 1 dimensions"),
        ({"do": "follow", "path": "/etc/passwd"}, "give the latents themselves"),
        ({"do": "write", "text": "a"}, "writes no text"),
        ({"do": "walk", "control": "latent.shift", "speed": 1, "seed": 2**64}, "cannot read the event 'walk'|seed"),
    ],
    ids=lambda value: value.get("do", "none") if isinstance(value, dict) else None,
)
def test_an_event_that_is_refused_changes_nothing(served: Served, engine, event, words) -> None:
    async def refused() -> tuple[str, np.ndarray]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=4, credit=40, format="f32le"))
            await one.connection.send(json.dumps({"type": "event", "event": event}))
            error = await one.until(ErrorMessage)
            return error.message, await one.listen(20)

    message, heard = run(refused())
    assert any(one in message for one in words.split("|")), message
    assert np.array_equal(heard, engine.stream(seed=4).read(20))


def test_events_that_wait_are_limited(served: Served) -> None:
    async def waiting() -> str:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(credit=0))
            for _ in range(protocol.MAX_WAITING + 1):
                await one.say(SendEvent(event={"do": "reset"}))
            return (await one.until(ErrorMessage)).message

    assert "50 events wait" in run(waiting())


def test_unknown_voices_are_refused_before_the_handshake(served: Served) -> None:
    with pytest.raises(InvalidStatus) as error:
        run(end_of(served.url("toy-audoi")))
    assert error.value.response.status_code == 404
    assert "did you mean 'toy-audio'" in json.loads(error.value.response.body)["error"]


def test_a_full_server_refuses_with_the_time_to_wait(fragile) -> None:
    async def second(server: Served) -> None:
        async with listener(server.url(VOICE)) as one:
            await one.open(Open(credit=8))
            await end_of(server.url(VOICE), OPEN)

    with serve(str(fragile), max_sessions=1) as server:
        with pytest.raises(InvalidStatus) as error:
            run(second(server))
        server.wait_until_empty(VOICE)
        run(hear(server.url(VOICE), 8, Open(credit=8)))
    response = error.value.response
    assert response.status_code == 503
    assert 1 <= int(response.headers["Retry-After"]) <= 30


def test_a_client_that_vanishes_frees_its_row(served: Served) -> None:
    async def vanish() -> None:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(credit=1000))
            await one.listen(4)
            assert served.batch(VOICE).rows == 1
            one.connection.transport.abort()  # no closing handshake, as when a cable is pulled

    run(vanish())
    served.wait_until_empty(VOICE)


def read_nothing(port: int, message: str) -> socket.socket:
    """Open a session by hand, with a small buffer, and read only the answer to the handshake."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", port))
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    head = f"GET /{VOICE} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    raw.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    while b"\r\n\r\n" not in raw.recv(1024):
        pass
    payload = message.encode()
    raw.sendall(struct.pack("!BBH4x", 0x81, 0x80 | 126, len(payload)) + payload)  # masked with zeros
    return raw


def test_a_client_that_reads_nothing_ends_and_delays_nobody(fragile, engine, monkeypatch) -> None:
    """Its connection takes what fits into the buffers of the system; then it pauses, and after `idle` it ends."""
    monkeypatch.setattr(connection, "ABORT_SECONDS", 0.2)
    hungry = Open(credit=1_000_000, format="f32le", tokens=0.1, reports=("latents", "levels"))

    async def beside(server: Served) -> tuple[np.ndarray, float]:
        async with listener(server.url(VOICE)) as one:
            await one.open(Open(seed=7, credit=40, format="f32le"))
            heard = await one.listen(120)
            lead = (await one.until(Stats)).lead_ms
            return heard, lead

    with serve(str(fragile), idle=1.0) as server:
        server.small_buffers()
        raw = read_nothing(server.port, encode(hungry))
        heard, lead = run(beside(server))
        assert np.array_equal(heard, engine.stream(seed=7).read(120))
        assert lead < 300
        for _ in range(3000):
            if b'reason="slow"' in server.services.metrics.expose():
                break
            threading.Event().wait(0.01)
        assert b'vrnn_engine_sessions_ended_total{reason="slow",voice="toy-audio"} 1.0' in (
            server.services.metrics.expose()
        )
        server.wait_until_empty(VOICE)
        server.wait_until_closed()  # although the client reads nothing
        raw.close()


def test_a_client_that_sends_pings_and_reads_nothing_is_dropped(fragile) -> None:
    ping = struct.pack("!BB4x", 0x89, 0x80 | 125) + b"x" * 125
    with serve(str(fragile)) as server:
        server.small_buffers()
        raw = read_nothing(server.port, encode(Open(credit=2, tokens=0)) + " " * 200)
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                raw.sendall(ping * 200)
        raw.close()
        server.wait_until_empty(VOICE)


def masked(opcode: int, data: bytes = b"", last: bool = True) -> bytes:
    """Return a short frame of a client."""
    return struct.pack("!BB4x", (0x80 if last else 0) | opcode, 0x80 | len(data)) + data


TEXT, CONTINUATION, PONG = 1, 0, 10
FLOODS = {
    "parts of a message": (masked(TEXT, last=False), masked(CONTINUATION, last=False)),
    "pongs": (b"", masked(PONG)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_client_that_sends_empty_frames_without_end_is_dropped(fragile, name) -> None:
    first, frame = FLOODS[name]
    with serve(str(fragile)) as server:
        raw = read_nothing(server.port, encode(Open(credit=2, tokens=0)))
        raw.settimeout(60)
        with pytest.raises(ConnectionError):
            raw.sendall(first)
            for _ in range(1000):
                raw.sendall(frame * 500)
        raw.close()
        server.wait_until_empty(VOICE)


@pytest.mark.parametrize(
    ("frame", "code"),
    [(masked(TEXT, b"\xff\xfe"), CloseCode.INVALID_DATA), (masked(3), CloseCode.PROTOCOL_ERROR)],
    ids=["no UTF-8", "unknown opcode"],
)
def test_what_is_no_message_closes_the_connection_without_a_traceback(fragile, capfd, frame, code) -> None:
    with serve(str(fragile)) as server:
        raw = read_nothing(server.port, encode(Open(credit=1_000_000, tokens=0)) + " " * 200)
        raw.settimeout(60)
        raw.sendall(frame)
        found = b""
        while data := raw.recv(4096):
            found += data
        raw.close()
        server.wait_until_empty(VOICE)
    assert struct.pack("!H", code) in found[-130:]
    assert "Traceback" not in capfd.readouterr().err


def test_a_message_may_come_in_many_parts(fragile) -> None:
    message = encode(Open(seed=7, credit=2, tokens=0)).encode()
    parts = [message[at : at + 1] for at in range(len(message))]
    assert 20 < len(parts) < connection.MAX_PARTS

    async def opened(url: str) -> Opened:
        async with connect(url, proxy=None) as socket:
            await socket.send(part.decode() for part in parts)
            return decode_server(await socket.recv())

    with serve(str(fragile)) as server:
        found = run(opened(server.url(VOICE)))
    assert isinstance(found, Opened)
    assert found.seed == 7


def test_a_client_without_credit_pauses_and_then_ends(fragile) -> None:
    async def pauses(url: str) -> tuple[int, int]:
        async with listener(url) as one:
            await one.open(Open(credit=4, frames=2))
            end = await one.until(End)
            return end.code, one.frames

    with serve(str(fragile), idle=0.5) as server:
        assert run(pauses(server.url(VOICE))) == (4004, 4)


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def storm(url: str, count: int) -> None:
    """Open many sessions that all end in another way."""
    gate = asyncio.Semaphore(20)

    async def one(number: int) -> None:
        async with gate:
            match number % 6:
                case 0:
                    await hear(url, 2, Open(seed=number, credit=4))
                case 1:
                    await end_of(url, "garbage")
                case 2:
                    async with listener(url) as some:
                        await some.open(Open(credit=100))
                        some.connection.transport.abort()
                case 3:
                    await end_of(url, OPEN, *["{}"] * 25)
                case 4:
                    async with connect(url, compression=None):
                        pass
                case 5:
                    async with listener(url) as some:
                        await some.open(Open(credit=4))
                        await some.say(Credit(frames=1))

    await asyncio.gather(*map(one, range(count)))


@pytest.mark.parametrize("count", [240, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_sessions_leave_no_row_task_thread_or_descriptor(served: Served, engine, count) -> None:
    async def steady() -> np.ndarray:
        frames = 160 if count < 1000 else 1600
        _, heard = await asyncio.gather(
            storm(served.url(VOICE), count), hear(served.url(VOICE), frames, Open(seed=7, credit=80, format="f32le"))
        )
        return heard

    run(hear(served.url(VOICE), 2, Open(credit=4)))
    served.wait_until_empty(VOICE)
    before = descriptors(), threading.active_count(), served.tasks()
    heard = run(steady(), 600)
    assert np.array_equal(heard, engine.stream(seed=7).read(len(heard) // 200))
    served.wait_until_empty(VOICE)
    for _ in range(500):
        if (descriptors(), served.tasks()) <= (before[0], before[2]):
            break
        threading.Event().wait(0.02)
    assert descriptors() <= before[0]
    assert served.tasks() <= before[2]
    assert threading.active_count() <= before[1] + 32  # the pool in which sessions are opened
