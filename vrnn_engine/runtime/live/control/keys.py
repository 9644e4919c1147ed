"""Steering with the keys of a terminal: reading them one by one, and what each of them does.

The terminal is as it was before, however the block of `Terminal` is left.  Ctrl-C interrupts as ever.
"""

import contextlib
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.live.events import AnyEvent, Follow, Nudge, Reset, Restore, Rewind, Save, Set, Trace
from vrnn_engine.runtime.live.performance import Performance

NUDGE, PUSH = 0.01, 0.1
"""Parts of a control's range that a key moves it by, alone and with Shift."""
BACK = 2.0
"""Seconds that a key goes back, and that a loop is long."""
LOOP = "loop"
"""What the path of a loop is called."""

_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[^\x1b]")
_CUT_OFF = re.compile(r"\x1b(\[[0-9;]*|O)?$")
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_NAMES = {f"\x1b{how}{end}": name for how in "[O" for end, name in _ARROWS.items()}
_NAMES |= {f"\x1b[1;2{end}": f"shift-{name}" for end, name in _ARROWS.items()}


class Terminal:
    """The terminal at standard input, read key by key within its `with` block.

    Ctrl-Z leaves it to the shell as it was.  What the shell then makes of it is undone when keys are next read.
    """

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        self._rest = ""

    @staticmethod
    def usable() -> bool:
        """Whether keys can be read: there is a terminal, and this process is the one that it talks to."""
        if sys.stdin is None or not sys.stdin.isatty() or not hasattr(os, "tcgetpgrp"):
            return False
        # Whoever changes a terminal from the background is stopped.
        try:
            return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        except OSError:  # it is another session's, or gone by now
            return False

    def __enter__(self) -> Self:
        import termios

        self._before: list[Any] = termios.tcgetattr(self._file)
        self._take()
        main = threading.current_thread() is threading.main_thread()  # no other may say what a signal does
        self._leaves = main and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
        if self._leaves:
            signal.signal(signal.SIGTSTP, self._leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leaves:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        self._give_back()

    def keys(self, timeout: float) -> list[str]:
        """Return the keys pressed, waiting so many seconds for one: characters, `up`, `shift-left` and so on."""
        if not self.usable():  # in the background, or the terminal is gone
            time.sleep(timeout)
            return []
        self._take()
        if not select.select([self._file], [], [], timeout)[0]:
            return []
        data = os.read(self._file, 1024)
        if not data:  # the terminal is gone
            time.sleep(timeout)
        text = self._rest + data.decode("utf-8", "ignore")
        cut = _CUT_OFF.search(text) if data else None
        self._rest = cut[0] if cut else ""
        found = _KEY.findall(text[: len(text) - len(self._rest)])
        return [_NAMES.get(key, key) for key in found if len(key) == 1 or key in _NAMES]

    def _take(self) -> None:
        """Have it give its keys one by one, unless it does."""
        import termios
        import tty

        with contextlib.suppress(termios.error):  # gone by now
            if termios.tcgetattr(self._file)[3] & (termios.ICANON | termios.ECHO):
                tty.setcbreak(self._file)

    def _give_back(self) -> None:
        """Make it as it was, if it is there and ours."""
        import termios

        with contextlib.suppress(termios.error):
            if self.usable():
                termios.tcsetattr(self._file, termios.TCSANOW, self._before)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        """Stop, as Ctrl-Z would without us."""
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, self._leave)


class Keyboard:
    """What keys do to a performance.

    Parameters
    ----------
    performance : Performance
    learn : callable, optional
        Called with CONTROL or CONTROL/INDEX to let a MIDI controller be learnt for it.

    Attributes
    ----------
    chosen : str
        The control that keys turn.
    dimension : int or None
        The one dimension of it that they turn; None for all.
    said : str
        What came of the last key.
    """

    HELP = (
        "up/down choose   left/right turn, Shift: faster   [ ] one dimension   d default",
        "r reset all   h hold latents   l loop those of 2 s   s 1-9 keep a moment",
        "1-9 return to it   b back 2 s   m learn a MIDI controller   q quit",
    )

    def __init__(self, performance: Performance, learn: Callable[[str], None] | None = None) -> None:
        self._performance = performance
        self._learn = learn
        self._names = list(performance.controls)
        self._keeping = False
        self.chosen = self._names[0] if self._names else ""
        self.dimension: int | None = None
        self.said = ""

    @property
    def line(self) -> str:
        """All that it has to say, in one line."""
        if not self.chosen:
            return self.said
        value = np.atleast_1d(self._performance.controls[self.chosen])
        name = self.chosen if self.dimension is None else f"{self.chosen}/{self.dimension}"
        number = value.mean() if self.dimension is None else value[self.dimension]
        return f"{name} {number:.3g}   {self.said or 'arrows, h l s b r, q quits'}"

    def press(self, key: str) -> bool:
        """Do what a key is for; return whether to go on."""
        if key == "q":
            return False
        keeping, self._keeping, self.said = self._keeping, False, ""
        try:
            if key in "123456789":
                self._send(Save(name=key) if keeping else Restore(name=key), "kept as" if keeping else "back at", key)
            elif key == "s":
                self._keeping, self.said = True, "keep this moment as 1 to 9?"
            elif key == "r":
                self._send(Reset(), "all controls at their defaults")
            elif key == "b":
                self._send(Rewind(seconds=BACK), f"{BACK:g} s back")
            elif key == "h":
                self._hold()
            elif key == "l":
                self._performance.send(Trace(name=LOOP, seconds=BACK))
                self._send(Follow(path=LOOP, times=0), f"the latents of the last {BACK:g} s, over and over; h lets go")
            elif key == "m":
                self._let_learn()
            elif self.chosen:
                self._turn(key)
        except VRNNEngineError as error:
            self.said = str(error)
        return True

    def _turn(self, key: str) -> None:
        """Do what concerns the chosen control."""
        spec = self._performance.controls.specs[self.chosen]
        span = spec.maximum - spec.minimum
        match key:
            case "up" | "down":
                at = self._names.index(self.chosen) + (1 if key == "down" else -1)
                self.chosen, self.dimension = self._names[at % len(self._names)], None
            case "[" | "]":
                count = spec.shape[0]
                if count > 1:
                    at = count if self.dimension is None else self.dimension  # all of them come after the last
                    at = (at + (1 if key == "]" else -1)) % (count + 1)
                    self.dimension = None if at == count else at
            case "left" | "right" | "-" | "+":
                self._add(span * NUDGE * (1 if key in ("right", "+") else -1))
            case "shift-left" | "shift-right":
                self._add(span * PUSH * (1 if key == "shift-right" else -1))
            case "d":
                self._performance.send(Set(control=self.chosen, index=self.dimension, value=spec.default))

    def _add(self, by: float) -> None:
        self._performance.send(Nudge(control=self.chosen, index=self.dimension, by=by))

    def _hold(self) -> None:
        performance = self._performance
        hold, target = performance.controls.get("latent.hold"), performance.controls.specs.get("latent.target")
        if hold is None or target is None or not performance.stream.latent.size:
            self.said = "this voice has no latents to hold"
        elif np.any(hold):
            self._send(Set(control="latent.hold", value=0.0), "latents let go")
        else:
            now = np.clip(performance.stream.latent, target.minimum, target.maximum)
            performance.send(Set(control="latent.target", value=tuple(now.tolist())))
            self._send(Set(control="latent.hold", value=1.0), "latents held")

    def _let_learn(self) -> None:
        if self._learn is None:
            self.said = "no MIDI device: start with --midi NAME"
        elif self.chosen:
            self._learn(self.chosen if self.dimension is None else f"{self.chosen}/{self.dimension}")

    def _send(self, event: AnyEvent, *words: str) -> None:
        self._performance.send(event)
        self.said = " ".join(words)
