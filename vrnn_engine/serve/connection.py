"""The connection of a WebSocket: uvicorn's, which drops a client that reads nothing."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_UNREAD = 64 * 1024
"""Bytes that may wait for the client when it sends a ping, which has to be answered."""
ABORT_SECONDS = 5.0
"""Time after the end of a session in which the client has to read the rest."""


class Connection(WebSocketsSansIOProtocol):
    """A connection that does not wait without bound for its client; `uvicorn.Config` takes it as `ws`."""

    _abort: asyncio.TimerHandle | None = None

    def handle_ping(self) -> None:
        """Answer a ping; drop a client that sends pings and reads no answers, which would fill the memory."""
        if self.transport.get_write_buffer_size() > MAX_UNREAD:
            self.transport.abort()
        else:
            super().handle_ping()

    async def run_asgi(self) -> None:
        """Run the application, and drop the connection some seconds after its end."""
        try:
            await super().run_asgi()
        finally:
            # Closing waits until the client has read everything, and a client may never do that.
            self._abort = self.loop.call_later(ABORT_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        if self._abort is not None:
            self._abort.cancel()
        super().connection_lost(exc)
