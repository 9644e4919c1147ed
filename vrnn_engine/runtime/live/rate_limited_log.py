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


class RateLimitedLog:
    """Logs at most one warning per interval, and counts the suppressed ones.  Any thread may use it.

    Parameters
    ----------
    interval : float
        Seconds between two warnings.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._quiet_until = 0.0
        self._suppressed = 0
        self._lock = threading.Lock()

    def warn(self, line: str) -> None:
        """Log a warning and the number of warnings suppressed before it; within the interval, only count it.

        Parameters
        ----------
        line : str
        """
        with self._lock:
            if time.monotonic() < self._quiet_until:
                self._suppressed += 1
                return
            self._quiet_until = time.monotonic() + self._interval
            suppressed, self._suppressed = self._suppressed, 0
        _log.warning("%s%s", line, f" ({suppressed} more lines like this not shown)" if suppressed else "")

    def flush(self) -> None:
        """Log how many warnings were suppressed since the last one, if any."""
        suppressed, self._suppressed = self._suppressed, 0
        if suppressed:
            _log.warning("%d more lines like this not shown", suppressed)
