"""The results of observing a recording: latents, KL and likelihood of each frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Observation:
    """The results of observing a recording of T frames, as `Stream.prime` returns them.

    Z is the size of the latent. For a voice without latents, Z is 0 and the KL of each frame is 0.

    Attributes
    ----------
    latents : float32 array [T, Z]
        Samples of the posterior q(z | x, h).
    posterior_mean, posterior_std : float32 array [T, Z]
        Mean and standard deviation of the posterior.
    kl : float32 array [T]
        KL(posterior || prior) in nats.
    log_likelihood : float32 array [T]
        Log-likelihood of the normalised frame given its latent, in nats.
    conversions : tuple of str
        How the recording was converted to fit the voice, one line for each conversion.

    See Also
    --------
    vrnn_engine.Stream.prime : Observe a recording and continue from it.
    """

    latents: np.ndarray
    posterior_mean: np.ndarray
    posterior_std: np.ndarray
    kl: np.ndarray
    log_likelihood: np.ndarray
    conversions: tuple[str, ...]

    @classmethod
    def of(cls, outputs: Mapping[str, np.ndarray], conversions: tuple[str, ...]) -> "Observation":
        """Make an observation from the outputs of an observe graph.

        Parameters
        ----------
        outputs : mapping of str to float32 array [T, ...]
            Outputs by name; a voice without latents has only `log_likelihood`.
        conversions : tuple of str
            How the recording was converted.

        Returns
        -------
        Observation
        """
        likelihood = outputs["log_likelihood"]
        no_latent = np.zeros((len(likelihood), 0), np.float32)
        return cls(
            latents=outputs.get("latent", no_latent),
            posterior_mean=outputs.get("posterior.mean", no_latent),
            posterior_std=outputs.get("posterior.std", no_latent),
            kl=outputs.get("kl", np.zeros(len(likelihood), np.float32)),
            log_likelihood=likelihood,
            conversions=conversions,
        )
