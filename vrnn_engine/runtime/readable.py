"""The interface of the streams that a player can play."""

from typing import Protocol, runtime_checkable

import numpy as np

from vrnn_engine.runtime.voice.manifest import Manifest


@runtime_checkable
class Readable(Protocol):
    """The part of `Stream` that a player uses."""

    @property
    def voice(self) -> "Described":
        """The voice that generates the frames."""
        ...

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames; fewer than requested if the stream has ended."""


@runtime_checkable
class Interruptible(Protocol):
    """A stream whose `read` may wait for an input."""

    def interrupt(self) -> None:
        """Make a waiting `read` return soon; called from another thread when the player is stopped."""


class Described(Protocol):
    """The part of `Voice` that a player uses."""

    @property
    def manifest(self) -> Manifest:
        """The manifest, which states the format of the frames."""
        ...
