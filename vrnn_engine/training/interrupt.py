"""Interrupts that wait: Ctrl-C in the middle of an update would leave a run half stepped."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

WAITING = [getattr(signal, f"SIG{name}") for name in ("INT", "TERM", "HUP", "QUIT") if hasattr(signal, f"SIG{name}")]


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C and what else ends a process back; call what this gives where they may do what they did before.

    Only the main thread gets signals; elsewhere this does nothing.
    """
    arrived: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.signal(number, lambda *what: arrived.append(what)) for number in WAITING}

    def let_through() -> None:
        if arrived:
            number, frame = arrived.pop(0)
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)
            elif handler == signal.SIG_DFL:
                raise KeyboardInterrupt

    try:
        yield let_through
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
