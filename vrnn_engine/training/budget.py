"""Plans the number of updates of a run by the time that it has, as measured in the run itself.

The first updates follow the schedule of the recipe.  Then the time of an update and of a validation is known, and the
schedule is stretched to the number of updates for which there is time.  After each validation the plan is made again,
because a machine may become slower or faster.  Two validations of time are kept for the end: one on the validation
split, one on the test split.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from vrnn_engine.training.checkpoint import LAST
from vrnn_engine.training.plan.stretch import stretched
from vrnn_engine.training.recipe import Schedule
from vrnn_engine.training.training_run import TrainingRun

MEASURED_UPDATES = 10
"""Number of updates after which the first plan is made, if they take no longer than `MEASURED_SHARE` of the time."""
MEASURED_SHARE = 0.05
"""Share of the time after which the first plan is made in any case."""
VALIDATION_SHARE = 0.1
"""Largest share of the time for validations."""
RESAMPLED = 1.4
"""Assumed time of an update that resamples, relative to one that does not, before it is measured."""
RESERVE = 2.5
"""Time that is kept for the end, in validations."""

_log = logging.getLogger(__name__)


class Clock:
    """The time that a run has and has used, in seconds of the clock on the wall.

    Parameters
    ----------
    minutes : float
        Time that the whole run has.
    used : float
        Seconds that its earlier parts took, before it was interrupted.
    now : callable
        Returns the time in seconds, from any beginning.
    """

    def __init__(self, minutes: float, used: float = 0.0, now: Callable[[], float] = time.monotonic):
        self.minutes = minutes
        self._now = now
        self._began = now() - used

    @property
    def used(self) -> float:
        """Seconds that the run has taken."""
        return self._now() - self._began

    @property
    def left(self) -> float:
        """Seconds that remain; negative once they are exceeded."""
        return 60 * self.minutes - self.used

    def continued(self, used: float) -> "Clock":
        """Return a clock that also counts the seconds that earlier parts of the run took."""
        return Clock(self.minutes, used + self.used, self._now)

    def end(self) -> str:
        """Return the time of day at which the run ends."""
        return f"{datetime.now() + timedelta(seconds=max(0.0, self.left)):%H:%M}"


@dataclass(frozen=True)
class Costs:
    """Measured times in seconds."""

    update: float
    """Of an update."""
    validation: float
    """Of a validation, with the checkpoints that it writes."""


def updates_in(seconds: float, schedule: Schedule, costs: Costs, done: int, validations: bool) -> int:
    """Return the total number of updates that a run has time for.

    Parameters
    ----------
    seconds : float
        Time that remains, without that kept for the end.
    schedule : Schedule
        The schedule that the run follows; its share of updates that resample is kept.
    costs : Costs
        Measured times.
    done : int
        Number of updates already made.
    validations : bool
        Whether the time also contains a validation for every `validate_every` updates.
    """
    each = costs.validation / schedule.validate_every if validations else 0.0
    if schedule.resample and done < schedule.resample_from:
        # All updates T, of which the share s resamples: seconds = (T - done) (update + each) + T s (c - 1) update.
        share = max(0.0, 1 - schedule.resample_from / schedule.updates)
        extra = share * (RESAMPLED - 1) * costs.update
        total = (seconds + done * (costs.update + each)) / (costs.update + each + extra)
    else:
        total = done + seconds / (costs.update + each)
    return max(done + 1, int(total))


class Planner:
    """Changes the schedule of a run such that the run ends in its time.

    Call `after_update` after every update.

    Parameters
    ----------
    run : TrainingRun
        The run; if it is resumed, as it was restored.
    schedule : Schedule
        The schedule of the recipe, which is stretched.
    clock : Clock
        The time of the run.
    """

    def __init__(self, run: TrainingRun, schedule: Schedule, clock: Clock):
        self.run, self.schedule, self.clock = run, schedule, clock
        self.planned = False
        self._first, self._before = run.done, self._time()
        finished = run.done > 0 and run.done >= run.recipe.training.updates
        if finished and run.world.agreed(self._seconds_left() > 0):
            run.follow(stretched(schedule, run.done + MEASURED_UPDATES + 1, run.done, run.recipe.training))
        self._mark()
        self.stamp()

    def stamp(self) -> None:
        """Record the planned and the used time in the run, for its checkpoints."""
        self.run.time_limit = {
            "planned_minutes": float(self.clock.minutes),
            "run_minutes": self.clock.used / 60,
            "recipe_updates": float(self.schedule.updates),
        }

    def after_update(self) -> None:
        """Plan again if it is time for that, and end the run if its time is over."""
        run, made = self.run, self.run.done - self._first
        if made == 1:
            self._mark()  # the first update also prepares what later ones use again
        elif self._is_due(made):
            self._plan()
        finished = run.done >= run.recipe.training.updates
        if not finished and run.world.agreed(made >= 2 and self._seconds_left() < self._last_update()):
            self._end()
        self._before = self._time()
        self.stamp()

    def _is_due(self, made: int) -> bool:
        """Return whether to plan: once enough updates are measured, and then after each validation."""
        if self.planned:
            return self.run.done % self.run.recipe.training.validate_every == 0
        enough = made > MEASURED_UPDATES or self.clock.used > MEASURED_SHARE * 60 * self.clock.minutes
        return made >= 2 and self.run.world.agreed(enough)

    def _end(self) -> None:
        """End the run with the update that it has made."""
        run, schedule = self.run, self.run.recipe.training
        decay = min(schedule.decay, run.done)
        warmup = min(schedule.warmup, run.done - decay)
        run.follow(msgspec.structs.replace(schedule, updates=run.done, decay=decay, warmup=warmup))
        if run.metrics.get("updates") == run.done:
            run.save(LAST)  # these weights are validated already; the schedule is new
        else:
            run.validate()

    def _time(self) -> float:
        """Return the time that the run has used, without its validations."""
        return self.clock.used - self.run.all_validation_seconds

    def _last_update(self) -> float:
        """Return how long the last update took."""
        return self._time() - self._before

    def _seconds_left(self) -> float:
        """Return the time for updates: without that kept for the end."""
        return self.clock.left - RESERVE * self.run.validation_seconds

    def _mark(self) -> None:
        """Remember where the next measurement begins."""
        self._marked_update, self._marked_time = self.run.done, self._time()

    def _plan(self) -> None:
        """Measure the costs since the last plan, and stretch the schedule to the time that is left."""
        run = self.run
        if not run.validation_seconds:
            run.validate()
        if run.done >= run.recipe.training.updates:
            return
        spent = self._time() - self._marked_time
        costs = Costs(max(spent / max(1, run.done - self._marked_update), 1e-9), run.validation_seconds)
        run.follow(self._next_schedule(costs) if self.planned else self._first_schedule(costs))
        self.planned = True
        self._mark()

    def _first_schedule(self, costs: Costs) -> Schedule:
        """Return the schedule for the time that is left, with no more validations than `VALIDATION_SHARE` of it."""
        run, left = self.run, self._seconds_left()
        each = max(costs.validation, 1e-9)
        count = self.schedule.updates / self.schedule.validate_every
        count = min(count, VALIDATION_SHARE * max(0.0, left) / each)
        new = self._stretched(updates_in(left - count * each, run.recipe.training, costs, run.done, validations=False))
        every = run.world.of_rank_zero(max(1, round(new.updates / max(1.0, count))))
        _log.info(
            "%s: %.3g s an update and %.3g s a validation: %s updates, with a validation every %s, until about %s",
            *(run.recipe.name, costs.update, costs.validation, f"{new.updates:,}", f"{every:,}", self.clock.end()),
        )
        return msgspec.structs.replace(new, validate_every=every)

    def _next_schedule(self, costs: Costs) -> Schedule:
        """Return the schedule for the time that is left, with as many updates between validations as before."""
        schedule = self.run.recipe.training
        return self._stretched(updates_in(self._seconds_left(), schedule, costs, self.run.done, validations=True))

    def _stretched(self, total: int) -> Schedule:
        """Return the schedule of the recipe, stretched to the number of updates that rank 0 has computed."""
        return stretched(self.schedule, self.run.world.of_rank_zero(total), self.run.done, self.run.recipe.training)
