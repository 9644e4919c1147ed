"""Simulates a Grbl machine at the other end of a pseudo-terminal: buffer, answers, pen, working area and faults."""

import os
import pty
import re
import select
import threading
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self

BUFFER = 127
BANNER = "\r\nGrbl 1.1h ['$' for help]\r\n"

NO_DELAY = "&settle=0&timeout=1"
"""Options for fast tests."""

Fault = Callable[["GrblMachine", str], str | None]


class GrblMachine:
    """Draws what it receives; a context manager.

    The pen is down while the spindle turns or Z is below 0.  `fault` is called before each line, until it returns a
    fault to happen instead: `error:N`, `ALARM:N`, `reset`, `silent` (done, but its answers no longer arrive), `hold`,
    `lost` (done, but not answered) or `disconnected`.

    `problems` lists what no sender may do: exceed the buffer, reset a moving machine, leave the working area, or travel
    with the pen down.
    """

    def __init__(self, reach: tuple[float, float] = (300, 200), fault: Fault | None = None) -> None:
        self.reach, self.fault = reach, fault
        self.x = self.y = self.z = 0.0
        self.spindle = False
        self.state = "Idle"
        self.strokes: list[list[tuple[float, float]]] = []
        self.lines: list[str] = []
        self.feeds: list[float] = []
        self.problems: list[str] = []
        self.most_buffered = 0
        self.resets = 0
        self.fault_happened = threading.Event()
        self.drawing = threading.Event()
        self._motion, self._feed = "G0", 0.0
        self._buffer = b""
        self._silent = self._disconnected = False
        self.descriptor, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        if not self._disconnected:
            os.close(self.descriptor)
        os.close(self._slave)

    def target(self, options: str = "") -> str:
        """Return the target string of a sink that draws on this machine."""
        usual = [one for one in f"&width=200&height=150{NO_DELAY}".split("&") if one]
        kept = [one for one in usual if f"&{one.partition('=')[0]}=" not in options]
        return f"serial:{self.port}?" + "&".join(["format=gcode", *kept]) + options

    @property
    def down(self) -> bool:
        return self.spindle or self.z < 0

    @property
    def _moving(self) -> bool:
        return b"\n" in self._buffer and self.state == "Idle"

    def finish(self) -> None:
        """Process everything that was sent, and stop."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        idle = False
        while not self._disconnected and not (self._stop.is_set() and idle):
            ready, _, _ = select.select([self.descriptor], [], [], 0.002)
            idle = not ready
            if ready:
                for byte in os.read(self.descriptor, 4096):
                    self._receive(bytes([byte]))
            elif b"\n" in self._buffer and self.state != "Hold:0":
                idle = False  # one line at a time, and only when no more bytes arrive
                line, _, self._buffer = self._buffer.partition(b"\n")
                self._process(line.decode().strip())

    def _receive(self, byte: bytes) -> None:
        if byte == b"\x18":
            self._reset()
        elif byte == b"?":
            self._send(
                f"<{'Run' if self._moving else self.state}|MPos:{self.x:.3f},{self.y:.3f},{self.z:.3f}|FS:0,0>\r\n"
            )
        elif byte == b"!":
            self.state = "Hold:0" if self.state == "Idle" else self.state
        elif len(self._buffer) == BUFFER:
            self.problems.append("the buffer was exceeded")
        else:
            self._buffer += byte
            self.most_buffered = max(self.most_buffered, len(self._buffer))

    def _reset(self) -> None:
        if self._moving:
            self.problems.append("it was reset while it moved, and lost its position")
        self._buffer = b""
        self.spindle = False
        self._motion, self._feed = "G0", 0.0
        self.resets += 1
        if self.state == "Hold:0":
            self.state = "Idle"
        self._send(BANNER)

    def _process(self, line: str) -> None:
        fault = self.fault(self, line) if self.fault is not None and not self.fault_happened.is_set() else None
        if fault:
            self.fault_happened.set()
        if fault == "silent":
            self._silent = True
            self._execute(line)
        elif fault == "disconnected":
            os.close(self.descriptor)
            self._disconnected = True
        elif fault == "hold":
            self.state = "Hold:0"
            self._buffer = line.encode() + b"\n" + self._buffer
        elif fault == "reset":
            self._buffer = b""
            self._reset()
        elif fault and fault.startswith("ALARM"):
            self.state = "Alarm"
            self._send(fault + "\r\n")
        elif fault and fault.startswith("error"):
            self._send(fault + "\r\n")
        else:
            answer = self._execute(line)
            if fault != "lost":
                self._send(answer + "\r\n")

    def _execute(self, line: str) -> str:
        self.lines.append(line)
        if line == "$X":
            self.state = "Idle"
            return "[MSG:Caution: Unlocked]\r\nok"
        if line == "$H":
            self.state, self.x, self.y = "Idle", 0.0, 0.0
            return "ok"
        if self.state == "Alarm" and line:
            return "error:9"
        words = re.findall(r"([A-Z])(-?\d+\.?\d*)", line)
        if "".join(letter + number for letter, number in words) != line.replace(" ", ""):
            return "error:1"
        was = self.down
        move = {}
        for letter, number in words:
            if letter + number in ("G0", "G1"):
                self._motion = letter + number
            elif letter + number in ("M3", "M5"):
                self.spindle = number == "3"
            elif letter in "XYZ":
                move[letter] = float(number)
            elif letter == "F":
                self._feed = float(number)
            elif letter + number not in ("G4", "G21", "G90", "G94") and letter not in "PS":
                return "error:20"
        if move and self._motion == "G1" and not self._feed:
            return "error:22"
        self._move(move)
        if self.down and not was:
            self.strokes.append([(self.x, self.y)])
            self.drawing.set()
        return "ok"

    def _move(self, to: dict[str, float]) -> None:
        x, y, self.z = to.get("X", self.x), to.get("Y", self.y), to.get("Z", self.z)
        if not (0 <= x <= self.reach[0] and 0 <= y <= self.reach[1]):
            self.problems.append(f"X{x} Y{y} is outside the working area")
        if (x, y) != (self.x, self.y):
            if self.down and self._motion == "G0":
                self.problems.append("it travelled with the pen down")
            if self.down:
                self.strokes[-1].append((x, y))
                self.feeds.append(self._feed)
        self.x, self.y = x, y

    def _send(self, text: str) -> None:
        if not self._silent:
            os.write(self.descriptor, text.encode())


def fault_after(count: int, what: str) -> Fault:
    """Return a fault that happens within a stroke, once the machine has done `count` lines."""
    return lambda machine, line: what if len(machine.lines) >= count and machine.down else None
