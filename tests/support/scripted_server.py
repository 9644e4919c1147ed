"""A server of one voice that does what a test says, also what a real server does rarely or never."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen

from vrnn_engine import Voice
from vrnn_engine.serve.codec import decode_client, encode, pack_frames
from vrnn_engine.serve.protocol import End, Open, Opened, Token


class Peer:
    """One connection; `number` counts from 1, and `asked` is the first message of the client."""

    def __init__(self, socket: ServerConnection, number: int, opened: Opened, asked: Open) -> None:
        self.socket, self.number, self.asked = socket, number, asked
        self._opened = opened

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest that the server sends."""
        return self._opened.manifest

    async def open(self, **changes: Any) -> None:
        """Open the session, with changes of the usual message, and send a token of its first frame."""
        await self.socket.send(encode(msgspec.structs.replace(self._opened, **changes)))
        await self.socket.send(encode(Token(frame=0, token="t", reason="time")))

    async def send_frames(self, first: int, count: int) -> None:
        silence = np.zeros(count * self._opened.frame_size, np.float32)
        await self.socket.send(pack_frames(first, silence.tobytes()))

    async def end(self, code: int) -> None:
        await self.socket.send(encode(End(code=code, reason="the test ends it")))
        await self.socket.close(code)

    async def wait(self) -> None:
        """Wait until the client has gone."""
        await self.socket.wait_closed()


@contextlib.contextmanager
def scripted(voice: Path, behave: Callable[[Peer], Awaitable[None]]) -> Iterator[str]:
    """Serve connections with `behave` until the block ends, and yield the address of the voice."""
    manifest = Voice.open(voice).manifest
    opened = Opened(
        session="scripted",
        voice=manifest.name,
        seed=1,
        frame=0,
        rate=manifest.rate,
        frame_size=manifest.frame_size,
        frames_per_second=manifest.frames_per_second,
        frames=2,
        format="f32le",
        manifest=msgspec.to_builtins(manifest),
    )
    ports: list[int] = []
    started, ended = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    count = 0

    async def answer(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        number = count
        await behave(Peer(socket, number, opened, decode_client(await socket.recv())))

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        async with listen(answer, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="scripted server", daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield f"ws://127.0.0.1:{ports[0]}/{manifest.name}"
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(30)
