"""Objects that the parts of a running server share: its options, voices, metrics and keys.

The server makes one `Services` and passes it to every part.  The voices are described by what their users need of
them, so that this module depends on no part of the server that uses it.
"""

import threading
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from vrnn_engine.runtime.engine import Engine
from vrnn_engine.serve.addresses import Addresses
from vrnn_engine.serve.metrics import Metrics
from vrnn_engine.serve.options import ServeOptions

BatchType = TypeVar("BatchType", covariant=True)


class Voices(Protocol[BatchType]):
    """The served voices, each loaded once."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the voices, in the order in which they were given."""
        ...

    def engine(self, name: str) -> Engine:
        """Return the engine of a voice; raise `VoiceError`, which suggests a name, if it is not served."""
        ...

    def batch(self, name: str) -> BatchType:
        """Return the batch that steps the sessions of a voice; raise `VoiceError` if it is not served."""
        ...

    def close(self) -> None:
        """End all sessions, stop the batches and release the engines."""
        ...


class Keys(Protocol):
    """Seals the states of sessions, so that only servers with the same key open them."""

    def seal(self, payload: bytes) -> str:
        """Return a token that holds a payload."""
        ...

    def open(self, token: str) -> bytes:
        """Return the payload of a token; raise `TokenError` if no server with this key has sealed it."""
        ...


@dataclass(frozen=True)
class Services(Generic[BatchType]):
    """Objects that the parts of a running server share.

    Attributes
    ----------
    options : ServeOptions
    voices : Voices
        The loaded voices.
    metrics : Metrics
    keys : Keys
        Seals and opens the tokens of sessions.
    addresses : Addresses
        Counts the sessions of each client.
    draining : threading.Event
        Set when the server stops: it then opens no session, and ends the open ones.
    """

    options: ServeOptions
    voices: Voices[BatchType]
    metrics: Metrics
    keys: Keys
    addresses: Addresses = field(default_factory=Addresses)
    draining: threading.Event = field(default_factory=threading.Event)
