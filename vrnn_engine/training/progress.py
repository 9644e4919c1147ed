"""The progress of a training run, as it is reported after each update."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Progress of a run after an update; bounds and KL are in nats per frame."""

    update: int
    """Number of updates made."""
    updates: int
    """Number of updates of the whole run."""
    bound: float
    """ELBO of the last batch."""
    kl: float
    """KL of the last batch."""
    gradient_norm: float
    """Global norm of the gradient, before clipping."""
    valid_bound: float | None
    """ELBO of the last validation; None before the first."""
