"""Reads single keys from the terminal at standard input, and restores the terminal afterwards.

It uses termios and not blessed, which takes 75 ms or more to import and does not handle Ctrl-Z, `fg`, `bg` or a closed
terminal, as most of this file does.
"""

import contextlib
import os
import re
import select
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[^\x1b]")
_CUT_OFF = re.compile(r"\x1b(\[[0-9;]*|O)?$")
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_NAMES = {f"\x1b{how}{end}": name for how in "[O" for end, name in _ARROWS.items()}
_NAMES |= {f"\x1b[1;2{end}": f"shift-{name}" for end, name in _ARROWS.items()}


class KeyReader:
    """Reads the terminal key by key within a `with` block, and always restores the terminal at the end of the block.

    Ctrl-C interrupts as usual.  Ctrl-Z restores the terminal before the process stops; once the process is in the
    foreground again, the next read sets the terminal to single keys again.

    Only one thread may use a `KeyReader`.
    """

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        self._rest = ""

    @staticmethod
    def usable() -> bool:
        """Return whether standard input is a terminal in whose foreground this process runs."""
        if sys.stdin is None or not sys.stdin.isatty() or not hasattr(os, "tcgetpgrp"):
            return False
        # The system stops a background process that changes the settings of its terminal.
        try:
            return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        except OSError:  # the terminal belongs to another session, or has closed
            return False

    def __enter__(self) -> Self:
        import termios

        self._before: list[Any] = termios.tcgetattr(self._file)
        self._take()
        in_main = threading.current_thread() is threading.main_thread()  # other threads cannot set signal handlers
        self._handles_stop = in_main and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
        if self._handles_stop:
            signal.signal(signal.SIGTSTP, self._on_stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handles_stop:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        self._restore()

    def keys(self, timeout: float) -> list[str]:
        """Return the keys pressed since the last call.

        Parameters
        ----------
        timeout : float
            Seconds to wait for a key if there is none.

        Returns
        -------
        list of str
            Characters, and the names `up`, `down`, `left` and `right`, also with the prefix `shift-`.  Other special
            keys are ignored.
        """
        if not self.usable():  # in the background, or the terminal has closed
            time.sleep(timeout)
            return []
        self._take()
        if not select.select([self._file], [], [], timeout)[0]:
            return []
        data = os.read(self._file, 1024)
        if not data:  # the terminal has closed
            time.sleep(timeout)
        text = self._rest + data.decode("utf-8", "ignore")
        cut = _CUT_OFF.search(text) if data else None
        self._rest = cut[0] if cut else ""
        found = _KEY.findall(text[: len(text) - len(self._rest)])
        return [_NAMES.get(key, key) for key in found if len(key) == 1 or key in _NAMES]

    def _take(self) -> None:
        """Set the terminal to deliver single keys without echo, unless it already does."""
        import termios
        import tty

        with contextlib.suppress(termios.error):  # the terminal has closed
            if termios.tcgetattr(self._file)[3] & (termios.ICANON | termios.ECHO):
                tty.setcbreak(self._file)

    def _restore(self) -> None:
        """Restore the terminal's earlier settings, if this process is in its foreground."""
        import termios

        with contextlib.suppress(termios.error):
            if self.usable():
                termios.tcsetattr(self._file, termios.TCSANOW, self._before)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        """Restore the terminal, then stop the process as Ctrl-Z does by default."""
        self._restore()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, self._on_stop)
