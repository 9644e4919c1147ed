"""Decides how many frames a session may compute: no faster than it plays, within its credit and its unsent frames."""

from dataclasses import dataclass

CATCH_UP = 1.05
"""How much faster than it plays a session may compute after a delay, so that the player's buffer fills again."""
MADE_UP = 5.0
"""Seconds of a delay that are made up for in this way."""


@dataclass(frozen=True)
class Pace:
    """Rates of a kind of voice.

    Attributes
    ----------
    frames_per_second : float
    tick : int
        Frames that are computed at once.
    lead : int
        Largest number of frames that a session is ahead of its clock, and largest number that wait to be sent.
    """

    frames_per_second: float
    tick: int
    lead: int

    @classmethod
    def of(cls, frames_per_second: float, ink: bool) -> "Pace":
        """Return the rates for sound or for ink.

        Sound is computed 20 ms at a time, a quarter of a second ahead.  A pen computes a whole word when it begins
        one, which takes long: longer ticks let more sessions share these steps, and a lead of a second hides them.
        """
        tick, lead = (0.2, 1.0) if ink else (0.02, 0.25)
        frames = frames_in(tick, frames_per_second)
        return cls(frames_per_second, frames, max(2 * frames, round(lead * frames_per_second)))

    @property
    def period(self) -> float:
        """Seconds from one tick to the next."""
        return self.tick / self.frames_per_second


def frames_in(seconds: float, frames_per_second: float) -> int:
    """Return the fewest frames that last a time, at least 1."""
    return max(1, -int(-seconds * frames_per_second // 1))


class Pacer:
    """The clock and the credit of one session.  Only the thread of the batch may use it.

    Two limits hold.  The session is at most `lead` frames ahead of its clock, which runs while there is credit; once
    the credit is spent, the client sets the pace, and the clock begins anew.  After a delay, at most
    `lead` frames are computed at once, and the rest at `CATCH_UP` times the frame rate.

    Parameters
    ----------
    pace : Pace
    credit : int
        Frames that may be computed before `give` is called.
    frames : int
        Frames of a message; two messages always fit into the lead.
    now : float
        Time in seconds.

    Attributes
    ----------
    credit : int
        Frames that may be computed before more credit is given.
    """

    def __init__(self, pace: Pace, credit: int, frames: int, now: float) -> None:
        self.credit = credit
        self._rate = pace.frames_per_second
        self._lead = max(pace.lead, 2 * frames)
        self._window = credit
        self._burst = self._due = float(self._lead)
        self._at = self._moved = now

    def give(self, frames: int) -> None:
        """Add credit."""
        self.credit += frames
        self._window = max(self._window, self.credit)

    def ready(self, now: float, unsent: int) -> int:
        """Return the number of frames that may be computed now.

        Parameters
        ----------
        now : float
            Time in seconds.
        unsent : int
            Frames that were computed and are not sent.
        """
        passed = (now - self._at) * self._rate
        self._at = now
        self._burst = min(float(self._lead), self._burst + passed * CATCH_UP)
        if self.credit:
            self._due = min(self._lead + MADE_UP * self._rate, self._due + passed)
        return max(0, min(int(self._allowed), self.credit, self._lead - unsent))

    def spend(self, frames: int) -> None:
        """Count frames that were computed."""
        self._burst -= frames
        self.credit -= frames
        self._due = self._due - frames if self.credit else float(self._lead)
        self._moved = self._at

    @property
    def _allowed(self) -> float:
        """Frames that may be computed now, as far as time is concerned."""
        return min(self._burst, self._due)

    @property
    def is_behind(self) -> bool:
        """Whether the player may run out of frames soon.

        More than half of the lead is missing then, and more than half of the most credit that the client ever gave is
        free: a player whose buffer is full has taken what it could, and can wait for the next tick.
        """
        return self._allowed > self._lead / 2 and self.credit > self._window / 2

    def stalled(self, now: float) -> float:
        """Return the number of seconds since frames were computed."""
        return now - self._moved
