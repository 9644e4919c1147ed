"""How lines get to a plotter: what every connection must do, and the plain one that only flow control slows."""

import contextlib
import os
import select
import threading
import time
from typing import Any, Protocol

from vrnn_engine.errors import SinkError

_ABORT = b"\x1b.K"
"""HPGL's device control: forget what is still in the buffer."""


_NAP = 0.05  # seconds between two looks at whether there is room


class Stopped(Exception):
    """Somebody wants no more of it; not an error."""


class Link(Protocol):
    """A connection to a plotter.  What waits in it raises `Stopped` when the player is stopped."""

    def start(self) -> None:
        """Make sure that somebody is there, as far as that can be."""
        ...

    def send(self, lines: list[str]) -> None:
        """Send lines as there is room for them; raise `SinkError` when the other end has refused one or is gone."""
        ...

    def finish(self, lines: list[str]) -> None:
        """Send the last lines, and wait until they are done."""
        ...

    def rescue(self, lift: list[str], park: list[str]) -> None:
        """Stop at once, lift the pen and park it, as far as the other end can be reached."""
        ...

    def shout(self, lift: list[str]) -> None:
        """Lift the pen without waiting for anything."""
        ...


class Wire:
    """Sends HPGL, to which a plotter never answers.

    Parameters
    ----------
    port
        An open `serial.Serial`, whose writes give up after the `timeout`.
    label
        What to call it in messages.
    timeout
        Seconds that the plotter may keep a write waiting.
    stopped
        Set by any thread.
    """

    def __init__(self, port: Any, label: str, timeout: float, stopped: threading.Event) -> None:
        self._port, self._label, self._timeout, self._stopped = port, label, timeout, stopped

    def start(self) -> None:
        """Nothing to wait for."""

    def send(self, lines: list[str]) -> None:
        """Write lines; raise `SinkError` when flow control holds them back for too long."""
        try:
            for line in lines:
                self._write(line.encode() + b"\n")
        except OSError as error:
            raise self._gone(error) from error

    def finish(self, lines: list[str]) -> None:
        """Write the last lines, and wait until they have left: closing the port would not wait for long."""
        self.send(lines)
        left, patience = -1, 0.0
        while waiting := self._waiting():
            if waiting != left:
                left, patience = waiting, time.monotonic() + self._timeout
            elif time.monotonic() > patience:
                raise self._held_up(left)
            if self._stopped.wait(_NAP):
                raise Stopped

    def rescue(self, lift: list[str], park: list[str]) -> None:
        """Let the plotter forget what it has, lift the pen and park it."""
        self.shout([*lift, *park])

    def shout(self, lift: list[str]) -> None:
        """The same; flow control no longer counts."""
        with contextlib.suppress(Exception):  # pySerial lets those of termios through; there is nobody left to tell
            self._port.reset_output_buffer()
            self._port.xonxoff = self._port.rtscts = False
            self._port.write(_ABORT + "".join(f"{line}\n" for line in [";", *lift]).encode())

    def _write(self, data: bytes) -> None:
        """Write everything.  pySerial's own `write` runs in circles while the plotter says wait, deaf to a stop."""
        number = _number(self._port)
        patience = time.monotonic() + self._timeout
        while data:
            if self._stopped.is_set():
                raise Stopped
            if number is None:
                data = data[self._port.write(data) :]
            elif select.select([], [number], [], _NAP)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(number, data) :]
                    patience = time.monotonic() + self._timeout
            elif time.monotonic() > patience:
                raise self._held_up(len(data))

    def _waiting(self) -> int:
        """Return how many bytes have not left yet; 0 for a kind of port that cannot say."""
        try:
            return int(getattr(self._port, "out_waiting", 0))
        except OSError as error:
            raise self._gone(error) from error

    def _held_up(self, left: int) -> SinkError:
        return SinkError(
            f"{self._label} takes nothing more, and {left} bytes wait; the pen was told to lift, but see for yourself; "
            "is the option flow the plotter's handshake?"
        )

    def _gone(self, error: OSError) -> SinkError:
        return SinkError(f"{self._label} is gone: {error.strerror or error}; see whether the pen is up")


def _number(port: Any) -> int | None:
    """Return the port's file descriptor where one can wait for it."""
    try:
        return int(port.fileno()) if os.name == "posix" else None
    except OSError:  # a port that is no file, as pySerial's loop://
        return None
