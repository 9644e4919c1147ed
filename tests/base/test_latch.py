"""A latch survives exceptions of signal handlers, which `threading.Event` does not."""

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from vrnn_engine.base.latch import Latch


class Interrupted(BaseException):
    """Raised by the handler."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, handle)
    yield
    signal.signal(signal.SIGALRM, before)


def interrupt(latch: Latch | threading.Event, seconds: float) -> None:
    """Wait for a latch again and again, until a signal interrupts this."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    while True:
        latch.wait(2e-5)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timers that send signals")
def test_an_interrupted_wait_raises_what_the_handler_raises_and_can_be_repeated(alarm: None) -> None:
    for number in range(5000):
        latch = Latch()
        with pytest.raises(Interrupted):
            interrupt(latch, 3e-5 + 3.7e-6 * (number % 53))
        assert not latch.is_set()
        latch.set()
        assert latch.wait(0)


def test_all_waiting_threads_go_on_when_it_is_set() -> None:
    latch, seen = Latch(), []
    threads = [threading.Thread(target=lambda: seen.append(latch.wait(60))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert not latch.wait(0)
    latch.set()
    for thread in threads:
        thread.join()
    assert seen == [True] * 3
    assert latch.wait(60)
