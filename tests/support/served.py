"""A server of voices in a thread, with real sockets, and a listener that counts what it gets."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from vrnn_engine.serve.codec import decode_server, encode, unpack_frames
from vrnn_engine.serve.connection import Connection
from vrnn_engine.serve.metrics import Metrics
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.protocol import Credit, End, Open, Opened, ServerMessage
from vrnn_engine.serve.services import Services
from vrnn_engine.serve.sessions.batch import Batch
from vrnn_engine.serve.sessions.socket import session_socket
from vrnn_engine.serve.tokens import TokenKeys
from vrnn_engine.serve.voices import ServedVoices


class Served:
    """A running server.  `url` is the address of a voice."""

    def __init__(self, services: Services[Batch], server: uvicorn.Server, loop: asyncio.AbstractEventLoop) -> None:
        self.services = services
        self.server = server
        self.loop = loop
        self.port = server.servers[0].sockets[0].getsockname()[1]

    def url(self, voice: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{voice}"

    def batch(self, voice: str) -> Batch:
        return self.services.voices.batch(voice)

    def wait_until_empty(self, voice: str) -> None:
        """Wait until no session is left, in the batch, in admission and among the streams; fail after ten seconds."""
        batch = self.batch(voice)
        for _ in range(1000):
            if not batch.rows and not batch.admission.sessions and not batch.engine.streams:
                return
            threading.Event().wait(0.01)
        left = batch.rows, batch.admission.sessions, len(batch.engine.streams)
        pytest.fail("{} rows, {} sessions, {} streams are left".format(*left))

    def wait_until_closed(self) -> None:
        """Wait until there is no connection; fail after ten seconds."""
        connections = self.server.server_state.connections
        for _ in range(1000):
            if not connections:
                return
            threading.Event().wait(0.01)
        pytest.fail(f"{len(connections)} connections are left")

    def small_buffers(self) -> None:
        """Let the system buffer little of what a client does not read; for connections from now on."""
        for listening in self.server.servers[0].sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    def lose_connections(self) -> None:
        """Break the connections, as a failing network does."""
        for state in list(self.server.server_state.connections):
            self.loop.call_soon_threadsafe(state.transport.abort)

    def tasks(self) -> int:
        """Return the number of tasks of the server's event loop."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return asyncio.run_coroutine_threadsafe(count(), self.loop).result()


@contextlib.contextmanager
def serve(*voices: str, port: int = 0, **options: Any) -> Iterator[Served]:
    """Serve voices on a port, by default a free one, until the block ends."""
    # A busy machine makes ticks slow; only the tests of admission are about that.
    chosen = {"device": "cpu", "key": b"a key for tests only", "share": 100.0, **options}
    given = ServeOptions(voices=voices, **chosen)
    metrics = Metrics()
    loaded = ServedVoices(given, metrics)
    services: Services[Batch] = Services(given, loaded, metrics, TokenKeys(given.key))

    async def session(websocket: WebSocket) -> None:
        await session_socket(websocket, websocket.path_params["voice"], services)

    app = Starlette(routes=[WebSocketRoute("/{voice}", session)])
    config = uvicorn.Config(
        app, port=port, log_level="warning", ws=Connection, ws_per_message_deflate=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def run_server() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run_server()), name="test server")
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.005)
        yield Served(services, server, loops[0])
    finally:
        loaded.close()
        server.should_exit = True
        thread.join()


class Listener:
    """A client that keeps everything that it gets."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[ServerMessage] = []
        self.blocks: dict[int, np.ndarray] = {}
        self.opened: Opened | None = None
        self.end: End | None = None

    async def open(self, message: Open) -> Opened:
        await self.connection.send(encode(message))
        first = decode_server(await self.connection.recv())
        assert isinstance(first, Opened), first
        self.opened = first
        return first

    async def say(self, message: Any) -> None:
        await self.connection.send(encode(message))

    async def next(self) -> ServerMessage | None:
        """Receive one message; None for frames."""
        got = await self.connection.recv()
        if isinstance(got, bytes):
            frame, samples = unpack_frames(got)
            kind = "<i2" if self.opened.format == "s16le" else "<f4"
            self.blocks[frame] = np.frombuffer(samples, kind)
            return None
        message = decode_server(got)
        self.messages.append(message)
        if isinstance(message, End):
            self.end = message
        return message

    async def until(self, kind: type) -> Any:
        """Receive up to a message of a kind."""
        while True:
            message = await self.next()
            if isinstance(message, kind):
                return message

    async def listen(self, frames: int, credit: bool = True) -> np.ndarray:
        """Receive a number of frames, and give as much credit; return their samples."""
        start = self.opened.frame
        while self.frames < frames:
            if await self.next() is None and credit:
                await self.say(Credit(frames=self.opened.frames))
        found = np.concatenate([self.blocks[frame] for frame in sorted(self.blocks)])
        lengths = [len(self.blocks[frame]) // self.opened.frame_size for frame in sorted(self.blocks)]
        assert sorted(self.blocks) == [start + sum(lengths[:index]) for index in range(len(lengths))]
        return found[: frames * self.opened.frame_size]

    @property
    def frames(self) -> int:
        return sum(map(len, self.blocks.values())) // self.opened.frame_size


@contextlib.asynccontextmanager
async def listener(url: str) -> Any:
    """Connect to a served voice."""
    async with connect(url, compression=None, max_size=None) as connection:
        yield Listener(connection)


async def hear(url: str, frames: int, message: Open) -> np.ndarray:
    """Return the first frames of a session."""
    async with listener(url) as one:
        await one.open(message)
        return await one.listen(frames)


def run(coroutine: Any, seconds: float = 60.0) -> Any:
    """Run a coroutine, not for ever."""

    async def limited() -> Any:
        async with asyncio.timeout(seconds):
            return await coroutine

    return asyncio.run(limited())
