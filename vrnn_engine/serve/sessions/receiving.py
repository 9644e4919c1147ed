"""Handles what a client sends: checks the limits, and passes the messages on."""

import time
from collections.abc import Callable

from vrnn_engine.errors import StreamError, TokenError, VRNNEngineError
from vrnn_engine.serve import protocol
from vrnn_engine.serve.codec import decode_client, encode
from vrnn_engine.serve.protocol import (
    Clear,
    ClientMessage,
    Close,
    Credit,
    End,
    ErrorMessage,
    Open,
    RestoreToken,
    SaveToken,
    SendEvent,
)
from vrnn_engine.serve.sessions.batch import Batch
from vrnn_engine.serve.sessions.session import Session


class EndOfSession(Exception):
    """Ends a session.

    Parameters
    ----------
    end : End
        The last message to the client.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.end = End(code=code, reason=reason)


def first_message(data: str | bytes) -> Open:
    """Return the first message of a client.

    Parameters
    ----------
    data : str or bytes

    Raises
    ------
    EndOfSession
        It is not an `Open`.
    """
    if _size(data) > protocol.MAX_OPEN:
        raise _too_big(protocol.MAX_OPEN)
    try:
        message = _decoded(data)
    except ValueError as error:
        raise EndOfSession(protocol.POLICY, f"the first message: {error}") from None
    if not isinstance(message, Open):
        raise EndOfSession(protocol.POLICY, "the first message has to be of type open")
    return message


class _Allowance:
    """How many of something a client may send: `rate` a second, and for a while twice that."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._at = 2.0 * rate, clock()

    def spend(self) -> bool:
        """Count one; return whether it is allowed."""
        now = self._clock()
        self._left = min(2.0 * self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        allowed = self._left >= 1
        if allowed:
            self._left -= 1
        return allowed


class Inlet:
    """Takes the messages of one client.  The thread of the event loop calls it.

    Parameters
    ----------
    session : Session
    batch : Batch
        The batch that steps it.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, session: Session, batch: Batch, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._batch = batch
        self._messages = _Allowance(protocol.MAX_RATE, clock)
        self._restores = _Allowance(protocol.MAX_RESTORES, clock)
        self._bad = 0

    def take(self, data: str | bytes) -> None:
        """Handle a message.

        Parameters
        ----------
        data : str or bytes
            Text or binary message.

        Raises
        ------
        EndOfSession
            The client ends the session, or exceeds a limit.
        """
        self._count(_size(data))
        try:
            self._handle(_decoded(data))
        except ValueError as error:
            self._refuse(ErrorMessage(code="bad-message", message=str(error)))
        except TokenError as error:
            self._refuse(ErrorMessage(code="bad-token", message=str(error)))
        except VRNNEngineError as error:
            self._refuse(ErrorMessage(code="bad-event", message=str(error)))

    def _handle(self, message: ClientMessage) -> None:
        session = self._session
        match message:
            case Credit() | SaveToken() | Clear():
                self._batch.post(session, message)
            case SendEvent():
                if message.event.get("do") == "restore":
                    self._count_restore()
                session.steer_by(session.translator.event(message.event))
            case RestoreToken():
                self._count_restore()
                session.steer_by(session.translator.restoring(message.token))
            case Close():
                raise EndOfSession(protocol.DONE, "the client has ended the session")
            case Open():
                raise StreamError("the session is open already; open another one in another connection")

    def _count(self, size: int) -> None:
        """Raise `EndOfSession` if a message is too large, or there are too many."""
        if size > protocol.MAX_MESSAGE:
            raise _too_big(protocol.MAX_MESSAGE)
        if not self._messages.spend():
            raise EndOfSession(protocol.POLICY, f"more than {protocol.MAX_RATE} messages a second; send fewer")

    def _count_restore(self) -> None:
        """Raise `StreamError` for too many restores: each opens a token, and seals another."""
        if not self._restores.spend():
            raise StreamError(f"more than {protocol.MAX_RESTORES} restores a second; send fewer")

    def _refuse(self, message: ErrorMessage) -> None:
        """Answer a message with an error; raise `EndOfSession` after too many."""
        self._bad += 1
        if self._bad > protocol.MAX_BAD:
            raise EndOfSession(protocol.BAD_MESSAGES, f"too many bad messages; the last one: {message.message}")
        self._session.outbox.put([encode(message)])


def _decoded(data: str | bytes) -> ClientMessage:
    if isinstance(data, bytes):
        raise ValueError("a client sends text messages only, not binary ones")
    return decode_client(data)


def _size(data: str | bytes) -> int:
    """Return the number of bytes of a message, in UTF-8."""
    return len(data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else len(data)


def _too_big(most: int) -> EndOfSession:
    return EndOfSession(protocol.TOO_BIG, f"the message has more than {most} bytes")
