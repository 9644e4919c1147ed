"""Schedules over the updates: the learning rate, the weight of the KL, and the decay of the moving average."""

import math

from vrnn_engine.training.recipe import Schedule


def learning_rate(schedule: Schedule, done: int) -> float:
    """Return the learning rate of the next update.

    The rate falls from `learning_rate` to `final_learning_rate` along half a cosine over all updates (cosine annealing
    without restarts, Loshchilov & Hutter 2017).

    Parameters
    ----------
    schedule : Schedule
        The recipe's `training` table.
    done : int
        Number of updates already made, 0 to `schedule.updates`.
    """
    share = 0.5 * (1 + math.cos(math.pi * done / schedule.updates))
    return schedule.final_learning_rate + share * (schedule.learning_rate - schedule.final_learning_rate)


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
