"""The state of a stream between two frames, as a value that is never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vrnn_engine.errors import NotFiniteError, StreamError
from vrnn_engine.runtime.graph.arrays import name_not_finite
from vrnn_engine.runtime.noise import NoiseSource

if TYPE_CHECKING:
    from vrnn_engine.runtime.text.state import WritingState  # voices without text start without it


@dataclass(frozen=True, slots=True, eq=False)
class StreamState:
    """Everything that the next frame depends on, apart from the controls.

    Attributes
    ----------
    arrays : mapping of str to float32 array [1, ...]
        Recurrent state, by name without the prefix `state.`. The arrays are never written to.
    frame : int
        Frames read or observed since the zero state.
    latent : float32 array [Z]
        Latent of the last frame. The next frame does not depend on it. Z is 0 for a voice without latents.
    noise : NoiseSource
        Noise of the stream's seed. Used only under the lock of the stream that owns this state.
    text : WritingState or None
        The written and the pending text; None for a voice that reads no text.
    prior : float32 array [2, Z] or None
        Mean and standard deviation of the prior of the last frame, if it was generated and the voice tells them.
        Snapshots do not keep it.
    """

    arrays: Mapping[str, np.ndarray]
    frame: int
    latent: np.ndarray
    noise: NoiseSource
    text: "WritingState | None" = None
    prior: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Steps taken since the zero state; the position in the noise."""
        return self.frame if self.text is None else self.text.steps

    def writing(self) -> "WritingState":
        """Return `text` of a voice that reads one; raise `ValueError` if it reads none."""
        if self.text is None:
            raise ValueError("the voice of this state reads no text")
        return self.text

    def stepped(
        self, arrays: Mapping[str, np.ndarray], count: int, latent: np.ndarray, prior: np.ndarray | None = None
    ) -> "StreamState":
        """Return the state after more frames were generated or observed.

        Parameters
        ----------
        arrays : mapping of str to float32 array [1, ...]
            Recurrent state after these frames.
        count : int
            Number of these frames.
        latent : float32 array [Z]
            Latent of the last of them.
        prior : float32 array [2, Z], optional
            Mean and standard deviation of its prior.
        """
        text = None if self.text is None else self.text.changed(steps=self.text.steps + count)
        return StreamState(
            arrays, self.frame + count, latent, self.noise, text, prior if prior is None or len(prior) else None
        )

    def require_finite(self, voice: str, *values: Sequence[np.ndarray] | np.ndarray) -> None:
        """Raise `NotFiniteError` unless all numbers that a step computed after this state are finite.

        Parameters
        ----------
        voice : str
            Name of the voice, for the message.
        *values : array or sequence of arrays
            What the step computed.
        """
        if not all(np.isfinite(value).all() for value in values):
            raise NotFiniteError(
                f"voice {voice!r} with seed {self.noise.seed} generated a frame that is not finite "
                f"after frame {self.frame}; reset its controls, or open a new stream"
            )

    def require_observed(self, voice: str, values: Sequence[tuple[str, np.ndarray]]) -> None:
        """Raise `StreamError` unless all that observing a recording gave is finite.

        Parameters
        ----------
        voice : str
            Name of the voice, for the message.
        values : sequence of (str, array)
            Outputs and states, by name.
        """
        if odd := name_not_finite(values):
            raise StreamError(
                f"voice {voice!r}: {odd} is not finite while observing; the stream has not moved; "
                "check the level of the recording, or reset the controls"
            )

    def reseeded(self, seed: int) -> "StreamState":
        """Return this state with the noise of another seed; raise `StreamError` if the seed is out of range."""
        return replace(self, noise=NoiseSource(seed, self.noise.widths))

    def copied_arrays(self) -> dict[str, np.ndarray]:
        """Return copies of the arrays.

        An array may be one row of the state of a whole batch. A view would keep the other rows in memory.
        """
        return {name: value.copy() for name, value in self.arrays.items()}
