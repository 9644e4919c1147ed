"""Readers of messages: OSC packets, the protocol of the server on both sides, its tokens, and its queries."""

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np

from support import toy_voice
from support.fuzz.damage import damage_bytes, damage_value, to_json, to_msgpack
from support.fuzz.reader import Reader
from support.loops import closed_loop
from vrnn_engine import Engine
from vrnn_engine.client.connection import ConnectionLost
from vrnn_engine.client.session import Session as ClientSession
from vrnn_engine.client.session_log import Continuation
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.live.control.osc_messages import read_packet, to_event, write_message
from vrnn_engine.runtime.live.events import Follow, Set, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.snapshot import Tensor
from vrnn_engine.serve.codec import encode, pack_frames
from vrnn_engine.serve.protocol import Applied, Latents, Open, Opened, Token
from vrnn_engine.serve.sessions.admission import Admission
from vrnn_engine.serve.sessions.batch import Batch
from vrnn_engine.serve.sessions.opening import open_session
from vrnn_engine.serve.sessions.receiving import EndOfSession, first_message
from vrnn_engine.serve.sessions.session_state import SessionState
from vrnn_engine.serve.tokens import TokenKeys
from vrnn_engine.serve.web.render import parse_controls


def osc(home: Path) -> Reader:
    """An OSC packet."""
    messages = [
        write_message("/control/latent.shift", 0.1, 0.2, 0.3, 0.4),
        write_message("/walk/latent.shift/2", 0.5, 7),
        write_message("/fork", "null", 2.0, 7),
        write_message("/write", "Dear Anna,"),
    ]
    bundle = b"#bundle\0" + bytes(7) + b"\1" + b"".join(struct.pack(">I", len(one)) + one for one in messages)

    def read(packet: bytes) -> Any:
        return [to_event(address, values) for address, values in read_packet(packet)]

    return Reader(bundle, lambda rng: damage_bytes(rng.choice((bundle, *messages)), rng), read)


def opening(home: Path) -> Reader:
    """The first message of a client, and the session that it opens."""
    engine = Engine.load(toy_voice.build(home / "toy"), "cpu", rows=2)
    batch, keys, loop = Batch(engine, Admission(0.0125, 2)), TokenKeys(b"sixteen bytes or more"), closed_loop()
    trajectory = np.zeros((3, 4), np.float32)
    events = (
        Set(frame=2, control="output.temperature", value=0.1, ramp=0.7),
        Walk(frame=3, control="latent.shift", speed=0.5, index=1, seed=4),
        Follow(frame=5, path="given", times=3, latents=Tensor.of(trajectory)),
    )
    first = Open(
        seed=7,
        controls={"latent.shift": (0.1, 0.2, 0.3, 0.4), "output.temperature": 0.9},
        events=tuple(json.loads(msgspec.json.encode(event)) for event in events),
        credit=4,
        format="f32le",
        frames=4,
        reports=("latents", "levels"),
    )
    text = encode(first).encode()
    with engine.stream(3) as stream:
        performance = Performance(stream, events)
        performance.read(4)
        state = SessionState.of(performance).encode()
    fields = msgspec.msgpack.decode(state)

    def damaged(rng: Random) -> bytes:
        if rng.random() < 0.5:  # a token with a right seal, as no client can make one
            token = keys.seal(to_msgpack(damage_value(fields, rng)))
            return encode(Open(token=token, credit=4)).encode()
        return to_json(damage_value(json.loads(text), rng)) if rng.random() < 0.7 else damage_bytes(text, rng)

    def read(given: bytes) -> Any:
        session, opened = open_session(first_message(given.decode("utf-8", "replace")), batch, keys, loop)
        try:
            return session.performance.read(8).tobytes(), opened.frame
        finally:
            session.stream.close()

    return Reader(text, damaged, read, (VRNNEngineError, EndOfSession))


def tokens(home: Path) -> Reader:
    """A token of a session, whose characters are damaged."""
    keys = TokenKeys(b"sixteen bytes or more")
    token = keys.seal(b"state" * 100).encode()

    def read(given: bytes) -> Any:
        return keys.open(given.decode("latin1"))

    return Reader.of_bytes(token, read)


def server_messages(home: Path) -> Reader:
    """What a server sends to a client, message by message."""
    manifest = json.loads((toy_voice.build(home / "toy") / "voice.json").read_bytes())
    opened = Opened(
        session="s", voice="toy-audio", seed=7, frame=0, rate=16000, frame_size=200, frames_per_second=80.0,
        frames=2, format="f32le", manifest=manifest,
    )  # fmt: skip
    sent: list[bytes] = [
        encode(opened).encode(),
        pack_frames(0, np.zeros(400, "<f4").tobytes()),
        encode(Latents(frame=1, latent=(0.1, 0.2, 0.3, 0.4), mean=(0.0,) * 4, std=(1.0,) * 4)).encode(),
        encode(Applied(frame=2, event={"do": "set", "control": "latent.shift", "value": 0.5, "frame": 2})).encode(),
        encode(Token(frame=2, token="abc", reason="time")).encode(),
    ]

    def damaged(rng: Random) -> list[bytes]:
        at = rng.randint(0, len(sent) - 1)
        changed = damage_bytes(sent[at], rng)
        if at != 1 and rng.random() < 0.7:
            changed = to_json(damage_value(json.loads(sent[at]), rng))
        return [*sent[:at], changed, *sent[at + 1 :]]

    def read(given: list[bytes]) -> Any:
        session = ClientSession(Open(format="f32le"), None, lambda: None, lambda event: None)
        for number, message in enumerate(given):
            session.receive(message if number == 1 else message.decode("utf-8", "replace"))
        return session.take(4).tobytes(), session.latents, session.to_send()

    return Reader(sent, damaged, read, (VRNNEngineError, ConnectionLost))


def continuations(home: Path) -> Reader:
    """What a client saved to continue its session."""
    valid = Continuation(voice="toy", seed=7, frame=3, token="abc", start=2, events=({"do": "reset", "frame": 2},))
    data = valid.encode()
    fields = msgspec.msgpack.decode(data)

    def damaged(rng: Random) -> bytes:
        return to_msgpack(damage_value(fields, rng)) if rng.random() < 0.7 else damage_bytes(data, rng)

    def read(given: bytes) -> Any:
        session = ClientSession(Open(), Continuation.decode(given), lambda: None)
        return session.opening()

    return Reader(data, damaged, read)


def queries(home: Path) -> Reader:
    """The controls in the query of a rendering."""
    valid = b"latent.shift=0.1,0.2,0.3,0.4"

    def read(given: bytes) -> Any:
        return parse_controls([given.decode("utf-8", "surrogateescape")])

    return Reader.of_bytes(valid, read)


READERS = {
    "osc": osc,
    "session-opening": opening,
    "session-tokens": tokens,
    "server-messages": server_messages,
    "client-continuations": continuations,
    "render-queries": queries,
}
