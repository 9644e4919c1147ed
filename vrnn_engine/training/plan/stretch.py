"""Stretches the schedule of a recipe to another number of updates."""

import msgspec

from vrnn_engine.training.recipe import Schedule

STRETCHED = ("warmup", "decay", "kl_warmup", "resample_from")
"""Numbers of updates that keep their proportion to all updates."""


def stretched(schedule: Schedule, updates: int, done: int = 0, now: Schedule | None = None) -> Schedule:
    """Return a schedule with another number of updates, and its other numbers of updates in proportion.

    Parameters
    ----------
    schedule : Schedule
        The recipe's `training` table.
    updates : int
        The new number of updates, above 0.
    done : int
        Number of updates already made; resampling that has not begun begins later than that.
    now : Schedule, optional
        The schedule that these updates followed; resampling that has begun continues, and `validate_every` is kept.
    """
    factor = updates / schedule.updates
    changes = {name: int(getattr(schedule, name) * factor) for name in STRETCHED}
    changes |= {"updates": updates, "validate_every": max(1, round(schedule.validate_every * factor))}
    if now:
        changes["validate_every"] = now.validate_every
        if schedule.resample:
            begun = now.resample_from <= done
            changes["resample_from"] = now.resample_from if begun else max(changes["resample_from"], done + 1)
    return msgspec.structs.replace(schedule, **changes)
