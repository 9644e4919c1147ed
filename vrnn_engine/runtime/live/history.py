"""Remembers the recent past of a performance: checkpoints to rewind to, and the latents of the last frames.

Only the thread that reads the performance may use this module.
"""

import collections
from dataclasses import dataclass

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.automation import ActiveMove, copy_moves

CHECKPOINT_INTERVAL = 0.1
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a stream before a frame."""

    frame: int
    snapshot: bytes
    moves: list[ActiveMove]
    """The active movements of controls."""


class History:
    """The last seconds of a performance.

    Parameters
    ----------
    frames_per_second : float
        Frame rate of the voice.
    seconds : float
        Number of seconds to remember; 0 for none.

    Attributes
    ----------
    remembers : bool
        Whether anything is remembered.
    interval : int
        Frames from one checkpoint to the next.
    """

    def __init__(self, frames_per_second: float, seconds: float) -> None:
        self.remembers = seconds > 0
        self.interval = max(1, round(CHECKPOINT_INTERVAL * frames_per_second))
        count = max(1, round(seconds * frames_per_second))
        self._checkpoints: collections.deque[Checkpoint] = collections.deque(
            maxlen=max(1, round(seconds * frames_per_second / self.interval))
        )
        self._latents: collections.deque[np.ndarray] = collections.deque(maxlen=count)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to return to."""
        return bool(self._checkpoints)

    def is_due(self, frame: int) -> bool:
        """Return whether a checkpoint must be added before this frame."""
        return self.remembers and frame % self.interval == 0

    def add(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint."""
        self._checkpoints.append(checkpoint)

    def add_latent(self, latent: np.ndarray) -> None:
        """Add the latent of the last frame, [Z]."""
        self._latents.append(latent)

    def before(self, frame: int) -> Checkpoint:
        """Return the last checkpoint at or before a frame, or the oldest checkpoint if none is that old.

        Its movements are copies, so that the same checkpoint can be used again.  Raises `StreamError` if there is no
        checkpoint yet.
        """
        if not self._checkpoints:
            raise StreamError("cannot rewind before the first frame")
        found = next((one for one in reversed(self._checkpoints) if one.frame <= frame), self._checkpoints[0])
        return Checkpoint(found.frame, found.snapshot, copy_moves(found.moves))

    def latents(self, count: int) -> np.ndarray:
        """Return the latents of the last `count` frames, [T, Z]; raise `StreamError` if there are none."""
        if not self._latents:
            raise StreamError("there is no latent yet to trace: no frame has been played")
        return np.array(list(self._latents)[-max(1, count) :])
