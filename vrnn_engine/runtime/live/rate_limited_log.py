"""Rate-limited warnings about bad external input, and one-line descriptions of errors."""

import logging
import threading
import time

from vrnn_engine.errors import VRNNEngineError

_log = logging.getLogger("vrnn_engine")


def describe_error(error: Exception) -> str:
    """Return an error in one line, with its class unless it is an error of this package.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
    """
    return str(error) if isinstance(error, VRNNEngineError) else f"{type(error).__name__}: {error}"


MOST = 8
"""Largest number of warnings in an interval."""


class RateLimitedLog:
    """Logs up to `MOST` different warnings per interval, and counts the others.  Any thread may use it.

    Parameters
    ----------
    interval : float
        Seconds after which the same warning is logged again.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._until = 0.0
        self._shown: set[str] = set()
        self._suppressed = 0
        self._lock = threading.Lock()

    def warn(self, line: str) -> None:
        """Log a warning, or count it if the interval has had it, or has had many.

        Parameters
        ----------
        line : str
        """
        with self._lock:
            suppressed = 0
            if time.monotonic() >= self._until:
                self._until = time.monotonic() + self._interval
                self._shown.clear()
                suppressed, self._suppressed = self._suppressed, 0
            if line in self._shown or len(self._shown) == MOST:
                self._suppressed += 1
                return
            self._shown.add(line)
        _log.warning("%s%s", line, f" ({_lines(suppressed)} before it not shown)" if suppressed else "")

    def flush(self) -> None:
        """Log how many warnings were suppressed since the last one, if any."""
        suppressed, self._suppressed = self._suppressed, 0
        if suppressed:
            _log.warning("%s not shown", _lines(suppressed))


def _lines(count: int) -> str:
    return f"{count} more line{'' if count == 1 else 's'}"
