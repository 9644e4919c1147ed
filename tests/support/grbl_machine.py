"""A Grbl machine at the other end of a pseudo-terminal: buffer, answers, pen and reach, and all that can go wrong."""

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

Trouble = Callable[["GrblMachine", str], str | None]


class GrblMachine:
    """Draws what it is sent; a context manager.

    The pen is down while the spindle turns or Z is below 0.  `trouble` is asked before each line and may answer with
    what happens instead: `error:N`, `ALARM:N`, `reset`, `silent`, `hold`, `lost` (done, but never answered) or `gone`.
    """

    def __init__(self, reach: tuple[float, float] = (300, 200), trouble: Trouble | None = None) -> None:
        self.reach, self.trouble = reach, trouble
        self.x = self.y = self.z = 0.0
        self.spindle = False
        self.state = "Idle"
        self.strokes: list[list[tuple[float, float]]] = []
        self.lines: list[str] = []
        self.feeds: list[float] = []
        self.problems: list[str] = []
        self.most = 0
        self.resets = 0
        self.happened = threading.Event()  # the trouble has come
        self.drawing = threading.Event()
        self._motion, self._feed = "G0", 0.0
        self._buffer = b""
        self._silent = self._gone = False
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if not self._gone:
            os.close(self._master)
        os.close(self._slave)

    @property
    def down(self) -> bool:
        return self.spindle or self.z < 0

    @property
    def _moving(self) -> bool:
        return b"\n" in self._buffer and self.state == "Idle"

    def settle(self) -> None:
        """Wait until everything that was sent has been looked at."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        idle = False
        while not self._gone and not (self._over.is_set() and idle):
            ready, _, _ = select.select([self._master], [], [], 0.002)
            idle = not ready
            if ready:
                for byte in os.read(self._master, 4096):
                    self._receive(bytes([byte]))
            elif b"\n" in self._buffer and self.state != "Hold:0":
                idle = False  # late: only when nothing more comes
                line, _, self._buffer = self._buffer.partition(b"\n")
                self._obey(line.decode().strip())

    def _receive(self, byte: bytes) -> None:
        if byte == b"\x18":
            self._reset()
        elif byte == b"?":
            self._say(
                f"<{'Run' if self._moving else self.state}|MPos:{self.x:.3f},{self.y:.3f},{self.z:.3f}|FS:0,0>\r\n"
            )
        elif byte == b"!":
            self.state = "Hold:0" if self.state == "Idle" else self.state
        elif len(self._buffer) == BUFFER:
            self.problems.append("the buffer ran over")
        else:
            self._buffer += byte
            self.most = max(self.most, len(self._buffer))

    def _reset(self) -> None:
        if self._moving:
            self.problems.append("it was reset while it moved, and no longer knows where it is")
        self._buffer = b""
        self.spindle = False
        self._motion, self._feed = "G0", 0.0
        self.resets += 1
        if self.state == "Hold:0":
            self.state = "Idle"
        self._say(BANNER)

    def _obey(self, line: str) -> None:
        trouble = self.trouble(self, line) if self.trouble is not None and not self.happened.is_set() else None
        if trouble:
            self.happened.set()
        if trouble == "silent":  # it works, but nothing of what it says arrives any more
            self._silent = True
            self._execute(line)
        elif trouble == "gone":
            os.close(self._master)
            self._gone = True
        elif trouble == "hold":
            self.state = "Hold:0"
            self._buffer = line.encode() + b"\n" + self._buffer
        elif trouble == "reset":
            self._buffer = b""
            self._reset()
        elif trouble and trouble.startswith("ALARM"):
            self.state = "Alarm"
            self._say(trouble + "\r\n")
        elif trouble and trouble.startswith("error"):
            self._say(trouble + "\r\n")
        else:
            answer = self._execute(line)
            if trouble != "lost":
                self._say(answer + "\r\n")

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
            self.problems.append(f"X{x} Y{y} is out of reach")
        if (x, y) != (self.x, self.y):
            if self.down and self._motion == "G0":
                self.problems.append("a travel with the pen down")
            if self.down:
                self.strokes[-1].append((x, y))
                self.feeds.append(self._feed)
        self.x, self.y = x, y

    def _say(self, text: str) -> None:
        if not self._silent:
            os.write(self._master, text.encode())
