"""Knows which streams of an engine are open."""

import threading
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class StreamGroup(Generic[T]):
    """The open streams of an engine, in the order they were opened. Any thread may call anything.

    It refers to the streams weakly, so a stream leaves when nothing else refers to it.
    """

    def __init__(self) -> None:
        self._streams: weakref.WeakKeyDictionary[T, None] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def add(self, stream: T) -> None:
        """Add a stream as the last one."""
        with self._lock:
            self._streams[stream] = None

    def discard(self, stream: T) -> None:
        """Remove a stream if it is in the group."""
        with self._lock:
            self._streams.pop(stream, None)

    def streams(self) -> list[T]:
        """Return the streams in order."""
        with self._lock:
            return list(self._streams)
