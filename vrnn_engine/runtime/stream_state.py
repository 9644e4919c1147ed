"""The state of a stream between two frames, as a value that is never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vrnn_engine.runtime.noise import NoiseSource


@dataclass(frozen=True, slots=True, eq=False)
class StreamState:
    """Everything that the next frame depends on, apart from the controls.

    Attributes
    ----------
    arrays : mapping of str to float32 array [1, ...]
        Recurrent state, by name without the prefix `state.`. The arrays are never written to.
    frame : int
        Frames generated or observed since the zero state; the position in the noise.
    latent : float32 array [Z]
        Latent of the last frame. The next frame does not depend on it. Z is 0 for a voice without latents.
    noise : NoiseSource
        Noise of the stream's seed. Used only under the lock of the stream that owns this state.
    """

    arrays: Mapping[str, np.ndarray]
    frame: int
    latent: np.ndarray
    noise: NoiseSource

    def reseeded(self, seed: int) -> "StreamState":
        """Return this state with the noise of another seed; raise `StreamError` if the seed is out of range."""
        return replace(self, noise=NoiseSource(seed, self.noise.widths))

    def copied_arrays(self) -> dict[str, np.ndarray]:
        """Return copies of the arrays.

        An array may be one row of the state of a whole batch. A view would keep the other rows in memory.
        """
        return {name: value.copy() for name, value in self.arrays.items()}
