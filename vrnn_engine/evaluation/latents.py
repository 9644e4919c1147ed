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


class LatentTracer:
    """Computes the trace of a recording block by block, while a voice observes it from a state of zeros.

    In the basis `mdct`, step t takes block t of the signal and completes the frame that covers the blocks t-1 and t;
    the middle of this frame is the boundary between the two blocks.  The first step completes no frame and is left out,
    so the trace has one frame less than the recording has blocks.  In the basis `samples`, the frame of step t is block
    t; in `points`, it is point t.

    Parameters
    ----------
    basis : str
        From the voice's manifest.
    frames_per_second : float
        From the voice's manifest.
    """

    def __init__(self, basis: Literal["samples", "mdct", "points"], frames_per_second: float) -> None:
        self._first = 1 if basis == "mdct" else 0  # step of the first frame
        self._middle = 0.5 if basis == "samples" else 0.0
        self._frames_per_second = frames_per_second
        self._skip = self._first  # steps to leave out
        self._last_mean: NDArray[np.float64] | None = None
        self._kl: list[NDArray[np.float64]] = []
        self._change: list[NDArray[np.float64]] = []
        self._log_likelihood: list[NDArray[np.float64]] = []

    def add(
        self,
        posterior_mean: NDArray[np.floating],
        kl: NDArray[np.floating],
        log_likelihood: NDArray[np.floating],
    ) -> None:
        """Add the next steps.

        Parameters
        ----------
        posterior_mean : array [N, Z]
            One row per step, as `vrnn_engine.runtime.stream.Stream.prime` returns it.
        kl, log_likelihood : array [N]
            From the same observation, nats.
        """
        skip, self._skip = self._skip, max(self._skip - len(kl), 0)
        mean = np.asarray(posterior_mean, np.float64)[skip:]
        if not len(mean):
            return
        before = np.full_like(mean[:1], np.nan) if self._last_mean is None else self._last_mean
        self._change.append(np.square(np.diff(mean, axis=0, prepend=before)).sum(axis=1))
        self._last_mean = mean[-1:]
        self._kl.append(np.asarray(kl, np.float64)[skip:])
        self._log_likelihood.append(np.asarray(log_likelihood, np.float64)[skip:])

    def trace(self) -> LatentTrace:
        """Return the trace of all steps added: N frames, or N - 1 in the basis `mdct`."""
        nothing = np.zeros(0)
        kl = np.concatenate([nothing, *self._kl])
        steps = np.arange(self._first, self._first + len(kl), dtype=np.float64)
        return LatentTrace(
            seconds=(steps + self._middle) / self._frames_per_second,
            kl=kl,
            change=np.concatenate([nothing, *self._change]),
            log_likelihood=np.concatenate([nothing, *self._log_likelihood]),
        )


def trace_latents(
    posterior_mean: NDArray[np.floating],
    kl: NDArray[np.floating],
    log_likelihood: NDArray[np.floating],
    basis: Literal["samples", "mdct", "points"],
    frames_per_second: float,
) -> LatentTrace:
    """Compute the trace of a recording that a voice has observed from a state of zeros.

    Parameters
    ----------
    posterior_mean, kl, log_likelihood
        As for `LatentTracer.add`, of the whole recording.
    basis, frames_per_second
        As for `LatentTracer`.

    Returns
    -------
    LatentTrace
        T is N, or N - 1 in the basis `mdct`.
    """
    tracer = LatentTracer(basis, frames_per_second)
    tracer.add(posterior_mean, kl, log_likelihood)
    return tracer.trace()
