"""A plotter that reads HPGL, at the other end of a pseudo-terminal, and a device that sends the same bytes for ever."""

import os
import pty
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class HpglPlotter:
    """Receives HPGL.  After `pause_after` bytes it sends XOFF, and XON when `resume` is set.

    `paused` is set while it has sent XOFF; setting `unplug` disconnects it.
    """

    def __init__(self, pause_after: int | None = None) -> None:
        self.received = b""
        self.paused, self.resume, self.unplug = threading.Event(), threading.Event(), threading.Event()
        self._pause_after = pause_after
        self._stop = threading.Event()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self._master], [], [], 0.01)
            if ready:
                self.received += os.read(self._master, 64)
            elif self._stop.is_set():
                return
            if self.unplug.is_set():
                os.close(self._master)
                return
            if self._pause_after is not None and len(self.received) > self._pause_after:
                os.write(self._master, b"\x13")
                self._pause_after = None
                self.paused.set()
            if self.resume.is_set() and self.paused.is_set():
                os.write(self._master, b"\x11")
                self.paused.clear()

    @contextmanager
    def connected(self) -> Iterator["HpglPlotter"]:
        """Run the plotter in a thread."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()
            if not self.unplug.is_set():
                os.close(self._master)
            os.close(self._slave)

    def wait_for_end(self, ending: bytes) -> None:
        """Wait until what it received ends with `ending`."""
        wait_for(lambda: self.received.endswith(ending))


class Chatter:
    """Sends the same bytes ten times a second, and reads nothing: at a port of its own, or over a machine's."""

    def __init__(self, data: bytes, descriptor: int | None = None) -> None:
        self._own: tuple[int, ...] = ()
        if descriptor is None:
            descriptor, slave = self._own = pty.openpty()
            tty.setraw(slave)
            self.port = os.ttyname(slave)
        self._descriptor, self._data = descriptor, data
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Chatter":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        for descriptor in self._own:
            os.close(descriptor)

    def _send(self) -> None:
        while not self._stop.wait(0.1):
            os.write(self._descriptor, self._data)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most 30 s."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("the condition never held")
