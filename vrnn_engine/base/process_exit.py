"""Ends what other threads do before the interpreter ends.

At the end of a script, Python ends daemon threads wherever they are. In C++ code, which onnxruntime and soxr are, this
aborts the whole process; and what the thread was writing stays unfinished. So what plays is stopped first
(`stop_at_exit`), and then every thread leaves native code and enters none any more (`native_call`).
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType

LONGEST_WAIT = 10.0
"""Seconds that the end of the process waits for native code. A step takes milliseconds; a GPU that hangs, for ever."""

_log = logging.getLogger("vrnn_engine")


class native_call:  # noqa: N801 - a context manager that reads as what it surrounds
    """Context manager around a call of native code that lets other threads run meanwhile.

    Once the process ends, a thread that enters it stops there for good, except for the thread that ends the process.

    Examples
    --------
    >>> with native_call():
    ...     session.run(...)
    """

    __slots__ = ()

    def __enter__(self) -> None:
        # First in the set, then the question: `_end_native_calls` does the two in the other order.
        _running.add(self)
        if _ending_thread is not None and _ending_thread != threading.get_ident():
            _running.discard(self)
            threading.Event().wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.discard(self)


def stop_at_exit(stop: Callable[[], object], label: str) -> Callable[[], None]:
    """Have something stopped at the end of the process, before what was arranged earlier.

    Parameters
    ----------
    stop : callable
        Stops it and waits until it has stopped. The warning about its error goes to the logger `vrnn_engine`.
    label : str
        Name of what is stopped, for that warning.

    Returns
    -------
    callable
        Cancels this. Any thread may call it, also while the process ends.
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


_running: set[native_call] = set()
_ending_thread: int | None = None
atexit.register(_end_native_calls)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # a child has none of the parent's other threads
