"""Keeps the list of an engine's open streams."""

import threading
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class StreamGroup(Generic[T]):
    """The open streams of an engine, in the order in which they were opened. Any thread may call any method.

    The group holds weak references, so it drops a stream to which nothing else refers.
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
