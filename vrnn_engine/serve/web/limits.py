"""Limits of what clients may use: requests a second of each address, and the size of a body."""

import collections
import time
from collections.abc import Callable

from starlette.types import Message, Receive

from vrnn_engine.serve.web.replies import Refusal

BURST = 2.0
"""Seconds of its rate that an address may use at once."""
ADDRESSES = 10_000
"""Number of addresses that a limiter remembers; the one that was seen longest ago is forgotten first."""


class RateLimiter:
    """Limits how often each client does something, by a token bucket for each.

    Parameters
    ----------
    rate : float
        How often a second, on average; a client may do `BURST` seconds' worth at once.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._most = max(1.0, rate * BURST)
        self._buckets: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def use(self, client: str) -> float:
        """Count one use.

        Parameters
        ----------
        client : str
            The client, as `client_key` returns it.

        Returns
        -------
        float
            0 if the client may do it now; otherwise the seconds to wait, and nothing is counted.
        """
        now = self._clock()
        left, since = self._buckets.pop(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[client] = (left if wait else left - 1, now)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        return wait


def limit_body(receive: Receive, declared: str | None, most: int) -> Receive:
    """Return a `receive` that refuses a body that is too large.

    Parameters
    ----------
    receive : callable
        Returns the next message of a request.
    declared : str or None
        `Content-Length` header.
    most : int
        Largest number of bytes.

    Raises
    ------
    Refusal
        The declared length is too large.  The returned function raises it if the body itself is too large.
    """
    refusal = Refusal(413, "body", f"the body of the request has more than {most} bytes", {"Connection": "close"})
    if declared is not None and declared.isdecimal() and int(declared[:20]) > most:
        raise refusal
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise refusal
        return message

    return limited
