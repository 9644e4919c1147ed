"""Sends HPGL to a plotter over a serial port with flow control, and asks for its errors if the plotter answers."""

import contextlib
import os
import select
import threading
import time
from bisect import bisect_right
from typing import Any

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks.ink.plotters.hpgl_handshake import ABORT, ASK_ERROR, describe_error
from vrnn_engine.runtime.sinks.ink.plotters.link import LONGEST_ANSWER, StopRequested

_POLL = 0.05  # seconds between two checks for room
_ANSWER = 1.0  # seconds to wait for an answer; many cables carry no data from the plotter


class HpglLink:
    """A `PlotterLink` that sends HPGL.

    Parameters
    ----------
    port : serial.Serial
        An open port, whose writes have the timeout `timeout`.
    label : str
        Name of the plotter in messages.
    timeout : float
        Seconds that flow control may block a write.
    stopped : threading.Event
        Set, from any thread, when the player is stopped.
    handshake : bytes
        Escape sequences, sent first, that set the plotter to the port's flow control.
    buffer : int
        Bytes that the plotter may have received and not drawn.
    """

    def __init__(
        self,
        port: Any,
        label: str,
        timeout: float,
        stopped: threading.Event,
        handshake: bytes = b"",
        buffer: int = 0,
    ) -> None:
        self._port, self._label, self._timeout, self._stopped = port, label, timeout, stopped
        self._handshake, self._buffer = handshake, buffer
        self._sent = 0
        self._arrived = 0  # bytes that had been sent when the plotter last answered
        self._marks: list[int] = []
        self._answers = False

    def start(self) -> None:
        """Set the handshake, and find out whether the plotter answers; it need not answer."""
        try:
            self._write(self._handshake)
            self._answers = self._ask_error() is not None
        except OSError as error:
            raise self._disconnected(error) from error

    def send(self, lines: list[str]) -> None:
        """Write lines; raise `SinkError` if flow control blocks them for longer than the timeout."""
        try:
            for line in lines:
                data = line.encode() + b"\n"
                self._write(data)
                self._sent += len(data)
        except OSError as error:
            raise self._disconnected(error) from error

    def mark(self) -> None:
        """Mark the end of a stroke."""
        self._marks.append(self._sent)

    @property
    def marks_done(self) -> int:
        """Number of marks that lie further back than the port's and the plotter's buffers reach.

        A network does not report what it buffers.  Then only what the plotter has received for sure counts: what was
        sent before it answered, as it does at the end of each page.
        """
        try:
            reports = hasattr(self._port, "out_waiting")
            arrived = self._sent - self._bytes_waiting() if reports else self._arrived
            drawn = arrived - self._buffer
        except SinkError:  # disconnected: what waits is unknown
            return 0
        return bisect_right(self._marks, drawn)

    def finish(self, lines: list[str]) -> None:
        """Write the last lines, and wait until all data have been sent, because closing the port does not wait.

        Then raise `SinkError` if the plotter reports that it lost data.
        """
        self.send(lines)
        self._wait_until_sent()
        try:
            answer = self._ask_error() if self._answers else None
            if answer is not None:
                self._arrived = self._sent
            loss = describe_error(answer or "")
        except OSError as error:
            raise self._disconnected(error) from error
        if loss is not None:
            raise SinkError(f"{self._label}: {loss}")

    def _wait_until_sent(self) -> None:
        left, deadline = -1, 0.0
        while waiting := self._bytes_waiting():
            if waiting != left:
                left, deadline = waiting, time.monotonic() + self._timeout
            elif time.monotonic() > deadline:
                raise self._held_back(left)
            if self._stopped.wait(_POLL):
                raise StopRequested

    def stop_and_park(self, lift: list[str], park: list[str]) -> None:
        """Make the plotter discard its buffer, lift the pen and park it."""
        self.lift_pen_now([*lift, *park])

    def lift_pen_now(self, lift: list[str]) -> None:
        """Make the plotter discard its buffer and lift the pen, without flow control."""
        with contextlib.suppress(Exception):  # also termios errors from pySerial; errors can no longer be reported
            self._port.reset_output_buffer()
            self._port.xonxoff = self._port.rtscts = False
            self._port.write(ABORT + "".join(f"{line}\n" for line in [";", *lift]).encode())

    def _ask_error(self) -> str | None:
        """Ask the plotter for its last error; return its answer, or None if it does not answer, or without an end."""
        self._port.reset_input_buffer()
        self._write(ASK_ERROR)
        answer, deadline = b"", time.monotonic() + _ANSWER
        while not answer.endswith(b"\r"):
            if self._stopped.is_set():
                raise StopRequested
            if time.monotonic() > deadline or len(answer) > LONGEST_ANSWER:
                return None
            answer += self._port.read(max(self._port.in_waiting, 1))
        return answer.decode("ascii", "replace").strip()

    def _write(self, data: bytes) -> None:
        """Write all data.  pySerial's `write` is not used, as it cannot be interrupted while flow control blocks it."""
        descriptor = _descriptor(self._port)
        deadline = time.monotonic() + self._timeout
        while data:
            if self._stopped.is_set():
                raise StopRequested
            if descriptor is None:
                data = data[self._port.write(data) :]
            elif select.select([], [descriptor], [], _POLL)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(descriptor, data) :]
                    deadline = time.monotonic() + self._timeout
            elif time.monotonic() > deadline:
                raise self._held_back(len(data))

    def _bytes_waiting(self) -> int:
        """Return how many bytes have not been sent yet; 0 for a port that does not report this."""
        try:
            return int(getattr(self._port, "out_waiting", 0))
        except OSError as error:
            raise self._disconnected(error) from error

    def _held_back(self, left: int) -> SinkError:
        return SinkError(
            f"{self._label} accepts no more data, {left} bytes wait; the pen was told to lift, check that it did; "
            "does the option flow match the plotter's handshake?"
        )

    def _disconnected(self, error: OSError) -> SinkError:
        return SinkError(f"{self._label} was disconnected: {error.strerror or error}; check that the pen is up")


def _descriptor(port: Any) -> int | None:
    """Return the port's file descriptor, or None if `select` cannot wait for it."""
    try:
        return int(port.fileno()) if os.name == "posix" else None
    except OSError:  # a port without a file, such as pySerial's loop://
        return None
