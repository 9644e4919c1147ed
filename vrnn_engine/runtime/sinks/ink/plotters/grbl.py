"""Implements Grbl's protocol over a serial port: sends G-code as fast as Grbl's buffer accepts it, and reports errors.

A line occupies the buffer from when it is sent until the machine answers `ok` or `error:N` to it.  A machine may be
silent for long (a slow move, a user who presses hold).  So after a while the link requests the machine's status, which
a working machine sends at any time.  If this request is not answered either, the machine counts as disconnected.
"""

import contextlib
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.ink.plotters.link import LONGEST_ANSWER, StopRequested

BUFFER = 127
"""Size of Grbl's receive buffer in bytes."""
PLANNED = 16
"""Moves that Grbl has answered and may not have made."""
_HOLD, _RESET, _STATUS = b"!", b"\x18", b"?"  # real-time commands: they bypass the buffer
_QUIET = 0.3  # seconds without output after which a reset is complete
_HOMING = 120.0  # seconds that homing may take; the machine answers nothing meanwhile
_MOVING = ("<Run", "<Jog", "<Home", "<Hold:1")
_ERRORS = {
    "error:8": "it is busy with something else",
    "error:9": "it is locked; home it with the option start=$H, or unlock it with start=$X",
    "error:20": "it does not know that command; see the options up and down",
    "error:22": "the command lacks a feed rate",
}
_ALARMS = {
    "ALARM:1": "it ran into a limit switch",
    "ALARM:2": "the page is larger than its working area; give a smaller width or height",
    "ALARM:3": "it was reset while it moved",
    "ALARM:8": "it could not move off a limit switch",
    "ALARM:9": "it did not find a limit switch",
}


class GrblLink:
    """A `PlotterLink` to a machine that runs Grbl.

    Parameters
    ----------
    port : serial.Serial
        An open port, whose reads have a short timeout.
    label : str
        Name of the machine in messages.
    timeout : float
        Seconds without an answer after which the machine counts as disconnected.
    stopped : threading.Event
        Set, from any thread, when the player is stopped.
    """

    def __init__(self, port: Any, label: str, timeout: float, stopped: threading.Event) -> None:
        self._port, self._label, self._timeout, self._stopped = port, label, timeout, stopped
        self._received = b""
        self._unanswered: deque[str] = deque()
        self._last_answer = time.monotonic()
        self._silent = self._alarmed = False
        self._sent = self._answered = self._stood_still = 0  # lines
        self._marks: list[int] = []

    def start(self) -> None:
        """Reset the machine, and wait for its greeting."""
        self._write(_RESET)
        try:
            self._read_until(_is_greeting)
        except SinkError:
            raise SinkError(
                f"no Grbl answers on {self._label}; check that the machine is on, that this is its port, and the "
                "option baud"
            ) from None
        deadline = time.monotonic() + self._timeout  # the machine may send status reports without end
        while self._read_line(_QUIET) is not None and time.monotonic() < deadline:
            pass

    def send(self, lines: list[str]) -> None:
        """Send lines when the buffer has room; raise `SinkError` if the machine refuses a line or stops answering."""
        for line in lines:
            while self._unanswered and sum(len(sent) + 1 for sent in self._unanswered) + len(line) + 1 > BUFFER:
                self._process_answer()
            if not self._unanswered:
                self._last_answer = time.monotonic()
            self._write(line.encode() + b"\n")
            self._unanswered.append(line)
            self._sent += 1

    def mark(self) -> None:
        """Mark the end of a stroke."""
        self._marks.append(self._sent)

    @property
    def marks_done(self) -> int:
        """Number of marks before the last dwell that was answered, or further back than Grbl plans."""
        return bisect_right(self._marks, max(self._stood_still, self._answered - PLANNED))

    def finish(self, lines: list[str]) -> None:
        """Send lines, and wait until the machine has carried them out and stands still."""
        self.send([*lines, "G4 P0.01"])  # Grbl answers a dwell only after all earlier moves
        while self._unanswered:
            self._process_answer()

    def stop_and_park(self, lift: list[str], park: list[str]) -> None:
        """Stop at once, lift the pen and park it; if the machine does not answer, send only the pen-up commands."""
        self._stopped = threading.Event()  # a new event: the stop of the player must not interrupt this
        try:
            self._halt()
            self.finish(["$X", *lift])
            if not self._alarmed:  # after an alarm its position may be wrong
                self.finish(park)
        except SinkError:
            self.lift_pen_now(lift)

    def lift_pen_now(self, lift: list[str]) -> None:
        """Reset the machine and send the commands that lift the pen, without waiting for an answer."""
        with contextlib.suppress(Exception):  # errors can no longer be reported
            self._port.write(_RESET)  # otherwise the machine would first carry out the lines in its buffer
            time.sleep(_QUIET)
            self._port.write("".join(f"{line}\n" for line in ["", "$X", *lift]).encode())

    def _halt(self) -> None:
        """Hold the machine, so that it keeps its position, then reset it to discard its buffer."""
        if self._silent:
            raise SinkError(f"{self._label} does not answer")
        self._write(_HOLD)
        deadline = time.monotonic() + self._timeout
        moving = True
        while moving and time.monotonic() < deadline:
            time.sleep(0.05)
            self._write(_STATUS)
            moving = self._read_until(lambda line: line.startswith("<")).startswith(_MOVING)
        self._write(_RESET)
        self._read_until(_is_greeting)
        self._unanswered.clear()

    def _process_answer(self) -> None:
        """Process the next line from the machine; raise `SinkError` if it reports an error."""
        line = self._read()
        if line == "ok" or line.startswith("error:"):
            self._last_answer = time.monotonic()
            sent = self._unanswered.popleft() if self._unanswered else ""
            self._answered += 1
            if sent.startswith("G4"):  # a dwell is answered only after all moves before it
                self._stood_still = self._answered
            if line != "ok":
                raise SinkError(f"{self._label} refused {sent!r}: {_ERRORS.get(line, f'Grbl reports {line}')}")
        elif line.startswith("ALARM:"):
            raise SinkError(f"{self._label} has stopped with an alarm: {_ALARMS.get(line, f'Grbl reports {line}')}")
        elif _is_greeting(line):
            self._unanswered.clear()
            raise SinkError(f"{self._label} was reset while it drew; the rest of the drawing is lost")
        elif line.startswith("<Idle") and time.monotonic() - self._last_answer > 2 * self._timeout:
            raise SinkError(f"{self._label} is idle, but did not answer every line that was sent; check the cable")

    def _read_until(self, wanted: Callable[[str], bool]) -> str:
        """Return the next line for which `wanted` is true; raise `SinkError` if none arrives before the timeout."""
        deadline = time.monotonic() + self._timeout
        while not wanted(line := self._read()):
            if time.monotonic() > deadline:
                raise self._other_device()
        return line

    def _read(self) -> str:
        """Return the next line from the machine; request its status if none arrives for half the timeout."""
        timeout = _HOMING if "$H" in self._unanswered else self._timeout
        line = self._read_line(timeout / 2)
        if line is None:
            self._write(_STATUS)
            line = self._read_line(timeout / 2)
        if line is None:
            self._silent = True
            last = f" to {self._unanswered[0]!r}" if self._unanswered else ""
            raise SinkError(f"{self._label} has stopped answering{last}; the pen was told to lift, check that it did")
        self._alarmed = self._alarmed or line.startswith("ALARM:")
        return line

    def _read_line(self, timeout: float) -> str | None:
        """Return the next complete line, or None if none arrives within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._received:
            if self._stopped.is_set():
                raise StopRequested
            try:
                data = self._port.read(max(self._port.in_waiting, 1))
            except OSError as error:
                self._fail_disconnected(error)
            self._received += data
            if len(self._received) > LONGEST_ANSWER and b"\n" not in self._received:
                self._received = b""
                raise self._other_device()
            if time.monotonic() > deadline and b"\n" not in self._received:
                return None
        line, _, self._received = self._received.partition(b"\n")
        return line.decode("ascii", "replace").strip()

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            self._fail_disconnected(error)

    def _other_device(self) -> SinkError:
        return SinkError(f"{self._label} sends data, but not as Grbl does; check that the pen is up")

    def _fail_disconnected(self, error: OSError) -> NoReturn:
        self._silent = True
        raise SinkError(
            f"{self._label} was disconnected: {error.strerror or error}; check that the pen is up"
        ) from error


def _is_greeting(line: str) -> bool:
    return line.lower().startswith("grbl")
