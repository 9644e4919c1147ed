"""Keeps a session connected: opens a socket, sends and receives, and opens the next one when it is lost.

`news` is set whenever something has arrived or ended.  Only the event loop may use a link, except for `wake`.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from vrnn_engine.client.address import Address
from vrnn_engine.client.connection import Backoff, ConnectionLost, open_socket
from vrnn_engine.client.session import Session
from vrnn_engine.errors import RemoteError, StreamError
from vrnn_engine.serve.codec import encode
from vrnn_engine.serve.protocol import BAD_MESSAGES, DONE, IDLE, MAX_RATE, POLICY, RUNAWAY, SLOW, TOO_BIG, Close

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FINAL = {DONE, POLICY, TOO_BIG, BAD_MESSAGES, RUNAWAY}
"""Close codes after which another try would end in the same way."""
PAUSED = {SLOW, IDLE}
"""Close codes for a client that reads too little; it connects again when it reads."""
BURST = 20
"""Number of messages that may follow each other without a pause."""
SPACING = 1.25 / MAX_RATE
"""Mean time between two messages, in seconds, so that the server's limit is never reached."""


class Link:
    """The connection of a session.

    Parameters
    ----------
    address : Address
    session : Session
    token : str, optional
        Secret that the server asks for.
    timeout : float
        Longest time that a caller waits, in seconds.

    Attributes
    ----------
    news : asyncio.Event
    reconnects : int
        Number of times that the session was continued.
    """

    def __init__(self, address: Address, session: Session, token: str | None, timeout: float) -> None:
        self.news = asyncio.Event()
        self.reconnects = 0
        self._address, self._session, self._token, self._timeout = address, session, token, timeout
        self._work, self._needed = asyncio.Event(), asyncio.Event()
        self._waiting = 0
        self._backoff = Backoff()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        self._error: RemoteError | None = None
        self._closed = False
        self._lost: ConnectionLost | None = None
        """Why there is no session now; None while there is one, and before the first try has failed."""
        self._next_try = 0.0
        """When the next try begins, while there is no session."""
        self._arrived = 0.0
        """When the last frame arrived."""

    async def open(self) -> None:
        """Connect, and wait until the server has opened the session; raise `RemoteError` if it does not."""
        if self._task is not None:
            raise StreamError("this stream was opened before; make another one")
        self._loop, started = asyncio.get_running_loop(), time.monotonic()
        self._task = asyncio.create_task(self._run())
        try:
            while self._session.open is None:
                await self.more(started, frames=False)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the session and wait until the connection is closed."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(Exception):  # the session ends in any case
                await self._socket.send(encode(Close()))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.news.set()

    def check(self) -> None:
        """Raise the error that has ended the session, or `StreamError` if it was closed."""
        if self._error is not None:
            raise self._error
        if self._closed:
            raise StreamError("this stream is closed; connect again")

    async def more(self, started: float, frames: bool = True) -> None:
        """Wait until something arrives.

        Parameters
        ----------
        started : float
            Value of `time.monotonic()` when the caller began to wait.
        frames : bool
            Whether the caller waits for frames.

        Raises
        ------
        RemoteError
            The session has ended, or the caller has waited for `timeout` seconds, with or without a connection.
        """
        self.check()
        deadline = self._timeout + (max(started, self._arrived) if frames else started)
        left = deadline - time.monotonic()
        if left <= 0 or (self._lost is not None and self._next_try > deadline):
            raise self._late()
        self._waiting += 1
        self._needed.set()
        self.wake()
        try:
            await self._next_news(left)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._needed.clear()

    def _late(self) -> RemoteError:
        """Return the error for a caller that has waited too long."""
        if self._lost is None:
            return RemoteError(f"{self._address} has sent nothing for {self._timeout:g} s; is the server overloaded?")
        if self._lost.retry_after:
            return RemoteError(f"{self._address} is busy: {self._lost.reason}")
        return RemoteError(f"{self._address} cannot be reached for {self._timeout:g} s: {self._lost.reason}")

    def wake(self) -> None:
        """Let the sender look for what is to be sent; any thread may call this."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._work.set)

    async def _next_news(self, seconds: float) -> None:
        self.news.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.news.wait(), seconds)

    async def _run(self) -> None:
        """Connect again and again, until the stream is closed or an error is final."""
        try:
            while True:
                try:
                    async with open_socket(self._address, self._token, self._timeout) as socket:
                        await self._talk(socket)
                except ConnectionLost as lost:
                    await self._pause(lost)
        except RemoteError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  (the reader has to get it)
            self._error = RemoteError(f"the client of {self._address} failed: {type(error).__name__}: {error}")
            self._error.__cause__ = error
        finally:
            self.news.set()

    async def _pause(self, lost: ConnectionLost) -> None:
        """Wait until the next try; raise `RemoteError` if there shall be none."""
        if lost.code in FINAL:
            raise RemoteError(f"{self._address} has ended the session: {lost.reason}")
        if self._session.open is None and lost.absent:
            raise RemoteError(f"{self._address} cannot be reached: {lost.reason}; start `vrnn-engine serve` there")
        if lost.code in PAUSED:
            await self._needed.wait()
        wait = self._backoff.wait(lost.retry_after)
        self._lost, self._next_try = lost, time.monotonic() + wait
        self.news.set()  # who waits gives up now if the next try comes too late
        await asyncio.sleep(wait)

    async def _talk(self, socket: "ClientConnection") -> None:
        """Send and receive until the connection ends; this always raises."""
        await socket.send(encode(self._session.opening()))
        self._socket = socket
        tasks = [asyncio.create_task(self._receive(socket)), asyncio.create_task(self._send(socket))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                if task.done():
                    task.result()  # raises its error
        finally:
            self._socket = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, socket: "ClientConnection") -> None:
        """Receive until the connection ends; this always raises."""
        again = self._session.open is not None
        async for message in socket:
            self._session.receive(message)
            if self._session.connected:
                self._lost = None
            if isinstance(message, bytes):
                self._arrived, self._backoff.tries = time.monotonic(), 0
                self.reconnects += again
                again = False
            self.news.set()
            self._work.set()
        raise ConnectionLost("the server has closed the connection", socket.close_code)

    async def _send(self, socket: "ClientConnection") -> None:
        """Send what the session has to send, in time for the server's limit of messages per second."""
        from websockets.exceptions import ConnectionClosed

        due = 0.0
        with contextlib.suppress(ConnectionClosed):  # what has arrived before tells why
            while True:
                await self._work.wait()
                self._work.clear()
                while messages := self._session.to_send():
                    for message in messages:
                        now = time.monotonic()
                        due = max(due, now - BURST * SPACING) + SPACING
                        if due > now:
                            await asyncio.sleep(due - now)
                        await socket.send(encode(message))
