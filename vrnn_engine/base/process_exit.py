"""Stops players and other threads before the interpreter ends.

At the end of a script, Python ends daemon threads at any point. A thread that is in C++ code then, such as that of
onnxruntime or soxr, aborts the whole process, and the file that it was writing stays incomplete. Therefore players are
stopped first (`stop_at_exit`). Then every other thread leaves native code and is kept from entering it again
(`native_call`). At last, the native objects that such threads hold are released (`release_at_exit`).
"""

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

LONGEST_WAIT = 10.0
"""Longest wait for native code at the end of the process, in seconds. A step takes milliseconds; a GPU may hang."""

_log = logging.getLogger("vrnn_engine")


class native_call:  # noqa: N801 - a context manager that reads as what it surrounds
    """Context manager around a call of native code that lets other threads run meanwhile.

    Once the process is ending, every thread that enters it waits forever, except for the thread that ends the process.

    Examples
    --------
    >>> with native_call():
    ...     session.run(...)
    """

    __slots__ = ()

    def __enter__(self) -> None:
        # Add to the set, then check. `_end_native_calls` does the two in the opposite order, so no call is missed.
        _running.add(self)
        if _ending_thread is not None and _ending_thread != threading.get_ident():
            _running.discard(self)
            threading.Event().wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.discard(self)


class Releasable(Protocol):
    """An object that holds a native object."""

    def release(self) -> None:
        """Release the native object; the process is ending, and no other thread uses it any more."""


def release_at_exit(owner: Releasable) -> None:
    """Release a native object at the end of the process, if its owner still exists then.

    Parameters
    ----------
    owner : Releasable
        Its `release` is called once every other thread has left native code.
    """
    _owners[id(owner)] = owner


def stop_at_exit(stop: Callable[[], object], label: str) -> Callable[[], None]:
    """Register a function that stops something at the end of the process; the last registered runs first.

    Parameters
    ----------
    stop : callable
        Stops something and waits until it has stopped. An error in it is logged as a warning.
    label : str
        Name used in that warning.

    Returns
    -------
    callable
        Cancels the registration. Any thread may call it, also while the process is ending.
    """

    def finish() -> None:
        try:
            stop()
        except Exception as error:  # noqa: BLE001 - the others must be stopped all the same
            _log.warning("%s, stopped at the end of the process: %s", label, error)

    atexit.register(finish)
    return lambda: atexit.unregister(finish)


def _end_native_calls() -> None:
    global _ending_thread
    _ending_thread = threading.get_ident()
    until = time.monotonic() + LONGEST_WAIT
    while _running and time.monotonic() < until:
        time.sleep(0.001)
    for reference in _owners.valuerefs():
        owner = reference()
        if owner is not None:
            owner.release()


_running: set[native_call] = set()
_owners: weakref.WeakValueDictionary[int, Releasable] = weakref.WeakValueDictionary()
_ending_thread: int | None = None
atexit.register(_end_native_calls)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # a child has none of the parent's other threads
