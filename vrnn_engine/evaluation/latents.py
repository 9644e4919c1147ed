"""Traces the latents of a recording: the KL of each frame, and how far the posterior mean moves.

After figure 2 of Chung et al. (2015): both rise where the signal changes in a way that the past does not predict.
This module needs only numpy, since the observe graph of a voice computes all inputs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LatentTrace:
    """Values of each frame of a recording, in order."""

    seconds: NDArray[np.float64]
    """[T] Time from the start of the recording to the middle of the frame; for a pen, to the point."""
    kl: NDArray[np.float64]
    """[T] KL(posterior || prior), nats."""
    change: NDArray[np.float64]
    """[T] Squared Euclidean distance between the posterior means of this frame and of the previous one.  NaN for the
    first frame."""
    log_likelihood: NDArray[np.float64]
    """[T] Log-likelihood of the normalised frame given the sampled latent, nats."""


def trace_latents(
    posterior_mean: NDArray[np.floating],
    kl: NDArray[np.floating],
    log_likelihood: NDArray[np.floating],
    basis: Literal["samples", "mdct", "points"],
    frames_per_second: float,
) -> LatentTrace:
    """Compute the trace of a recording that a voice has observed from a state of zeros.

    In the basis `mdct`, step t takes block t of the signal and completes the frame that covers the blocks t-1 and t;
    the middle of this frame is the boundary between the two blocks.  The first step completes no frame and is left out,
    so the trace has one frame less than the recording has blocks.  In the basis `samples`, the frame of step t is block
    t; in `points`, it is point t.

    Parameters
    ----------
    posterior_mean : array [N, Z]
        One row per step, as `vrnn_engine.runtime.stream.Stream.prime` returns it.
    kl, log_likelihood : array [N]
        From the same observation, nats.
    basis : str
        From the voice's manifest.
    frames_per_second : float
        From the voice's manifest.

    Returns
    -------
    LatentTrace
        T is N, or N - 1 in the basis `mdct`.
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
