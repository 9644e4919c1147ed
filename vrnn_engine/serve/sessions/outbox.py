"""Holds the messages of a session until its socket takes them.  Only the thread of the event loop may use it."""

import asyncio
import collections
from collections.abc import Iterable

from vrnn_engine.serve.codec import HEADER_BYTES
from vrnn_engine.serve.protocol import End


class DropFrames:
    """Stands among the messages where all frames before it are to be dropped."""


ROOM = 100
"""Number of messages above which a session reads no more of what its client sends."""

Outgoing = str | bytes | DropFrames | End


class Outbox:
    """A queue of text and binary messages.

    The batch never puts more frames into it than the lead of the session, and `has_room` holds back what a client asks
    for, so that it stays short.

    Parameters
    ----------
    frame_bytes : int
        Bytes of a frame in a binary message.

    Attributes
    ----------
    sent : int
        Number of frames that were sent or dropped.  The thread of the batch reads it.
    ending : asyncio.Event
        Set when the session has ended: an `End` is the last message.
    """

    def __init__(self, frame_bytes: int) -> None:
        self.sent = 0
        self._frame_bytes = frame_bytes
        self.ending = asyncio.Event()
        self._messages: collections.deque[str | bytes | End] = collections.deque()
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, messages: Iterable[Outgoing]) -> int:
        """Add messages; return the number of frames that were dropped."""
        dropped = 0
        for message in messages:
            if isinstance(message, DropFrames):
                dropped += self._drop()
            else:
                self._messages.append(message)
                if isinstance(message, End):
                    self.ending.set()
        self._ready.set()
        if len(self._messages) > ROOM:
            self._room.clear()
        return dropped

    async def take(self) -> str | bytes | End:
        """Wait for a message and remove it."""
        while not self._messages:
            self._ready.clear()
            await self._ready.wait()
        message = self._messages.popleft()
        if len(self._messages) <= ROOM:
            self._room.set()
        return message

    async def has_room(self) -> None:
        """Wait while more than `ROOM` messages wait, so that a client that does not read cannot ask for more."""
        await self._room.wait()

    def count_sent(self, message: bytes) -> None:
        """Count the frames of a binary message that the socket took."""
        self.sent += self._frames_in(message)

    def _drop(self) -> int:
        kept = [message for message in self._messages if not isinstance(message, bytes)]
        dropped = sum(self._frames_in(message) for message in self._messages if isinstance(message, bytes))
        self._messages.clear()
        self._messages.extend(kept)
        self.sent += dropped
        return dropped

    def _frames_in(self, message: bytes) -> int:
        return (len(message) - HEADER_BYTES) // self._frame_bytes
