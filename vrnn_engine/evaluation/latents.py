"""What the latents say of a recording: how much each frame told the model, and how far its latents moved.

After figure 2 of Chung et al. (2015): both rise where the signal changes in a way that the past did not foretell.
Numpy only: a voice's observe graph gives all that this needs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LatentTrace:
    """Values of each frame that a voice answered for, in order."""

    seconds: NDArray[np.float64]
    """[T] From the start of the recording to the middle of the frame; to the point itself for a pen."""
    kl: NDArray[np.float64]
    """[T] KL(posterior || prior), nats."""
    change: NDArray[np.float64]
    """[T] Sum over the latent's dimensions of the squared difference between this frame's posterior mean and
    the one before.  The first frame has none before it: NaN."""
    log_likelihood: NDArray[np.float64]
    """[T] Of the normalised frame given the drawn latent, nats."""


def trace_latents(
    posterior_mean: NDArray[np.floating],
    kl: NDArray[np.floating],
    log_likelihood: NDArray[np.floating],
    basis: Literal["samples", "mdct", "points"],
    frames_per_second: float,
) -> LatentTrace:
    """Compute the trace of a recording that a voice observed from zero state.

    In the basis `mdct`, step t takes block t of the signal and answers for the frame that it completes: the one over
    blocks t-1 and t, whose middle is where they meet.  So the very first step, which completes none, is left out; the
    trace has one frame less than the recording has blocks.  In the basis `samples` the frame is block t itself, and
    in `points` it is a moment, the t-th point.

    Parameters
    ----------
    posterior_mean : array [N, Z]
        One row a step, as in `vrnn_engine.runtime.stream.Observation`, whose other fields the next two are.
    kl, log_likelihood : array [N]
        Nats.
    basis : str
        Of the voice's manifest, as is `frames_per_second`.
    """
    first = 1 if basis == "mdct" else 0
    mean = np.asarray(posterior_mean, np.float64)[first:]
    steps = np.arange(first, len(kl), dtype=np.float64)
    change = np.full(len(mean), np.nan)
    change[1:] = np.square(np.diff(mean, axis=0)).sum(axis=1)
    return LatentTrace(
        seconds=(steps + 0.5 if basis == "samples" else steps) / frames_per_second,
        kl=np.asarray(kl, np.float64)[first:],
        change=change,
        log_likelihood=np.asarray(log_likelihood, np.float64)[first:],
    )
