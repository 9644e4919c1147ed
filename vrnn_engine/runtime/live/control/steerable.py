"""The part of a performance that control sources and displays use; a remote performance has it as well."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.runtime.readable import Described


class Progress(Protocol):
    """The part of a stream that control sources and displays read."""

    @property
    def latent(self) -> np.ndarray:
        """Latent of the last frame, [Z]."""
        ...

    @property
    def written(self) -> int:
        """Number of characters that are written."""
        ...

    @property
    def pending(self) -> int:
        """Number of characters to come."""
        ...


class Steerable(Protocol):
    """A performance that plays: one of `vrnn_engine.runtime.live.performance`, or a remote one.

    Any thread may use these members.
    """

    @property
    def stream(self) -> Progress:
        """The stream that is steered."""
        ...

    @property
    def controls(self) -> Controls:
        """The controls to read and write."""
        ...

    @property
    def frame(self) -> int:
        """Frames played since the performance began."""
        ...

    @property
    def recent(self) -> Sequence[np.ndarray]:
        """The last frames."""
        ...

    @property
    def voice(self) -> Described:
        """The voice, with its manifest."""
        ...

    def send(self, event: AnyEvent) -> Any:
        """Send an event; for a `Prime`, return the observation.

        Parameters
        ----------
        event : event
        """
        ...

    def takes_long(self, event: AnyEvent) -> bool:
        """Return whether `send` would take long.

        Parameters
        ----------
        event : event
        """
        ...
