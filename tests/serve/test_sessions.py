"""Sessions over real sockets: the frames are those of a performance alone, whoever else listens."""

import asyncio

import msgspec
import numpy as np
import pytest
from support import toy_voice
from support.served import Served, hear, run, serve

from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.live.events import Set, Walk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.serve.protocol import (
    Open,
)

EVENTS = (
    Set(frame=9, control="output.temperature", value=0.3, ramp=0.2),
    Walk(frame=30, control="latent.shift", speed=2.0, seed=4),
    Set(frame=61, control="latent.shift", value=0.25),
)
PLANNED = tuple(msgspec.to_builtins(event) for event in EVENTS)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_voice.build(tmp_path_factory.mktemp("voices") / "toy")


@pytest.fixture(scope="module")
def served(toy):
    with serve(str(toy)) as server:
        yield server


@pytest.fixture(scope="module")
def engine(toy):
    return Engine.load(toy, device="cpu")


def alone(engine, seed, frames, events=()):
    """Return what `vrnn-engine stream --timeline` plays."""
    return Performance(engine.stream(seed=seed), events).read(frames)


def test_a_listener_hears_what_a_stream_alone_plays(served: Served, engine) -> None:
    heard = run(hear(served.url("toy-audio"), 40, Open(seed=7, credit=20, format="f32le")))
    assert np.array_equal(heard, engine.stream(seed=7).read(40))


def test_a_timeline_gives_the_same_bits_among_others_that_join_and_leave(served: Served, engine) -> None:
    async def others(number: int) -> None:
        for turn in range(3):
            opened = Open(seed=number, credit=40, frames=1 + number % 3, events=PLANNED if number % 2 else ())
            await hear(served.url("toy-audio"), 10 * (turn + 1), opened)

    async def among() -> np.ndarray:
        mine = hear(served.url("toy-audio"), 100, Open(seed=7, credit=30, format="f32le", events=PLANNED))
        found, *_ = await asyncio.gather(mine, *map(others, range(8)))
        return found

    assert np.array_equal(run(among()), alone(engine, 7, 100, EVENTS))
