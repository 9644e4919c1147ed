"""What is wrong with what comes from outside, said once and not a thousand times a second."""

import logging
import threading
import time

_log = logging.getLogger("vrnn_engine")


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
