"""Grbl's protocol over a serial port: lines of G-code, no faster than its buffer takes them, and its bad news.

A line counts against the buffer from when it is sent until the machine answers `ok` or `error:N` to it.  A machine
may be silent for long (a slow move, somebody's finger on hold), so after a while it is asked for its state, which it
tells at any time; only one that does not answer that either is taken for dead.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.ink.link import Stopped

BUFFER = 127
"""Bytes that Grbl's receive buffer holds."""
_HOLD, _RESET, _STATUS = b"!", b"\x18", b"?"  # heard at once, past the buffer
_SETTLED = 0.3  # seconds of quiet after which a reset is over
_HOMING = 120.0  # seconds that it may take to find its limit switches, deaf meanwhile
_MOVING = ("<Run", "<Jog", "<Home", "<Hold:1")
_ERRORS = {
    "error:8": "it is busy with something else",
    "error:9": "it is locked; home it with the option start=$H, or unlock it with start=$X",
    "error:20": "it does not know that command; see the options up and down",
    "error:22": "it misses a speed",
}
_ALARMS = {
    "ALARM:1": "it ran into a limit switch",
    "ALARM:2": "its reach is smaller than the page; give a smaller width or height",
    "ALARM:3": "it was reset while it moved",
    "ALARM:8": "it could not get off a limit switch",
    "ALARM:9": "it did not find a limit switch",
}


class Grbl:
    """A machine at the other end of a port: a `Link`.

    Parameters
    ----------
    port
        An open `serial.Serial`, whose reads wait for a moment only.
    label
        What to call it in messages.
    timeout
        Seconds without any answer after which it is taken for dead.
    stopped
        Set by any thread: what waits here then raises `Stopped`.
    """

    def __init__(self, port: Any, label: str, timeout: float, stopped: threading.Event) -> None:
        self._port, self._label, self._timeout, self._stopped = port, label, timeout, stopped
        self._heard = b""
        self._waiting: deque[str] = deque()  # lines that it has not answered
        self._answered = time.monotonic()
        self._silent = self._alarmed = False

    def start(self) -> None:
        """Reset the machine, and wait until it says that it is there."""
        self._write(_RESET)
        try:
            self._hear_out(_is_banner)
        except SinkError:
            raise SinkError(
                f"no Grbl answers on {self._label}; is it switched on, is this its port, and baud its speed?"
            ) from None
        patience = time.monotonic() + self._timeout  # it may be one that tells its state unasked, over and over
        while self._line(_SETTLED) is not None and time.monotonic() < patience:
            pass

    def send(self, lines: list[str]) -> None:
        """Send lines as there is room for them; raise `SinkError` when the machine has refused one or is gone."""
        for line in lines:
            while self._waiting and sum(len(sent) + 1 for sent in self._waiting) + len(line) + 1 > BUFFER:
                self._await_answer()
            if not self._waiting:
                self._answered = time.monotonic()
            self._write(line.encode() + b"\n")
            self._waiting.append(line)

    def finish(self, lines: list[str]) -> None:
        """Send lines, and wait until the machine has done them and stands still."""
        self.send([*lines, "G4 P0.01"])  # answered when all moves before it are over
        while self._waiting:
            self._await_answer()

    def rescue(self, lift: list[str], park: list[str]) -> None:
        """Stop at once, lift the pen and go home.  Where nothing answers, say all the same what lifts the pen."""
        self._stopped = threading.Event()  # this much is done in any case
        try:
            self._halt()
            self.finish(["$X", *lift])
            if not self._alarmed:  # after an alarm it may be elsewhere than it believes
                self.finish(park)
        except SinkError:
            self.shout(lift)

    def shout(self, lift: list[str]) -> None:
        """Lift the pen without waiting for any answer."""
        with contextlib.suppress(Exception):  # there is nobody left to tell
            self._port.write(_RESET)  # or what is in its buffer would come first
            time.sleep(_SETTLED)
            self._port.write("".join(f"{line}\n" for line in ["", "$X", *lift]).encode())

    def _halt(self) -> None:
        """Hold, so that it knows where it stopped, then forget what is left to do."""
        if self._silent:
            raise SinkError(f"{self._label} is silent")
        self._write(_HOLD)
        patience = time.monotonic() + self._timeout
        moving = True
        while moving and time.monotonic() < patience:
            time.sleep(0.05)
            self._write(_STATUS)
            moving = self._hear_out(lambda line: line.startswith("<")).startswith(_MOVING)
        self._write(_RESET)
        self._hear_out(_is_banner)
        self._waiting.clear()

    def _await_answer(self) -> None:
        """Take note of the next thing that it says; raise `SinkError` if that is bad news."""
        line = self._hear()
        if line == "ok" or line.startswith("error:"):
            self._answered = time.monotonic()
            sent = self._waiting.popleft() if self._waiting else ""
            if line != "ok":
                raise SinkError(f"{self._label} refused {sent!r}: {_ERRORS.get(line, f'Grbl says {line}')}")
        elif line.startswith("ALARM:"):
            raise SinkError(f"{self._label} has stopped with an alarm: {_ALARMS.get(line, f'Grbl says {line}')}")
        elif _is_banner(line):
            self._waiting.clear()
            raise SinkError(f"{self._label} was reset in the middle of a drawing; the rest of it is lost")
        elif line.startswith("<Idle") and time.monotonic() - self._answered > 2 * self._timeout:
            raise SinkError(f"{self._label} waits for more, but did not answer all it was sent; is the cable sound?")

    def _hear_out(self, wanted: Callable[[str], bool]) -> str:
        """Return the next line that is wanted; raise `SinkError` if it says other things for too long."""
        patience = time.monotonic() + self._timeout
        while not wanted(line := self._hear()):
            if time.monotonic() > patience:
                raise SinkError(f"{self._label} talks, but not as Grbl does; see whether the pen is up")
        return line

    def _hear(self) -> str:
        """Return the next line it says, asking for one if need be."""
        patience = _HOMING if "$H" in self._waiting else self._timeout
        line = self._line(patience / 2)
        if line is None:
            self._write(_STATUS)
            line = self._line(patience / 2)
        if line is None:
            self._silent = True
            last = f" to {self._waiting[0]!r}" if self._waiting else ""
            raise SinkError(
                f"{self._label} has stopped answering{last}; the pen was told to lift, but see for yourself"
            )
        self._alarmed = self._alarmed or line.startswith("ALARM:")
        return line

    def _line(self, patience: float) -> str | None:
        """Return the next line, or None when none was whole after so many seconds."""
        until = time.monotonic() + patience
        while b"\n" not in self._heard:
            if self._stopped.is_set():
                raise Stopped
            try:
                data = self._port.read(max(self._port.in_waiting, 1))
            except OSError as error:
                self._gone(error)
            self._heard += data
            if time.monotonic() > until and b"\n" not in self._heard:
                return None
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode("ascii", "replace").strip()

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            self._gone(error)

    def _gone(self, error: OSError) -> None:
        self._silent = True
        raise SinkError(f"{self._label} is gone: {error.strerror or error}; see whether the pen is up") from error


def _is_banner(line: str) -> bool:
    return line.lower().startswith("grbl")
