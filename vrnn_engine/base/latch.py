"""An event that a thread may wait for while handlers of signals raise exceptions in it."""

import threading


class Latch:
    """An event that happens once.

    If a handler raises an exception inside `threading.Event.wait`, such as `KeyboardInterrupt`, the caller may get a
    `RuntimeError` in its place, or the event's own lock may stay held, so that the next call waits forever (in CPython,
    handlers run between the steps of `Condition`, which is written in Python).  Here the exception arrives as it is,
    and later calls are right.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Say that the event has happened.  Called once."""
        self._is_set = True
        self._lock.release()

    def is_set(self) -> bool:
        """Return whether the event has happened."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until the event has happened, or for some seconds, and return whether it has happened.

        Parameters
        ----------
        seconds : float
            Longest time to wait; at least 0.
        """
        if not self._is_set and self._lock.acquire(timeout=seconds):
            self._lock.release()  # if an exception comes before this, other waiters see `_is_set` after their time
        return self._is_set
