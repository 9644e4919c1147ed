"""A proxy in front of a server, which stops to pass anything on without closing a connection."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class SilentProxy:
    """Passes connections on to a port of this machine; any thread may call its methods.

    Parameters
    ----------
    target : int
        Port of the server.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._speaks = threading.Event()
        self._speaks.set()
        self._answers_sockets = True
        self.ignored: list[str] = []
        """Paths of the WebSockets that were asked for and ignored."""
        self._ended: asyncio.Event
        self._loop: asyncio.AbstractEventLoop

    def fall_silent(self) -> None:
        """Pass nothing more on, over the open connections and over new ones, which are accepted."""
        self._speaks.clear()

    def ignore_sockets(self) -> None:
        """Pass nothing on over new connections that ask for a WebSocket; other requests are answered."""
        self._answers_sockets = False

    def speak_again(self) -> None:
        """Pass new connections on; those that were open stay silent."""
        self._answers_sockets = True
        self._speaks.set()

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def run(self, started: threading.Event) -> None:
        """Serve until `stop`; set `started` when `port` is known."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._ended.wait()

    async def _pass_on(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        head = await client.read(65536) if self._speaks.is_set() else b""
        ignores = not self._answers_sockets and b"\nupgrade: websocket" in head.lower()
        if ignores:
            self.ignored.append(head.decode().split()[1].partition("?")[0])
        if ignores or not self._speaks.is_set():
            await self._ended.wait()
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        to_server.write(head)
        copies = [self._copy(client, to_server), self._copy(server, to_client)]
        with contextlib.suppress(OSError):
            await asyncio.gather(*copies)
        to_server.close()

    async def _copy(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self._speaks.is_set():
                await self._ended.wait()
                return
            to.write(data)
            await to.drain()
        to.close()


@contextlib.contextmanager
def silent_proxy(target: int) -> Iterator[SilentProxy]:
    """Run a proxy in front of a port until the block ends."""
    proxy, started = SilentProxy(target), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.run(started)), name="silent proxy", daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(30)
