"""Handles signals in each phase of a command.  This module imports almost nothing: the first phase begins with it.

| phase                                   | a signal                                                             |
|-----------------------------------------|----------------------------------------------------------------------|
| imports, before the verb runs           | ends the process at once: nothing has been opened                    |
| the verb runs                           | raises `KeyboardInterrupt` or `Terminated`, so that files are closed |
| the same, within `SETTLE` seconds       | does nothing: a second exception would disturb the closing           |
| Python ignores the exception            | is sent again `RETRY` seconds later                                  |
| an interrupt is being reported          | does nothing, so that the line is printed                            |
| it has been reported                    | ends the process at once, silently                                   |

Only `begin` starts this.  Without it, as in tests within one process, SIGINT keeps its handler.
"""

import _thread
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

TERMINATING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
"""Signals that end a process, besides SIGINT (Ctrl-C); the exit code is 128 plus the signal's number."""

SETTLE = 0.5
"""Seconds after a signal in which further ones do nothing.  A shell or a supervisor may send several at once."""

RETRY = 0.01
"""Seconds after which a signal is sent again, if Python has ignored its exception.

Python ignores every exception in a weak reference's callback and in `__del__`, also those of signals.
"""

_begun = False
_code = 0
_raised = -SETTLE  # when the last signal raised an exception, on the monotonic clock


class Terminated(KeyboardInterrupt):
    """Raised when a signal in `TERMINATING` arrives.

    It is a `KeyboardInterrupt`, so that a file is completed and a plotter's pen is lifted as after Ctrl-C.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


def begin() -> None:
    """Begin the first phase, in the main thread of a process that runs one command."""
    global _begun
    _begun = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    _handle(_end_at_once)
    sys.unraisablehook = _send_if_ignored


def raise_interrupts() -> None:
    """Begin the second phase."""
    _handle(_raise)


def ignore() -> None:
    """Begin the third phase, if `begin` began the first one."""
    if _begun:
        _handle(_do_nothing)


def end_at_once(code: int) -> None:
    """Begin the last phase, if `begin` began the first one.

    Parameters
    ----------
    code : int
        The exit code of the process from here on.
    """
    global _code
    _code = code
    if _begun:
        _handle(_end_silently)


def _handle(handler: "signal._HANDLER") -> None:
    for number in TERMINATING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
    if _begun:
        signal.signal(signal.SIGINT, handler)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Take the place of SIG_IGN, with which Python prints a line about a signal that has just arrived."""


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    _handle(_do_nothing)  # otherwise a second signal could print a second line
    try:
        os.write(2, b"interrupted\n" if number == signal.SIGINT else b"terminated\n")
    finally:
        os._exit(128 + number)


def _end_silently(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(_code)


def _raise(number: int, frame: FrameType | None) -> None:
    global _raised
    if number == getattr(signal, "SIGHUP", None):  # SIGHUP arrives twice: from the system and from the shell
        signal.signal(number, signal.SIG_IGN)
    now = time.monotonic()
    if now - _raised < SETTLE:
        return
    _raised = now
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def _send_if_ignored(ignored: "sys.UnraisableHookArgs") -> None:
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    error = ignored.exc_value
    number = error.code - 128 if isinstance(error, Terminated) else signal.SIGINT
    if signal.getsignal(number) == signal.SIG_IGN:  # by `_raise`, after SIGHUP
        signal.signal(number, _raise)
    _thread.start_new_thread(_send_again, (number,))  # sent here, it would raise within this function


def _send_again(number: int) -> None:
    global _raised
    time.sleep(RETRY)
    _raised = -SETTLE
    if sys.platform == "win32":
        signal.raise_signal(number)  # os.kill would end the process at once
    else:
        os.kill(os.getpid(), number)  # interrupts the main thread also while it waits
