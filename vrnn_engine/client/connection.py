"""Opens WebSockets to a server: what a refusal or a failure means, and how long to wait before the next try."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.base.text_files import visible
from vrnn_engine.client.address import Address
from vrnn_engine.errors import RemoteError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.http11 import Response

FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0
"""Seconds before the second try, and the longest time between two tries."""
LONGEST_PAUSE = 3600.0
"""Longest time in seconds that a server can ask to wait."""
MAX_MESSAGE = 1 << 20
"""Largest message of a server, in bytes."""
TEMPORARY = {429, 500, 502, 503, 504}
"""HTTP status codes after which another try may succeed.  The HAProxy of Ray Serve answers 500 where other proxies
answer 502, 503 or 504, for example while it still lists a machine that has failed."""
_PING_SECONDS = 5.0
"""Time between two pings, and the longest time to an answer: a silent network is noticed before a reader gives up."""


class ConnectionLost(Exception):
    """There is no connection any more, or none yet.  Unless `code` says otherwise, another try may succeed.

    Parameters
    ----------
    reason : str
        One line.
    code : int, optional
        Close code of the server.
    retry_after : float
        Seconds for which the server asks to wait.
    absent : bool
        Whether no server was reached.
    """

    def __init__(self, reason: str, code: int | None = None, retry_after: float = 0.0, absent: bool = False) -> None:
        reason = shown_line(reason)
        super().__init__(reason)
        self.reason, self.code, self.retry_after, self.absent = reason, code, retry_after, absent


@dataclass
class Backoff:
    """The growing time between two tries.

    Attributes
    ----------
    tries : int
        Tries in succession that have failed.
    """

    tries: int = 0

    def wait(self, least: float) -> float:
        """Return the seconds to wait before the next try.

        Parameters
        ----------
        least : float
            Seconds for which the server asks to wait.
        """
        self.tries += 1
        grown = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self.tries - 1, 10))
        # Not all clients of a server that comes back connect at the same moment.
        return max(least, grown * random.uniform(0.7, 1.0))


@asynccontextmanager
async def open_socket(address: Address, token: str | None, seconds: float) -> AsyncIterator["ClientConnection"]:
    """Open a WebSocket and yield it.

    Parameters
    ----------
    address : Address
        With a voice.
    token : str, optional
        Secret that the server asks for.
    seconds : float
        Longest time to wait for the server.

    Raises
    ------
    ConnectionLost
        The server cannot be reached now, has no room, or the connection broke.
    RemoteError
        The server refuses, or it is no server of voices.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

    class Connect(connect):
        """Follows no redirect: a server must not choose where a client connects to."""

        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    opening = Connect(
        address.session,
        compression=None,
        additional_headers=headers,
        max_size=MAX_MESSAGE,
        open_timeout=seconds,
        ping_interval=_PING_SECONDS,
        ping_timeout=_PING_SECONDS,
        close_timeout=1.0,
        user_agent_header=None,
    )
    try:
        socket = await opening
    except InvalidStatus as error:
        raise _refused(address, error.response) from None
    except InvalidHandshake:
        raise RemoteError(
            f"{address}: this is not a server of vrnn-engine, or its proxy passes no WebSockets"
        ) from None
    except TimeoutError:
        raise ConnectionLost("no answer") from None
    except ConnectionRefusedError:
        raise ConnectionLost("nothing listens there", absent=True) from None
    except OSError as error:
        raise ConnectionLost(error.strerror or str(error), absent=True) from None
    try:
        yield socket
    except ConnectionClosed as error:
        closed = error.rcvd
        raise ConnectionLost(str(error), None if closed is None else int(closed.code)) from None
    finally:
        await socket.close()


def _refused(address: Address, response: "Response") -> RemoteError | ConnectionLost:
    """Return the error for an answer over HTTP to the handshake."""
    place = next(iter(response.headers.get_all("Location")), None)  # a header may be given several times
    if place is not None and response.status_code not in TEMPORARY:
        return RemoteError(moved(str(address), place))
    reason = error_line(bytes(response.body or b"")) or f"HTTP status {response.status_code}"
    if response.status_code in TEMPORARY:
        return ConnectionLost(reason, retry_after=_seconds(next(iter(response.headers.get_all("Retry-After")), "0")))
    return RemoteError(f"{address} was refused: {reason}")


def moved(address: str, place: str) -> str:
    """Return the line for a server that sends its clients to another address.

    Parameters
    ----------
    address, place : str
        The server's address, and the place that it names.
    """
    return f"{address} sends its clients on to {shown_line(place)}; if you trust it, give that address"


def _seconds(text: str) -> float:
    """Return the seconds in a header, at most `LONGEST_PAUSE`; 0 if it has another form."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(seconds, LONGEST_PAUSE) if seconds > 0 else 0.0  # a comparison with NaN is false


def shown_line(text: str) -> str:
    """Return a text of a server on one line of at most 300 characters, without control characters.

    Parameters
    ----------
    text : str
    """
    return visible(" ".join(text.split())[:300])


def error_line(body: bytes) -> str:
    """Return the line in the JSON of an answer that is an error; empty if there is none.

    Parameters
    ----------
    body : bytes
    """
    try:
        return shown_line(decode_json(body, _Problem).error)
    except ValueError:
        return ""


class _Problem(msgspec.Struct):
    error: str
