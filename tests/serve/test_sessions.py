"""Sessions over real sockets: each gets the frames of its performance alone, however many others there are."""

import asyncio
import re

import msgspec
import numpy as np
import pytest
from support.served import Served, hear, listener, run, serve

from vrnn_engine.runtime.live.events import Reset, Seed, Set, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.sinks.pcm import to_pcm16
from vrnn_engine.serve.protocol import (
    Applied,
    Clear,
    Cleared,
    Close,
    Credit,
    End,
    ErrorMessage,
    Latents,
    Levels,
    Open,
    RestoreToken,
    SaveToken,
    SendEvent,
    Stats,
    TextProgress,
    Token,
)

EVENTS = (
    Set(frame=9, control="output.temperature", value=0.3, ramp=0.2),
    Walk(frame=30, control="latent.shift", speed=2.0, seed=4),
    Set(frame=61, control="latent.shift", value=0.25),
)
PLANNED = tuple(msgspec.to_builtins(event) for event in EVENTS)
VOICE = "toy-audio"


def alone(engine, seed, frames, events=()):
    """Return what `vrnn-engine stream --timeline` plays."""
    return Performance(engine.stream(seed=seed), events).read(frames)


def test_a_listener_hears_what_a_stream_alone_plays(served: Served, engine) -> None:
    heard = run(hear(served.url(VOICE), 40, Open(seed=7, credit=20, format="f32le")))
    assert np.array_equal(heard, engine.stream(seed=7).read(40))
    heard = run(hear(served.url(VOICE), 40, Open(seed=7, credit=20)))
    assert np.array_equal(heard, to_pcm16(engine.stream(seed=7).read(40))[0])


@pytest.mark.parametrize("frames", [1, 3, 50])
def test_frames_of_a_message_change_no_bit(served: Served, engine, frames) -> None:
    message = Open(seed=7, credit=100, format="f32le", frames=frames, events=PLANNED)
    heard = run(hear(served.url(VOICE), 50, message))
    assert np.array_equal(heard, alone(engine, 7, 50, EVENTS))


def test_a_timeline_gives_the_same_bits_among_others_that_join_and_leave(served: Served, engine) -> None:
    async def others(number: int) -> None:
        for turn in range(3):
            opened = Open(seed=number, credit=40, frames=1 + number % 3, events=PLANNED if number % 2 else ())
            await hear(served.url(VOICE), 10 * (turn + 1), opened)

    async def among() -> np.ndarray:
        mine = hear(served.url(VOICE), 100, Open(seed=7, credit=30, format="f32le", events=PLANNED))
        found, *_ = await asyncio.gather(mine, *map(others, range(8)))
        return found

    assert np.array_equal(run(among()), alone(engine, 7, 100, EVENTS))


def test_frames_that_are_not_finite_reset_only_their_own_session(served: Served, engine) -> None:
    broken = ({"do": "set", "frame": 20, "control": "latent.temperature", "value": 1e9},)
    message = Open(seed=3, credit=40, format="f32le", events=broken)

    async def fails() -> tuple[np.ndarray, list[object]]:
        async with listener(served.url(VOICE)) as one:
            await one.open(message)
            return await one.listen(60), one.messages

    async def together() -> list:
        healthy = [hear(served.url(VOICE), 60, Open(seed=seed, credit=40, format="f32le")) for seed in range(4)]
        return await asyncio.gather(fails(), *healthy)

    (failing, messages), *healthy = run(together())
    for seed, heard in enumerate(healthy):
        assert np.array_equal(heard, engine.stream(seed=seed).read(60))
    events = [Set(frame=20, control="latent.temperature", value=1e9)]
    noted = []
    expected = Performance(engine.stream(seed=3), events, noted.append).read(60)
    assert np.array_equal(failing, expected)
    (reset,) = [event for event in noted if isinstance(event, Reset)]
    assert Applied(frame=reset.frame, event={"do": "reset", "frame": reset.frame}) in messages
    assert [one.code for one in messages if isinstance(one, ErrorMessage)] == ["not-finite"]


@pytest.mark.parametrize("frames", [2, 3])
def test_a_session_whose_sound_runs_away_returns_to_its_last_good_state(served: Served, engine, frames) -> None:
    loud = Set(frame=51, control="output.temperature", value=1000.0)
    message = Open(seed=3, credit=40, format="f32le", frames=frames, events=(msgspec.to_builtins(loud),), tokens=60.0)

    async def runs_away() -> tuple[np.ndarray, list[object]]:
        async with listener(served.url(VOICE)) as one:
            await one.open(message)
            return await one.listen(160), one.messages

    async def together() -> list:
        healthy = [hear(served.url(VOICE), 160, Open(seed=seed, credit=40, format="f32le")) for seed in range(4)]
        return await asyncio.gather(runs_away(), *healthy)

    (failing, messages), *healthy = run(together())
    for seed, heard in enumerate(healthy):
        assert np.array_equal(heard, engine.stream(seed=seed).read(160))
    assert np.array_equal(failing, alone(engine, 3, 160, [loud]))
    # The windows that begin at frames 40 and 60 are too loud; the last checkpoint before frame 20 is that of frame 16.
    assert np.array_equal(failing[80 * 200 : 115 * 200], engine.stream(seed=3).read(51)[16 * 200 :])
    assert Applied(frame=80, event={"do": "reset", "frame": 80}) in messages
    assert [one.code for one in messages if isinstance(one, ErrorMessage)] == ["not-finite"]
    first, second = [one.frame for one in messages if isinstance(one, Token)]
    assert first == 0
    assert 80 < second <= 82  # in the same tick, so that the client can continue from there


def test_the_message_after_a_runaway_names_the_state_from_which_the_stream_continues(served: Served) -> None:
    hot = [msgspec.to_builtins(Set(frame=at, control="output.temperature", value=1000.0)) for at in (51, 81)]

    async def runs_away_twice() -> list[object]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=3, credit=40, format="f32le", events=tuple(hot)))
            await one.listen(130)
            return one.messages

    said = [one.message for one in run(runs_away_twice()) if isinstance(one, ErrorMessage)]
    assert said == [
        f"the sound ran away; it continues from its {place} state, with default controls"
        for place in ("last good", "initial")
    ]


def test_credit_is_never_exceeded(served: Served) -> None:
    async def paused() -> tuple[int, int]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=1, credit=10, frames=2))
            await one.until(Stats)
            await one.until(Stats)
            first = one.frames
            await one.say(Credit(frames=7))
            await one.until(Stats)
            await one.until(Stats)
            return first, one.frames

    assert run(paused()) == (10, 17)  # the last message has one frame


def test_a_client_that_asks_for_everything_gets_it_in_real_time(served: Served) -> None:
    async def greedy() -> list[int]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=1, credit=1_000_000, frames=2))
            counts = []
            for _ in range(3):
                await one.until(Stats)
                counts.append(one.frames)
            return counts

    counts = run(greedy())
    # 80 frames a second, and a lead of a quarter of a second.
    assert counts[-1] <= 20 + 80 * 3 + 4


def test_live_events_take_effect_and_replay(served: Served, engine) -> None:
    async def steered() -> tuple[np.ndarray, list[dict]]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=5, credit=20, format="f32le"))
            await one.listen(10)
            await one.say(SendEvent(event={"do": "set", "control": "latent.shift", "value": 1.5, "ramp": 0.3}))
            await one.say(SendEvent(event={"do": "seed", "seed": 99}))
            heard = await one.listen(80)
            applied = [message for message in one.messages if isinstance(message, Applied)]
            return heard, [message.event for message in applied]

    heard, events = run(steered())
    assert [event["do"] for event in events] == ["set", "seed"]
    replayed = Performance(engine.stream(seed=5), [msgspec.convert(event, Set | Seed) for event in events])
    assert np.array_equal(heard, replayed.read(80))


def test_a_token_continues_the_session_in_another_process(fragile, engine) -> None:
    """The two servers share a key and nothing else."""

    async def first(url: str) -> Token:
        async with listener(url) as one:
            await one.open(Open(seed=7, credit=60, tokens=0.25, events=PLANNED))
            await one.listen(46)
            return next(message for message in reversed(one.messages) if isinstance(message, Token))

    async def second(url: str, token: Token, frame: int) -> np.ndarray:
        log = tuple(event for event in PLANNED if token.frame <= event["frame"] < frame)
        message = Open(token=token.token, frame=frame, credit=60, format="f32le", events=log)
        async with listener(url) as one:
            opened = await one.open(message)
            assert (opened.frame, opened.seed) == (frame, 7)
            heard = await one.listen(100 - frame)
            applied = [message.frame for message in one.messages if isinstance(message, Applied)]
            assert applied == [event["frame"] for event in PLANNED if event["frame"] >= frame]
            return heard

    with serve(str(fragile)) as before:
        token = run(first(before.url(VOICE)))
    assert 20 <= token.frame <= 46
    assert token.latent
    with serve(str(fragile)) as after:
        for frame in (token.frame, 46, 64):
            heard = run(second(after.url(VOICE), token, frame))
            assert np.array_equal(heard, alone(engine, 7, 100, EVENTS)[frame * 200 :])


def test_a_server_that_stops_gives_each_session_a_last_token(fragile) -> None:
    async def until_the_end(server: Served) -> tuple[list[Token], End, int]:
        async with listener(server.url(VOICE)) as one:
            await one.open(Open(seed=7, credit=1000, tokens=0))
            await one.listen(10)
            closing = asyncio.create_task(asyncio.to_thread(server.services.voices.close))
            end = await one.until(End)
            await closing
            await one.connection.wait_closed()
            return [one for one in one.messages if isinstance(one, Token)], end, one.connection.close_code

    with serve(str(fragile)) as server:
        tokens, end, code = run(until_the_end(server))
    assert [token.reason for token in tokens] == ["end"]
    assert (end.code, code) == (1001, 1001)


def test_a_saved_token_is_restored_while_the_stream_plays(served: Served) -> None:
    async def restored() -> tuple[np.ndarray, int, int]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=5, credit=40, format="f32le", tokens=0))
            await one.listen(10)
            await one.say(SaveToken())
            token = await one.until(Token)
            assert token.reason == "save"
            await one.listen(60)
            await one.say(RestoreToken(token=token.token))
            applied = await one.until(Applied)
            assert applied.event["do"] == "restore"
            return await one.listen(applied.frame + 20), token.frame, applied.frame

    heard, saved, applied = run(restored())
    frames = heard.reshape(-1, 200)
    assert np.array_equal(frames[applied : applied + 20], frames[saved : saved + 20])


def test_clear_drops_frames_and_gives_their_credit_back(served: Served) -> None:
    async def cleared() -> tuple[int, list[int]]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=5, credit=100, frames=10))
            while not one.blocks:
                await one.next()
            await one.say(Clear())
            message = await one.until(Cleared)
            while one.frames < 100:
                await one.next()
            return message.frame, sorted(one.blocks)

    frame, blocks = run(cleared())
    assert frame in blocks  # the rest of a message is dropped as well


def test_reports_come_as_they_are_asked_for(served: Served, engine) -> None:
    async def reported() -> list[object]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=5, credit=40, reports=("latents", "levels")))
            await one.listen(40)
            return one.messages

    messages = run(reported())
    first = next(message for message in messages if isinstance(message, Latents))
    stream = engine.stream(seed=5)
    block = stream.read(first.frame)
    assert first.latent == tuple(stream.latent.tolist())
    assert (first.mean, first.std) == tuple(map(tuple, stream.state.prior.tolist()))
    mean, std = np.array(first.mean), np.array(first.std)
    assert (std > 0).all()
    assert len({first.latent, first.mean, first.std}) == 3
    assert np.allclose(first.kl, (std**2 + mean**2 - 1) / 2 - np.log(std))
    level = next(message for message in messages if isinstance(message, Levels))
    assert level.frame == first.frame
    assert level.peak == np.abs(block).max()
    assert level.rms == pytest.approx(np.sqrt(np.mean(np.square(block))), rel=1e-5)


def test_a_text_is_written_and_a_word_that_is_too_wide_ends_nothing() -> None:
    async def wrote(url: str) -> list[object]:
        async with listener(url) as one:
            opened = await one.open(Open(seed=7, text="a", width=30.0, credit=10_000))
            assert opened.format == "f32le"
            while True:
                message = await one.until(TextProgress)
                if not message.pending:
                    break
            await one.say(SendEvent(event={"do": "write", "text": "incomprehensibilities" * 3}))
            await one.until(ErrorMessage)
            await one.say(SendEvent(event={"do": "write", "text": "b"}))
            while True:
                message = await one.until(TextProgress)
                if message.written and not message.pending:
                    return one.messages

    with serve("handwriting") as server:
        messages = run(wrote(server.url("handwriting")))
    errors = [message for message in messages if isinstance(message, ErrorMessage)]
    assert [error.code for error in errors] == ["bad-text"]
    assert "a line has only 30" in errors[0].message


def test_a_client_that_says_close_gets_a_proper_end(served: Served) -> None:
    async def closed() -> tuple[End, int]:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(credit=4))
            await one.say(Close())
            end = await one.until(End)
            await one.connection.wait_closed()
            return end, one.connection.close_code

    end, code = run(closed())
    assert (end.code, code) == (1000, 1000)


def ended(served: Served, reason: str) -> float:
    """Return how many sessions have ended for a reason."""
    (found,) = re.findall(
        rf'sessions_ended_total{{reason="{reason}".*}} (.*)', served.services.metrics.expose().decode()
    ) or [0]
    return float(found)


@pytest.mark.parametrize("credit", [4, 4000], ids=["a client that pauses", "a client that listens"])
@pytest.mark.parametrize(
    ("says_close", "vanishes", "reason"),
    [(True, False, "closed"), (True, True, "closed"), (False, False, "gone"), (False, True, "gone")],
)
def test_a_client_that_says_close_and_disconnects_counts_as_closed(
    served: Served, says_close: bool, vanishes: bool, reason: str, credit: int
) -> None:
    async def one_session() -> None:
        async with listener(served.url(VOICE)) as one:
            await one.open(Open(seed=1, credit=credit))
            # Behind the first burst of frames: while the server sends, a reset can make it lose what it has not read.
            await one.listen(3 if credit == 4 else 40)
            if says_close:
                await one.say(Close())
            if vanishes:
                one.connection.transport.abort()

    async def some() -> None:
        await asyncio.gather(*(one_session() for _ in range(5)))

    before = ended(served, reason)
    run(some())
    served.wait_until_empty(VOICE)
    assert ended(served, reason) == before + 5
