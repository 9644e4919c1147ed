"""Sessions on a Ray cluster of two nodes, one of which is killed while they play."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import ray_cluster

from vrnn_engine import Engine, client
from vrnn_engine.runtime.live.events import Set
from vrnn_engine.runtime.live.performance import Performance

pytestmark = pytest.mark.slow

SESSIONS = 8
FRAMES = 80 * 8
"""Eight seconds of sound."""
KILLED_AT = 80 * 3
CHANGES = (
    Set(control="output.temperature", value=0.5, frame=100),
    Set(control="output.temperature", value=1.1, ramp=1.0, frame=KILLED_AT),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the files of Ray, whose sockets need a short path."""
    made = Path(tempfile.mkdtemp(prefix="ray"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def play(url: str, seed: int, playing: asyncio.Barrier) -> tuple[np.ndarray, int]:
    """Return the sound of a session, and how often it was continued; wait for the other sessions after 3 seconds."""
    async with client.connect_async(url, seed, events=CHANGES, timeout=60) as remote:
        before = await remote.read(KILLED_AT)
        await playing.wait()
        after = await remote.read(FRAMES - KILLED_AT)
        return np.concatenate([before, after]), remote.reconnects


async def play_and_kill(cluster: ray_cluster.RayCluster, voice: str) -> list[tuple[np.ndarray, int]]:
    """Play sessions, and kill a node once all of them have played for 3 seconds."""
    url = f"ws{cluster.url.removeprefix('http')}/{voice}"
    playing = asyncio.Barrier(SESSIONS + 1)
    sessions = [asyncio.create_task(play(url, seed, playing)) for seed in range(SESSIONS)]
    await playing.wait()
    await asyncio.sleep(0.5)  # they play on, and have frames on their way
    await asyncio.to_thread(cluster.kill_a_node)
    return await asyncio.gather(*sessions)


def test_killing_a_node_loses_no_session_and_changes_no_bit(toy_audio: Path, folder: Path) -> None:
    with ray_cluster.start(folder, f"voices={toy_audio}") as cluster:
        played = asyncio.run(play_and_kill(cluster, "toy-audio"))
    engine = Engine.load(toy_audio, "cpu")
    for seed, (sound, _) in enumerate(played):
        local = Performance(engine.stream(seed), timeline=CHANGES)
        assert np.array_equal(sound, local.read(FRAMES)), seed
    continued = sum(reconnects > 0 for _, reconnects in played)
    assert 0 < continued < SESSIONS, "each node must have had some of the sessions"


async def play_until_replicas(cluster: ray_cluster.RayCluster, url: str, sessions: int, replicas: int) -> bool:
    """Play sessions until there are this many replicas, but no longer than two minutes; return whether there are."""

    async def play_on(seed: int) -> None:
        async with client.connect_async(url, seed, timeout=60) as remote:
            async for _ in remote.blocks(8):
                pass

    playing = [asyncio.create_task(play_on(seed)) for seed in range(sessions)]
    for _ in range(120):
        await asyncio.sleep(1)
        if await asyncio.to_thread(cluster.replicas) >= replicas:
            break
    for one in playing:
        one.cancel()
    ends = await asyncio.gather(*playing, return_exceptions=True)
    return cluster.replicas() >= replicas and all(isinstance(end, asyncio.CancelledError) for end in ends)


def test_more_sessions_than_one_replica_shall_have_start_another(toy_audio: Path, folder: Path) -> None:
    with ray_cluster.start(folder, f"voices={toy_audio}", "min_replicas=1", "sessions=2") as cluster:
        assert cluster.replicas() == 1
        url = f"ws{cluster.url.removeprefix('http')}/toy-audio"
        assert asyncio.run(play_until_replicas(cluster, url, 6, 2))
