"""The connection of a WebSocket: uvicorn's, which drops a client that reads nothing, or sends what is no message."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

MAX_UNREAD = 64 * 1024
"""Bytes that may wait for the client when it sends a ping, which has to be answered."""
ABORT_SECONDS = 5.0
"""Time after the end of a session in which the client has to read the rest."""


MAX_PARTS = 1000
"""Parts of one message; and pings, pongs and parts of messages in a second.  Empty ones count towards no size."""

PIECE = 4096
"""Bytes that are read at once."""


class Connection(WebSocketsSansIOProtocol):
    """A connection that does not wait without bound for its client; `uvicorn.Config` takes it as `ws`."""

    _abort: asyncio.TimerHandle | None = None
    _second = 0
    _count = 0

    def data_received(self, data: bytes) -> None:
        """Read what has arrived, a little at a time, so that a client that is dropped takes no more of it."""
        for at in range(0, len(data), PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + PIECE])

    def handle_ping(self) -> None:
        """Answer a ping; drop a client that sends pings and reads no answers, which would fill the memory."""
        if self.transport.get_write_buffer_size() > MAX_UNREAD:
            self.transport.abort()
        elif self._may_go_on():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Note a pong."""
        if self._may_go_on():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """Add a part to a message."""
        if len(self.frames) >= MAX_PARTS:
            self.transport.abort()
        elif self._may_go_on():
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; close the connection if its text is no UTF-8, without a traceback in the log."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(CloseCode.INVALID_DATA)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Close the connection after what is no message; who sends afterwards is told that the client is gone."""
        super().handle_parser_exception()
        self.disconnected = True

    def _may_go_on(self) -> bool:
        """Count what is no message of its own; drop a client that sends so much of it that others would wait."""
        second = int(self.loop.time())
        self._count = self._count + 1 if second == self._second else 1
        self._second = second
        if self._count > MAX_PARTS:
            self.transport.abort()
        return self._count <= MAX_PARTS

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
