"""What is wrong with what comes from outside, said once and not a thousand times a second."""

import logging
import threading
import time

from vrnn_engine.errors import VRNNEngineError

_log = logging.getLogger("vrnn_engine")


def in_words(error: Exception) -> str:
    """Return what an error says; of one that nobody foresaw, also what it is."""
    return str(error) if isinstance(error, VRNNEngineError) else f"{type(error).__name__}: {error}"


class Complaints:
    """Lines for the log, one a second at most; how many others there were is said with the next."""

    def __init__(self, every: float = 1.0) -> None:
        self._every = every
        self._until = 0.0
        self._held = 0
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """Say it now, or only count it."""
        with self._lock:
            if time.monotonic() < self._until:
                self._held += 1
                return
            self._until = time.monotonic() + self._every
            held, self._held = self._held, 0
        _log.warning("%s%s", line, f" ({held} more lines like this not shown)" if held else "")

    def flush(self) -> None:
        """Say how many have not been said."""
        held, self._held = self._held, 0
        if held:
            _log.warning("%d more lines like this not shown", held)
