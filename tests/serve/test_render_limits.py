"""How many renderings run at the same time, and how many of them one client may have."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.http_server import Served, serving
from support.steered import wait_until

from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web import render_pool, render_routes
from vrnn_engine.serve.web.replies import Refusal

FAST = {"device": "cpu", "requests_per_second": 1e6, "opens_per_second": 1e6}


def begin_endless_rendering(running: Served, ending: contextlib.ExitStack) -> None:
    """Begin a rendering that takes hours, until `ending` closes the connection."""
    renders = running.server.config.app.state.renders
    before = renders.running
    asking = ending.enter_context(socket.create_connection(("127.0.0.1", running.port)))
    asking.sendall(b"GET /api/voices/toy-audio/render?seconds=900000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until(lambda: renders.running > before, 60)


def test_more_renderings_than_threads_are_refused_until_one_has_ended(toy_audio: Path) -> None:
    options = ServeOptions((str(toy_audio),), renders=1, max_seconds=1e6, **FAST)
    with serving(options) as running:
        with contextlib.ExitStack() as ending:
            begin_endless_rendering(running, ending)
            answer = running.client.get("/api/voices/toy-audio/render?seconds=0.1")
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
            assert "renderings" in answer.json()["error"]
        # The client has gone, so that its rendering is stopped.
        while running.client.get("/api/voices/toy-audio/render?seconds=0.1").status_code == 503:
            time.sleep(0.05)


def test_a_client_that_does_not_take_its_file_holds_a_place_only_for_a_while(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_pool, "HELD", 1)
    monkeypatch.setattr(render_routes, "SEND_SECONDS", 2.0)
    monkeypatch.setattr(render_routes, "LEAST_RATE", 1e12)
    with serving(ServeOptions((str(toy_audio),), renders=1, **FAST)) as running, socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", running.port))
        path = "/api/voices/toy-audio/render?format=jsonl&seconds=60"
        stalled.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert stalled.recv(15) == b"HTTP/1.1 200 OK"
        answer = running.client.get("/api/voices/toy-audio/render?seconds=0.1")
        assert answer.status_code == 503
        assert "wait until their clients have received them" in answer.json()["error"]
        while running.client.get("/api/voices/toy-audio/render?seconds=0.1").status_code == 503:
            time.sleep(0.05)


def test_no_rendering_begins_while_finished_ones_fill_their_share_of_the_disk() -> None:
    async def full() -> str:
        async def stays() -> bool:
            return False

        pool = render_pool.RenderPool(2)
        assert await pool.run(lambda stopped: 1, stays) == 1
        pool.keep(render_pool.HELD_BYTES)
        with pytest.raises(Refusal) as refused:
            await pool.run(lambda stopped: 2, stays)
        pool.release(render_pool.HELD_BYTES)
        assert await pool.run(lambda stopped: 3, stays) == 3
        return refused.value.detail

    assert "finished renderings" in asyncio.run(full())


def test_one_client_leaves_threads_and_places_to_the_others() -> None:
    async def refusals() -> list[int]:
        async def stays() -> bool:
            return False

        async def begin(client: str | None, work: Callable[[Callable[[], bool]], int] = lambda stopped: 0) -> int:
            try:
                return await pool.run(work, stays, client)
            except Refusal as refused:
                assert int(refused.headers["Retry-After"]) >= 1
                return refused.status_code

        pool, ended = render_pool.RenderPool(2, 1), threading.Event()
        running = asyncio.create_task(begin("a", lambda stopped: int(not ended.wait(60))))
        await asyncio.sleep(0)
        found = [await begin("a"), await begin("b")]
        ended.set()
        found.append(await running)  # its file is not sent yet, and so it keeps its place
        found += [await begin("a") for _ in range(render_pool.HELD)]
        found += [await begin("c")]
        pool.release(client="a")
        found += [await begin("a")]
        pool.keep(render_pool.HELD_BYTES // 2, "c")
        found += [await begin("c"), await begin("d")]
        pool.close()
        return found

    held = [0] * (render_pool.HELD - 1) + [429]
    assert asyncio.run(refusals()) == [429, 0, 0, *held, 0, 0, 429, 0]


@pytest.mark.parametrize(
    ("proxies", "count", "status"), [((), 1, 429), (("127.0.0.1",), 2, 503)], ids=["client", "proxy"]
)
def test_renderings_of_one_address_are_limited_but_not_those_of_a_proxy(
    toy_audio: Path, proxies: tuple[str, ...], count: int, status: int
) -> None:
    options = ServeOptions((str(toy_audio),), max_seconds=1e6, proxies=proxies, **FAST)
    with serving(options) as running, contextlib.ExitStack() as ending:
        for _ in range(count):
            begin_endless_rendering(running, ending)
        answer = running.client.get("/api/voices/toy-audio/render?seconds=0.1")
        assert answer.status_code == status
        assert int(answer.headers["Retry-After"]) >= 1
