"""A pseudo-terminal in which the command line runs, and a person who types into it."""

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.command import environment


class Typist:
    """A pseudo-terminal in which the command line runs, and a person who types into it."""

    def __init__(
        self, arguments: list[str], env: dict[str, str], background: Path | None, shell: list[str] | None
    ) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._theirs = theirs
        self.before = termios.tcgetattr(theirs)
        command = [sys.executable, "-m", "vrnn_engine", *arguments]
        if background is not None:
            script = (
                f"{shlex.join(command)} & sleep 5; ps -o stat= -p $! > {background}; kill -TERM $!; wait $!; exit 0"
            )
            command = ["bash", "-mc", script]
        self.process = subprocess.Popen(
            shell or command,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=environment(TERM="xterm-256color", **env),
            preexec_fn=self._take,
        )
        self.seen = ""

    @staticmethod
    def _take() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored if the tests run under nohup

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._mine)
        self._mine = os.open(os.devnull, os.O_RDWR)

    def type(self, keys: str) -> None:
        os.write(self._mine, keys.encode())

    def wait_for(self, *words: str) -> None:
        """Read the output from here on until it contains all of these words."""
        shown = ""
        for _ in range(600):
            shown += self._read(0.1)
            if all(word in shown for word in words):
                return
        raise AssertionError(f"{words} not in {shown[-2000:]!r}")

    def wait_until_the_shell_does_not_listen(self) -> None:
        """Read the output until a job of the shell is in the foreground and reads single keys."""
        for _ in range(600):
            self._read(0.05)
            if os.tcgetpgrp(self._mine) != self.process.pid and not self.now()[3] & termios.ICANON:
                return
        raise AssertionError(f"the keys are not read: {self.seen[-2000:]!r}")

    def finish(self) -> int:
        while self.process.poll() is None:
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def now(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self._mine)
        os.close(self._theirs)

    def _read(self, timeout: float) -> str:
        if not select.select([self._mine], [], [], timeout)[0]:
            return ""
        text = os.read(self._mine, 65536).decode("utf-8", "replace")
        self.seen += text
        return text


@contextmanager
def typing(voice: str, hands: Path) -> Iterator[Typist]:
    """Type a text to a voice in a terminal.  At the end it has been written, and the terminal is as it was before."""
    arguments = ["write", "--live", "--voice", voice, "--seed", "3", "--to", "terminal?width=900"]
    typist = Typist(arguments, {"VRNN_ENGINE_HANDS": str(hands)}, None, None)
    try:
        typist.wait_for("_   Ctrl-D ends, ")
        yield typist
        assert typist.finish() == 0
        assert typist.now() == typist.before
    finally:
        typist.close()
