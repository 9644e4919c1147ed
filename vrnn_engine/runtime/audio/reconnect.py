"""Tracks a sound device's disconnections and times the attempts to reconnect.

Threads: one thread, the one that reads from the device or writes to it.
"""

import logging
import time
from typing import TypeVar

from vrnn_engine.errors import VRNNEngineError

RETRY_SECONDS = 1.0
"""Time between two attempts to reconnect."""

Error = TypeVar("Error", bound=VRNNEngineError)

_log = logging.getLogger("vrnn_engine")


class Reconnect:
    """Logs when a device is lost and when it returns, times the attempts to reconnect, and keeps the stream's pace.

    Parameters
    ----------
    meanwhile : str
        What happens while the device is disconnected, for the warning, e.g. `hearing silence`.
    """

    def __init__(self, meanwhile: str) -> None:
        self._meanwhile = meanwhile
        self._since: float | None = None
        self._due = 0.0  # when the last block would have been played or recorded
        self._next_attempt = 0.0

    @property
    def disconnected(self) -> bool:
        """Whether the device is disconnected, or was reopened but has not worked since."""
        return self._since is not None

    def lost(self, label: str) -> None:
        """Note that the device was disconnected, and log a warning unless it was disconnected before.

        Parameters
        ----------
        label : str
            Name of the device in the warning.
        """
        self._due = time.monotonic()
        if self._since is None:
            self._since = self._due
            _log.warning("%s is disconnected; %s until it is back", label, self._meanwhile)

    @staticmethod
    def error(label: str, cause: Exception, error_class: type[Error]) -> Error:
        """Return the error for a disconnected device, if the stream must not wait for it.

        Parameters
        ----------
        label : str
            Name of the device.
        cause : Exception
            The error that showed the disconnection.
        error_class : type
            Class of the error returned.
        """
        return error_class(f"{label} is disconnected: {cause}; connect it and start again")

    def restored(self, label: str) -> None:
        """Note that the device works, and log that it is back if it was disconnected.

        Parameters
        ----------
        label : str
            Name of the device in the message.
        """
        if self._since is not None:
            _log.warning("%s is back after %.1f s", label, time.monotonic() - self._since)
            self._since = None

    def should_try(self) -> bool:
        """Return whether to try to reconnect now.  An attempt takes time, so one is made every `RETRY_SECONDS`."""
        now = time.monotonic()
        if now < self._next_attempt:
            return False
        self._next_attempt = now + RETRY_SECONDS
        return True

    def sleep(self, seconds: float) -> None:
        """Sleep for the time that the device would have needed for a block.

        Parameters
        ----------
        seconds : float
            Duration of the block.  Time that passed since the last block is subtracted.
        """
        self._due += seconds
        time.sleep(max(0.0, self._due - time.monotonic()))
