"""Defers Ctrl-C and termination signals, so that they do not end a run in the middle of an update."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

DEFERRED = [getattr(signal, f"SIG{name}") for name in ("INT", "TERM", "HUP", "QUIT") if hasattr(signal, f"SIG{name}")]
"""Signals that end a process."""


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Hold back signals that end a process.

    Yields
    ------
    callable
        Call this function, without arguments, where the process may be interrupted: a signal that has arrived then has
        its usual effect.

    Notes
    -----
    Python delivers signals to the main thread only; in any other thread this context does nothing.
    """
    arrived: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.signal(number, lambda *what: arrived.append(what)) for number in DEFERRED}

    def deliver() -> None:
        if arrived:
            number, frame = arrived.pop(0)
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)
            elif handler == signal.SIG_DFL:
                raise KeyboardInterrupt

    try:
        yield deliver
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
