"""Keeps the data that continue a session on any server with the same key: tokens, and the events after them.

A token holds the state of a session before one frame.  To continue with the same bits, the client sends the newest
token whose frame it has reached, the events that took effect from that frame on, and the next frame that it needs.
"""

import collections
from typing import Any, NamedTuple

import msgspec

from vrnn_engine.base.reading.decoding import decode_msgpack
from vrnn_engine.errors import RemoteError
from vrnn_engine.serve.protocol import Open

VERSION = 1
MOST_TOKENS = 1000
MOST_EVENTS = 10_000
MOST_EVENT_BYTES = 4 << 20
"""The tokens, and the events and their bytes as JSON, that are kept; a server takes far fewer to continue a session."""

Event = dict[str, Any]
"""An event as JSON has it."""


class Continuation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that continues a session from a frame on, on any server with the same key."""

    version: int = VERSION
    voice: str
    """Name of the voice."""
    seed: int
    frame: int
    """The next frame to read."""
    token: str
    start: int
    """The frame before which the token was made."""
    events: tuple[Event, ...] = ()
    """The events that took effect from the frame of the token on, each with its frame."""

    def encode(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> "Continuation":
        """Return what `encode` has encoded.

        Parameters
        ----------
        data : bytes

        Raises
        ------
        RemoteError
            The bytes are something else, or newer.
        """
        try:
            found = decode_msgpack(data, cls)
            if not all(isinstance(event.get("frame"), int) for event in found.events):
                raise ValueError
        except ValueError:
            raise RemoteError("these bytes do not continue a session; give the result of snapshot()") from None
        if found.version > VERSION:
            raise RemoteError(
                f"this session was saved by a newer vrnn-engine (version {found.version}, not {VERSION}); upgrade it"
            )
        return found


class _Kept(NamedTuple):
    """An event, and its bytes as JSON."""

    event: Event
    size: int


class SessionLog:
    """Remembers the tokens of a session and the events after them.

    Their number is limited, because no server is trusted: the oldest tokens are forgotten first, each with the events
    before the next one.
    """

    def __init__(self) -> None:
        self._tokens: collections.deque[tuple[int, str]] = collections.deque()
        self._events: list[_Kept] = []
        self._bytes = 0
        self._repeated: list[Event] = []
        """Events that the server has been sent again, and may report again."""

    def add_token(self, frame: int, token: str) -> None:
        """Add a token of the server.

        Parameters
        ----------
        frame : int
            The frame before which it was made.
        token : str
        """
        while self._tokens and self._tokens[-1][0] >= frame:  # made before the session was continued
            self._tokens.pop()
        self._tokens.append((frame, token))
        self._limit()

    def add_event(self, event: Event) -> bool:
        """Add an event that took effect; return False if it is known already.

        Parameters
        ----------
        event : dict
            The event, with its frame.
        """
        if event in self._repeated:
            self._repeated.remove(event)
            return False
        self._events.append(_Kept(event, len(msgspec.json.encode(event))))
        self._bytes += self._events[-1].size
        self._limit()
        return True

    def forget(self, frame: int) -> None:
        """Forget what is not needed to continue from a frame or a later one.

        Parameters
        ----------
        frame : int
        """
        while len(self._tokens) > 1 and self._tokens[1][0] <= frame:
            self._tokens.popleft()
        if self._tokens:
            self._forget_events(self._tokens[0][0])

    def continue_at(self, frame: int) -> Open | None:
        """Return the message that continues the session at a frame; None if no token is that old.

        Parameters
        ----------
        frame : int
            The first frame to receive.
        """
        found = self._found(frame)
        if found is None:
            return None
        start, token, events = found
        self._repeated = self._since(start)  # the token's timeline may have some that are not sent
        return Open(token=token, frame=frame, events=events)

    def continuation(self, voice: str, seed: int, frame: int) -> Continuation | None:
        """Return what continues the session at a frame in another process; None if no token is that old.

        Parameters
        ----------
        voice : str
            Name of the voice.
        seed, frame : int
        """
        found = self._found(frame)
        if found is None:
            return None
        start, token, events = found
        return Continuation(voice=voice, seed=seed, frame=frame, token=token, start=start, events=events)

    def resume(self, continuation: Continuation) -> None:
        """Begin with what another process has saved.

        Parameters
        ----------
        continuation : Continuation
        """
        self._tokens.append((continuation.start, continuation.token))
        self._events = [_Kept(event, 0) for event in continuation.events]

    def _found(self, frame: int) -> tuple[int, str, tuple[Event, ...]] | None:
        """Return the newest token that is old enough, its frame, and the events from there on."""
        old = [(start, token) for start, token in self._tokens if start <= frame]
        if not old:
            return None
        start, token = old[-1]
        return start, token, _needed(self._since(start), frame)

    def _since(self, frame: int) -> list[Event]:
        """Return the events from a frame on."""
        return [event for event, _ in self._events if event["frame"] >= frame]

    def _forget_events(self, frame: int) -> None:
        """Forget the events before a frame."""
        self._events = [kept for kept in self._events if kept.event["frame"] >= frame]
        self._bytes = sum(size for _, size in self._events)

    def _limit(self) -> None:
        """Forget the oldest tokens and events while there are too many; in the end, all until the next token."""
        while len(self._tokens) > MOST_TOKENS or len(self._events) > MOST_EVENTS or self._bytes > MOST_EVENT_BYTES:
            if self._tokens:
                self._tokens.popleft()
            if self._tokens:
                self._forget_events(self._tokens[0][0])
            else:
                self._events, self._bytes = [], 0


def _needed(events: list[Event], frame: int) -> tuple[Event, ...]:
    """Return the events on which the frames from `frame` on depend: a restored state replaces what was before it."""
    needed: list[Event] = []
    restored: int | None = None
    for event in reversed(events):
        if restored is None or restored > max(frame, event["frame"]):  # a frame between the two is still to come
            needed.append(event)
        if event.get("do") == "restore":
            restored = event["frame"]
    return tuple(reversed(needed))
