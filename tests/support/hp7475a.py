"""Simulates an HP 7475A at the other end of a pseudo-terminal: buffer, handshakes, device control and hard clipping.

It is in the state in which HP delivers it: the hardwire handshake is on, and no Xoff is sent.  The line is simulated
too: a byte leaves the computer unless its port obeys the handshake that the plotter uses, and the wire has it.
"""

import os
import pty
import re
import select
import termios
import threading
import tty
from types import TracebackType
from typing import Self

BUFFER = 1024
REACH = (11040, 7721)
"""Largest X and Y on A4."""

_UNDER_WAY = 32  # bytes that an adapter sends on after Xoff
_HARDWIRE_BLOCK = 80
_XON_ROOM = 128


class Hp7475a:
    """Draws what it receives; a context manager.

    Parameters
    ----------
    wired : bool
        Whether the cable carries DTR to the computer's CTS.
    answers : bool
        Whether the cable carries data back.

    Attributes
    ----------
    strokes : list of list of (int, int)
        Strokes drawn with the pen down, in plotter units.
    clipped : int
        Moves beyond the limits.
    lost : int
        Bytes that found the buffer full.
    view : threading.Event
        While it is set, the plotter receives but does not draw, as after its button VIEW.
    """

    def __init__(self, wired: bool = False, answers: bool = True) -> None:
        self.wired, self.answers = wired, answers
        self.strokes: list[list[tuple[int, int]]] = []
        self.clipped = self.lost = 0
        self.most_buffered = 0
        self.controls: list[str] = []
        self.instructions: list[str] = []
        self.pen = 0
        self._hardwire, self._block, self._xon, self._xoff = True, _HARDWIRE_BLOCK, 0, 0
        self._held, self._after_xoff = False, 0
        self._error = 0
        self.view = threading.Event()
        self._buffer, self._escape = bytearray(), ""
        self._instruction = ""
        self._here, self._down = (0, 0), False
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.finish()
        os.close(self._master)
        os.close(self._slave)

    def target(self, options: str = "") -> str:
        """Return the target string of a sink that draws on this plotter."""
        return f"serial:{self.port}?format=hpgl&plotter=7475a{options}"

    @property
    def line_is_idle(self) -> bool:
        """Whether everything that was sent has arrived."""
        return not select.select([self._master], [], [], 0)[0]

    def finish(self) -> None:
        """Draw everything that was sent, and stop."""
        self.view.clear()
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            arrived = self._line_is_open() and select.select([self._master], [], [], 0.001)[0]
            if arrived:
                for byte in os.read(self._master, 16):
                    self._receive(byte)
            elif self._stop.is_set() and not self._buffer:
                return
            for _ in range(16 if not arrived else 4):  # it draws more slowly than data arrive
                if self._buffer and not self.view.is_set():
                    self._execute(chr(self._buffer.pop(0)))
            self._say_room()

    def _line_is_open(self) -> bool:
        """Whether the computer sends: its port obeys Xoff or CTS only if it is set to."""
        flags = termios.tcgetattr(self._slave)
        if self._held and flags[0] & termios.IXON:
            self._after_xoff -= 16
            return self._after_xoff >= 0
        dtr = not self._hardwire or BUFFER - len(self._buffer) >= self._block
        return dtr or not (self.wired and flags[2] & termios.CRTSCTS)

    def _say_room(self) -> None:
        room = BUFFER - len(self._buffer)
        if self._xoff and not self._held and room < self._block:
            self._held, self._after_xoff = True, _UNDER_WAY
            os.write(self._master, bytes([self._xoff]))
        elif self._held and room > max(_XON_ROOM, self._block):
            self._held = False
            os.write(self._master, bytes([self._xon]))

    def _receive(self, byte: int) -> None:
        """Take a byte from the line: device control acts at once, all else goes to the buffer."""
        if byte == 0x1B:
            self._escape = "\x1b"
        elif self._escape:
            self._escape += chr(byte)
            if len(self._escape) == 2 and byte != ord("."):
                self._error, self._escape = 11, ""
            elif len(self._escape) > 2 and (self._escape[2] in "BEJKLORYZ()" or byte == ord(":")):
                command, self._escape = self._escape[2:], ""
                self._control(command)
        elif len(self._buffer) == BUFFER:
            self.lost += 1
            self._error = 16
        else:
            self._buffer.append(byte)
            self.most_buffered = max(self.most_buffered, len(self._buffer))

    def _control(self, command: str) -> None:
        self.controls.append(command)
        values = [int(text) if text else 0 for text in command[1:].rstrip(":").split(";")]
        values += [0] * (3 - len(values))
        match command[0]:
            case "@":
                self._hardwire = bool(values[1] & 1)
            case "I":
                assert values[1] == 0  # no enquire/acknowledge
                self._block, self._xon = values[0] or _HARDWIRE_BLOCK, values[2]
            case "N":
                self._xoff = values[1]
            case "K":
                self._buffer.clear()
                self._instruction = ""
            case "B":
                self._answer(BUFFER - len(self._buffer))
            case "E":
                self._answer(self._error)
                self._error = 0

    def _answer(self, number: int) -> None:
        if self.answers:
            os.write(self._master, b"%d\r" % number)

    def _execute(self, character: str) -> None:
        if character != ";":
            self._instruction += character
            return
        instruction, self._instruction = self._instruction.strip(), ""
        match = re.fullmatch(r"([A-Z]{2})(-?\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?)*)?", instruction)
        if match is None:
            return  # what a lost byte has left behind
        self.instructions.append(instruction)
        name, numbers = match[1], [float(text) for text in (match[2] or "").split(",") if text]
        if name == "SP":
            self.pen = int(numbers[0]) if numbers else 0
        elif name in ("PU", "PD"):
            self._down = name == "PD"
            if self._down and self.pen:
                self.strokes.append([self._here])
            for x, y in zip(numbers[::2], numbers[1::2], strict=False):
                self._move(int(x), int(y))

    def _move(self, x: int, y: int) -> None:
        if not (0 <= x <= REACH[0] and 0 <= y <= REACH[1]):
            self.clipped += 1
        self._here = (x, y)
        if self._down and self.pen:
            self.strokes[-1].append(self._here)
