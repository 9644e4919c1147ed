"""Limits of the work of one client in the thread that computes for all: texts, tokens, timelines, skipped frames."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from support.clock import Clock
from support.loops import closed_loop
from support.served import Served, listener, run

from vrnn_engine.errors import StreamError, TokenError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.live.events import Restore, Write
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.serve.codec import encode, unpack_frames
from vrnn_engine.serve.protocol import (
    MAX_RESTORES,
    Applied,
    Close,
    End,
    Open,
    RestoreToken,
    SaveToken,
    SendEvent,
    Token,
)
from vrnn_engine.serve.sessions.opening import open_session
from vrnn_engine.serve.sessions.pacing import Pace
from vrnn_engine.serve.sessions.packing import encode_blocks
from vrnn_engine.serve.sessions.receiving import Inlet
from vrnn_engine.serve.sessions.session import Session
from vrnn_engine.serve.sessions.session_state import SessionState
from vrnn_engine.serve.tokens import TokenKeys

KEYS = TokenKeys(b"a key for these tests")
VOICE = "toy-audio"


class NoTokens(TokenKeys):
    """Keys of a server for which every state is too large."""

    def seal(self, payload: bytes) -> str:
        raise TokenError("the state is too large")


def opened(engine: Engine, message: Open, keys: TokenKeys = KEYS) -> Session:
    """Return a session that no batch steps."""
    manifest = engine.voice.manifest
    pace = Pace.of(manifest.frames_per_second, manifest.modality == "pen")
    return open_session(message, SimpleNamespace(engine=engine, pace=pace), keys, closed_loop())[0]


def play(session: Session, frames: int) -> list:
    """Compute frames; return the messages of the session: dicts and numbers of frames."""
    for _ in range(frames):
        session.performance.steer()
        block = session.stream.read(1)
        session.took(block, 1, *encode_blocks([block], [session.format]))
        session.report()
    return said(session)


def said(session: Session) -> list:
    """Return the new messages: dicts, and the number of the first frame of binary ones."""
    texts = [one for one in session.take_outgoing() if isinstance(one, str | bytes)]
    return [json.loads(one) if isinstance(one, str) else unpack_frames(one).frame for one in texts]


@pytest.mark.parametrize(
    "message",
    [lambda token: RestoreToken(token=token), lambda token: SendEvent(event={"do": "restore", "token": token})],
    ids=["message", "event"],
)
def test_restores_beyond_ten_a_second_are_refused_and_the_session_continues(engine, message) -> None:
    session, clock = opened(engine, Open(credit=100)), Clock()
    inlet = Inlet(session, SimpleNamespace(), clock)
    restore = encode(message(token_of(engine, 5)))

    def applied(times: int) -> int:
        found = []
        for _ in range(times):
            inlet.take(restore)
            found += play(session, 1)
        return sum(isinstance(one, dict) and one["type"] == "applied" for one in found)

    assert applied(2 * MAX_RESTORES + 5) == 2 * MAX_RESTORES
    refused = json.loads(asyncio.run(session.outbox.take()))
    assert (refused["type"], refused["message"]) == ("error", "more than 10 restores a second; send fewer")
    clock.now = 1.0
    assert applied(MAX_RESTORES + 5) == MAX_RESTORES
    assert not session.ended


def token_of(engine: Engine, frames: int, events: tuple = ()) -> str:
    performance = Performance(engine.stream(seed=7), events)
    performance.read(frames)
    return KEYS.seal(SessionState.of(performance).encode())


def test_the_characters_of_events_that_wait_count_as_text_to_write() -> None:
    session = opened(Engine.load("handwriting", "cpu"), Open(seed=1, text="a" * 5_000))
    session.steer_by(Write(text="b" * 14_000))
    with pytest.raises(StreamError, match="19000 characters wait to be written"):
        session.steer_by(Write(text="c" * 1_001))
    session.performance.steer()
    assert session.stream.pending == 19_000
    with pytest.raises(StreamError, match="19000 characters wait"):
        session.steer_by(Write(text="c" * 1_001))


def test_a_timeline_cannot_hold_more_text_than_a_session() -> None:
    engine = Engine.load("handwriting", "cpu")
    events = tuple({"do": "write", "text": "a" * 15_000, "frame": frame} for frame in range(2))
    opened(engine, Open(events=events))
    with pytest.raises(StreamError, match="more than 40000 characters"):
        opened(engine, Open(text="b" * 15_000, events=events))


def test_many_saves_are_answered_one_in_a_tick(served: Served) -> None:
    async def saved() -> list[int]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(credit=1000, tokens=0))
            for _ in range(20):
                await one.say(SaveToken())
            return [(await one.until(Token)).frame for _ in range(20)]

    frames = run(saved())
    assert len(set(frames)) >= 15  # a tick without frames is possible


def test_tokens_are_at_least_a_quarter_of_a_second_apart(engine: Engine) -> None:
    session = opened(engine, Open(credit=100, tokens=0.01))
    frames = [one["frame"] for one in play(session, 61) if isinstance(one, dict) and one["type"] == "token"]
    assert frames == [1, 21, 41, 61]


def test_a_client_that_asks_for_impossible_tokens_is_ended(engine: Engine) -> None:
    session = opened(engine, Open(credit=100, tokens=0.25), NoTokens(b"a key for these tests"))
    errors = [one for one in play(session, 100) if isinstance(one, dict) and one["type"] == "error"]
    assert len(errors) == 1  # it is tried again later
    for _ in range(20):
        session.save("save")
    assert not session.ended
    session.save("save")
    assert session.ended


def test_timelines_do_not_grow_through_tokens(engine: Engine) -> None:
    token = ""
    for first in (1000, 2000):
        events = tuple({"do": "reset", "frame": first + number} for number in range(500))
        session = opened(engine, Open(token=token or None, credit=1, events=events))
        session.save("save")
        token = said(session)[-1]["token"]
    assert len(session.performance.upcoming) == 1000
    opened(engine, Open(token=token, events=events))  # the same events are not doubled
    with pytest.raises(StreamError, match="1001 events, more than 1000"):
        opened(engine, Open(token=token, events=({"do": "reset", "frame": 9000},)))


def test_skipped_frames_are_limited_and_need_credit(engine: Engine) -> None:
    token = token_of(engine, 4)
    with pytest.raises(StreamError, match="not within 10 seconds after the token's frame 4"):
        opened(engine, Open(token=token, frame=805))
    session = opened(engine, Open(token=token, frame=804))
    assert (session.wanted(0.0, 2), session.is_urgent) == (0, False)
    session.give(1)
    assert (session.wanted(0.0, 2), session.is_urgent) == (2, True)


@pytest.mark.parametrize(("frames", "ends"), [(100, True), (250, False)])
def test_a_voice_that_writes_is_restored_ten_times_in_a_minute_at_most(frames: int, ends: bool) -> None:
    """A minute is 1,800 points.  Eleven restores with 100 points between them are too many, and with 250 are not."""
    engine = Engine.load("handwriting", "cpu")
    session = opened(engine, Open(seed=1, text="a b " * 2000, credit=100_000, tokens=0))
    session.save("save")
    token = said(session)[-1]["token"]
    for number in range(11):
        assert not session.ended
        session.steer_by(session.translator.restoring(token))
        play(session, 1 if number == 10 else frames)
    assert session.ended is ends


def test_a_voice_that_speaks_is_restored_as_often_as_wanted(engine: Engine) -> None:
    session = opened(engine, Open(credit=1000, tokens=0))
    for _ in range(30):
        session.steer_by(session.translator.restoring(token_of(engine, 4)))
        play(session, 1)
    assert not session.ended


def test_clear_before_the_first_frame_keeps_its_number(engine: Engine) -> None:
    session = opened(engine, Open(token=token_of(engine, 4), frame=10, credit=100, tokens=0))
    play(session, 2)
    session.clear()
    assert [one["frame"] for one in said(session)] == [10]
    assert play(session, 8) == [10, 12]


def test_a_token_follows_each_restored_state(engine: Engine) -> None:
    session = opened(engine, Open(credit=100))
    play(session, 10)
    session.steer_by(Restore(name="token", snapshot=engine.stream(seed=3).snapshot()))
    types = [one["type"] for one in play(session, 1) if isinstance(one, dict)]
    assert types == ["applied", "token"]


def test_a_restored_state_is_told_with_its_token(served: Served) -> None:
    async def restored() -> list[object]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(credit=1000, tokens=100))
            await one.say(SaveToken())
            token = await one.until(Token)
            while token.reason != "save":
                token = await one.until(Token)
            await one.say(RestoreToken(token=token.token))
            applied = await one.until(Applied)
            return [applied.frame, (await one.until(Token)).frame]

    applied, token = run(restored())
    assert applied < token <= applied + 2


def test_credit_of_less_than_a_message_is_used(served: Served) -> None:
    async def little() -> int:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(credit=3, frames=50))
            while not one.blocks:
                await one.next()
            return one.frames

    assert run(little()) == 3


def test_a_first_message_may_be_longer_than_the_others(served: Served) -> None:
    async def first() -> int:
        event = {"do": "morph", "to": "x" * 50, "seconds": 1.0, "latent": [0.1234567] * 4}
        events = tuple({**event, "frame": 1000 + number} for number in range(900))
        async with listener(served.url(VOICE)) as one:
            frame = (await one.open(Open(credit=2, events=events))).frame
            await one.say(Close())
            await one.until(End)
            return frame

    assert run(first()) == 0
