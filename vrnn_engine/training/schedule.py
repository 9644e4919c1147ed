"""Schedules over the updates: the learning rate, the weight of the KL, and the decay of the moving average."""

import math

from vrnn_engine.training.recipe import Schedule


def learning_rate(schedule: Schedule, done: int) -> float:
    """Return the learning rate of the next update.

    The rate falls from `learning_rate` to `final_learning_rate` along half a cosine over all updates (cosine annealing
    without restarts, Loshchilov & Hutter 2017).  With `warmup`, it first rises linearly from 0.  With `decay`, it then
    stays constant until the last `decay` updates, and the half cosine is over these (warmup-stable-decay, Hu et al.
    2024).

    Parameters
    ----------
    schedule : Schedule
        The recipe's `training` table.
    done : int
        Number of updates already made, 0 to `schedule.updates`.
    """
    if done < schedule.warmup:
        return schedule.learning_rate * (done + 1) / schedule.warmup
    first = schedule.updates - schedule.decay if schedule.decay else schedule.warmup
    if done < first:
        return schedule.learning_rate
    share = 0.5 * (1 + math.cos(math.pi * (done - first) / (schedule.updates - first)))
    return schedule.final_learning_rate + share * (schedule.learning_rate - schedule.final_learning_rate)


def total_can_change(schedule: Schedule, updates: int, done: int | None) -> bool:
    """Return whether an unfinished run may get another total of updates: with a `decay` that has not begun.

    Parameters
    ----------
    schedule : Schedule
        The `training` table of the run.
    updates : int
        The new total.
    done : int or None
        Number of updates already made, if it is known.
    """
    return bool(schedule.decay) and done is not None and done <= min(schedule.updates, updates) - schedule.decay


def kl_weight(schedule: Schedule, done: int) -> float:
    """Return the weight of the KL term in the loss of the next update.

    The weight rises linearly from `kl_start` to 1 over `kl_warmup` updates, so that the model does not learn to ignore
    the latent at the start (KL annealing, Bowman et al. 2016).

    Parameters
    ----------
    schedule : Schedule
        The recipe's `training` table.
    done : int
        Number of updates already made.
    """
    if done >= schedule.kl_warmup:
        return 1.0
    return schedule.kl_start + (1 - schedule.kl_start) * done / schedule.kl_warmup


def average_decay(schedule: Schedule, done: int) -> float:
    """Return the decay of the moving average of the weights after an update.

    The decay is done / (done + 10) until this exceeds the recipe's `average`, so that the average forgets the random
    initial weights quickly.

    Parameters
    ----------
    schedule : Schedule
        The recipe's `training` table.
    done : int
        Number of updates made, including this one; at least 1.
    """
    return min(schedule.average, done / (done + 10))
