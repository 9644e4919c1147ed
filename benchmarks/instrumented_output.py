"""Output devices that measure their audio callback: its duration, the functions it calls, the memory it allocates."""

import sys
import time
import tracemalloc
from typing import Any

import numpy as np

from vrnn_engine.runtime.audio.output import OutputDevice


class TimedOutput(OutputDevice):
    """Times each callback.

    Attributes
    ----------
    notes : float64 array [n, 3]
        For each callback: start time and duration in seconds, and the number of samples taken from the ring by its end.
    count : int
        Number of callbacks recorded.
    """

    def __init__(self, *given: Any) -> None:
        self.notes = np.zeros((1 << 20, 3))  # enough for two hours; memory is used as it is written
        self.count = 0
        super().__init__(*given)

    def _play(self, *given: Any) -> None:
        began = time.perf_counter()
        try:
            super()._play(*given)
        finally:
            self.notes[self.count] = began, time.perf_counter() - began, self.ring.taken
            self.count += 1


class TracedOutput(OutputDevice):
    """Traces the callbacks: alternately the functions that a callback calls, and the memory that it allocates.

    Attributes
    ----------
    notes : float64 array [n]
        For each callback of the second kind: peak of the bytes allocated during the callback, by all threads.
    count : int
        Number of callbacks recorded in `notes`.
    calls : set of str
        Names of the functions that the callbacks called.
    """

    def __init__(self, *given: Any) -> None:
        self.notes = np.zeros(1 << 20)
        self.count = 0
        self.calls: set[str] = set()
        self._odd = False
        super().__init__(*given)
        tracemalloc.start()

    def _play(self, *given: Any) -> None:
        self._odd = not self._odd
        if self._odd:
            sys.setprofile(self._note)
            try:
                super()._play(*given)
            finally:
                sys.setprofile(None)
            return
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            super()._play(*given)
        finally:
            self.notes[self.count] = tracemalloc.get_traced_memory()[1] - before
            self.count += 1

    def _note(self, frame: Any, event: str, what: Any) -> None:
        if event == "call":
            self.calls.add(frame.f_code.co_qualname)
        elif event == "c_call" and what is not sys.setprofile:
            self.calls.add(what.__qualname__)

    def close(self) -> None:
        """Close the device and stop tracing."""
        super().close()
        tracemalloc.stop()
