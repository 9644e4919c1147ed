"""Decides whether another session fits, by how long ticks take: a server that is full refuses, it does not stutter.

The time to compute one frame of all rows is modelled as `a + b * rows`.  Least squares fit it to the ticks of the last
seconds; older ticks lose weight.  `has_room` compares what the model says of one more row with the time that a frame
lasts: the mean must leave some time, and the mean with the usual deviations of a tick must not take longer.  Nobody is
admitted either while more than one tick in a hundred is late.

Threading contract: any thread may call any method.
"""

import collections
import math
import threading
import time
from collections.abc import Callable

SHARES = {"audio": 0.85, "pen": 0.6}
"""Largest share of the time that computing may take; ticks of ink differ more, because a word is computed at once."""
MEMORY_SECONDS = 5.0
"""Time after which a tick counts 1/e of a new one."""
LATE_SECONDS = 20.0
"""Time after which a late tick counts 1/e of a new one."""
LATE = 0.01
"""Largest share of late ticks; one of them may always be late."""
DEVIATIONS = 3.0
"""Mean absolute deviations that a tick may take longer than the model says; of normal numbers, 99 in 100 do not."""
_FIRST_GUESS = 5.0
"""Weight of the first measurements, which never fades; it tells the slope while all ticks have the same rows."""


class Admission:
    """Counts the sessions of one voice, and decides about the next one.

    Parameters
    ----------
    frame_seconds : float
        How long a frame lasts.
    limit : int, optional
        Largest number of sessions, whatever the times are.
    share : float
        Largest share of the time that computing may take.
    clock : callable
        Returns the time in seconds.

    Attributes
    ----------
    sessions : int
        Number of sessions that were admitted and have not left.
    """

    def __init__(
        self,
        frame_seconds: float,
        limit: int | None = None,
        share: float = SHARES["audio"],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sessions = 0
        self._frame = frame_seconds
        self._limit = limit
        self._share = share
        self._longest = frame_seconds * max(1.0, share)  # a tick that takes longer a frame is late
        self._clock = clock
        self._lock = threading.Lock()
        self._sums = [0.0] * 5  # of 1, rows, seconds, rows * rows, rows * seconds; weighted
        self._first = [0.0] * 5
        self._deviations = 0.0  # weighted sum of the distances from the model
        self._at = clock()
        self._ticks = self._late = 0.0  # weighted numbers
        self._left: collections.deque[float] = collections.deque(maxlen=64)

    def calibrate(self, rows: int, seconds: float) -> None:
        """Add a measurement from before the first session.

        Parameters
        ----------
        rows : int
        seconds : float
            Time to compute one frame of these rows.
        """
        with self._lock:
            self._first = [
                old + _FIRST_GUESS * new for old, new in zip(self._first, _terms(rows, seconds), strict=True)
            ]

    def measured(self, rows: float, seconds: float) -> None:
        """Add a tick.

        Parameters
        ----------
        rows : float
            Mean number of rows that were computed in each frame.
        seconds : float
            Time to compute one frame of these rows.
        """
        deviation = abs(seconds - self.predicted(rows))
        with self._lock:
            now = self._clock()
            kept, late_kept = self._kept(now, MEMORY_SECONDS), self._kept(now, LATE_SECONDS)
            self._at = now
            self._sums = [kept * old + new for old, new in zip(self._sums, _terms(rows, seconds), strict=True)]
            self._deviations = kept * self._deviations + deviation
            self._ticks = late_kept * self._ticks + 1
            self._late = late_kept * self._late + (seconds > self._longest)

    def predicted(self, rows: float) -> float:
        """Return the seconds that computing a frame of a number of rows takes; 0 before anything was measured.

        Parameters
        ----------
        rows : float
        """
        with self._lock:
            n, x, y, xx, xy = (a + b for a, b in zip(self._sums, self._first, strict=True))
        if not n:
            return 0.0
        spread = n * xx - x * x
        # Ticks of one size tell no slope; the time then grows in proportion to the rows, which is too careful.
        slope = max(0.0, (n * xy - x * y) / spread) if spread > 1e-9 * n * xx else y / max(x, 1e-12)
        return max(0.0, (y - slope * x) / n + slope * rows)

    @property
    def has_room(self) -> bool:
        """Whether another session fits."""
        if self._limit is not None and self.sessions >= self._limit:
            return False
        if self.sessions == 0:
            return True
        mean = self.predicted(self.sessions + 1)
        most = mean + DEVIATIONS * self.deviation
        return mean <= self._share * self._frame and most <= self._longest and not self.is_late

    @property
    def deviation(self) -> float:
        """Mean absolute deviation of the ticks from the model, in seconds of a frame."""
        with self._lock:
            return self._deviations / self._sums[0] if self._sums[0] else 0.0

    @property
    def is_late(self) -> bool:
        """Whether more ticks than `LATE` took longer than their frames last."""
        with self._lock:
            kept = self._kept(self._clock(), LATE_SECONDS)
            return kept * self._late > max(1.0, LATE * kept * self._ticks)

    def admit(self) -> bool:
        """Count another session if it fits; return whether it does."""
        if not self.has_room:
            return False
        with self._lock:
            self.sessions += 1
        return True

    def leave(self) -> None:
        """Count a session that has left."""
        with self._lock:
            self.sessions -= 1
            self._left.append(self._clock())

    @property
    def retry_after(self) -> int:
        """Seconds until a session is likely to have left, 1 to 30: the mean time between two that left lately."""
        with self._lock:
            recent = [at for at in self._left if self._clock() - at < 60]
        return max(1, min(30, round(60 / len(recent)))) if recent else 10

    def _kept(self, now: float, memory: float) -> float:
        """Return the weight that what was measured last has now, which falls to 1/e in the time `memory`."""
        return math.exp(-max(0.0, now - self._at) / memory)


def _terms(rows: float, seconds: float) -> tuple[float, ...]:
    return 1.0, rows, seconds, rows * rows, rows * seconds
