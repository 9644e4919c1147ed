"""The time between the loss of a sound device and its return: said once each, and time passes meanwhile.

Threads: everything belongs to the one that waits for the device.
"""

import logging
import time

RETRY = 1.0
"""Seconds between two looks for a device that is gone."""

_log = logging.getLogger("vrnn_engine")


class Absence:
    """What a device is away for, as often as it is.

    Parameters
    ----------
    meanwhile : str
        What happens while it is, for the message.
    """

    def __init__(self, meanwhile: str) -> None:
        self._meanwhile = meanwhile
        self._since: float | None = None
        self._due = 0.0  # until when what would have been played or heard lasts
        self._next_look = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the device has gone, and not been back since."""
        return self._since is not None

    def begin(self, label: str) -> None:
        """Say that a device is gone; it may have been opened again meanwhile, and gone at once."""
        self._due = time.monotonic()
        if self._since is None:
            self._since = self._due
            _log.warning("%s is gone; %s until it is back", label, self._meanwhile)

    def end(self, label: str) -> None:
        """Say that it is back, if it was away."""
        if self._since is not None:
            _log.warning("%s is back after %.1f s", label, time.monotonic() - self._since)
            self._since = None

    def time_to_look(self) -> bool:
        """Whether to look for it again, which takes a while, so that it is not done each time one could."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + RETRY
        return True

    def sleep(self, seconds: float) -> None:
        """Let as much time pass as the device would have taken."""
        self._due += seconds
        time.sleep(max(0.0, self._due - time.monotonic()))
