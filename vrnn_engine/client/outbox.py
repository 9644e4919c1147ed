"""Events and text on their way to the server, until the server says that they took effect.

Only one thread may use an outbox, except for `add`, `write` and `erase`, which any thread may call.
"""

import collections
import threading
from typing import Any

import msgspec

from vrnn_engine.errors import RemoteError
from vrnn_engine.runtime.live.events import (
    AnyEvent,
    Erase,
    Follow,
    Fork,
    Morph,
    Prime,
    Restore,
    Rewind,
    Save,
    Trace,
    Write,
)
from vrnn_engine.serve.codec import encode
from vrnn_engine.serve.protocol import MAX_MESSAGE, ClientMessage, RestoreToken, SaveToken, SendEvent

MAX_SENT = 1000
"""Largest number of events that are kept to be sent again."""
AT_ONCE = 20
"""Largest number of messages that are sent before the server gets credit for more frames; it lets 50 events wait."""
PIECE = 4096
"""Largest number of characters of a text that are sent at once."""
AHEAD = 8192
"""More text is sent while the server has fewer characters to write."""


class Outbox:
    """Queues what is to be sent, and remembers the events that have not taken effect yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: collections.deque[ClientMessage] = collections.deque()
        self._sent: collections.deque[SendEvent | RestoreToken | SaveToken] = collections.deque(maxlen=MAX_SENT)
        self._text = ""

    @property
    def unwritten(self) -> int:
        """Number of characters that the server does not count as written or pending yet."""
        with self._lock:
            messages = [*self._queue, *self._sent]
            texts = [one.event.get("text", "") for one in messages if isinstance(one, SendEvent)]
            return len(self._text) + sum(map(len, texts))

    @property
    def asks_for_token(self) -> bool:
        """Whether a request for a token waits to be sent."""
        with self._lock:
            return SaveToken() in self._queue

    def add(self, message: ClientMessage) -> None:
        """Queue a message; raise `RemoteError` if it is too long.

        Parameters
        ----------
        message : message
        """
        size = len(encode(message).encode())
        if size > MAX_MESSAGE:
            raise RemoteError(f"this event has {size:,} bytes, more than a server takes ({MAX_MESSAGE:,}); shorten it")
        with self._lock:
            self._queue.append(message)

    def write(self, text: str) -> None:
        """Queue text; it is sent in pieces, as the server needs it.

        Parameters
        ----------
        text : str
        """
        with self._lock:
            self._text += text

    def erase(self, count: int) -> None:
        """Remove the last characters that are to come, first those that have not been sent.

        Parameters
        ----------
        count : int
        """
        with self._lock:
            here = min(count, len(self._text))
            self._text = self._text[: len(self._text) - here]
            if count > here:
                self._queue.append(send_event(Erase(count=count - here)))

    def take(self, pending: int) -> list[ClientMessage]:
        """Return the messages that are to be sent now; the next ones follow with the next call.

        Parameters
        ----------
        pending : int
            Number of characters that the server has still to write.
        """
        on_the_way = self.unwritten - len(self._text)
        with self._lock:
            messages = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
            if self._text and not self._queue and pending + on_the_way < AHEAD:
                piece, self._text = self._text[:PIECE], self._text[PIECE:]
                messages.append(send_event(Write(text=piece)))
            self._sent.extend(one for one in messages if isinstance(one, SendEvent | RestoreToken | SaveToken))
            return messages

    def applied(self, event: dict[str, Any]) -> bool:
        """Forget an event that took effect, and those sent before it; return False if it was not sent.

        Parameters
        ----------
        event : dict
            The event as the server reports it.
        """
        plain = {name: value for name, value in event.items() if name not in ("frame", "second")}
        with self._lock:
            for place, sent in enumerate(self._sent):
                restored = isinstance(sent, RestoreToken) and plain.get("do") == "restore"
                if restored or (isinstance(sent, SendEvent) and sent.event == plain):
                    left = list(self._sent)
                    self._sent.clear()  # the events before it were refused
                    self._sent.extend([one for one in left[:place] if isinstance(one, SaveToken)] + left[place + 1 :])
                    return True
        return False

    def saved(self) -> bool:
        """Forget the first request for a token; return False if there was none."""
        with self._lock:
            if SaveToken() not in self._sent:
                return False
            self._sent.remove(SaveToken())
            return True

    def send_again(self) -> None:
        """Queue what was sent and has not taken effect, before everything else."""
        with self._lock:
            self._queue.extendleft(reversed(self._sent))
            self._sent.clear()


def send_event(event: AnyEvent) -> SendEvent:
    """Return the message that sends an event.

    Parameters
    ----------
    event : event

    Raises
    ------
    RemoteError
        The event needs files or the memory of the server.
    """
    match event:
        case Save() | Restore() | Trace() | Prime() | Fork() | Rewind() | Morph(latent=None) | Follow(latents=None):
            name = event.__struct_config__.tag
            raise RemoteError(
                f"a server does not take the event {name!r}, because it needs files or the memory of the server"
            )
    try:
        plain = msgspec.structs.replace(event, frame=None, second=None)
        return SendEvent(event=msgspec.json.decode(msgspec.json.encode(plain)))
    except (TypeError, AttributeError) as error:
        raise RemoteError(f"only events can be sent: {error}") from None
