"""`null`: discards everything, to measure a voice or to run it without output."""

import numpy as np

from vrnn_engine.runtime.sinks.base import Format, Sink


class NullSink(Sink):
    """Accepts blocks of either modality and discards them.

    Parameters
    ----------
    target : str
        Name of the sink in messages.
    latency : float
        Ignored.

    Attributes
    ----------
    written : int
        Number of samples or points accepted.
    """

    def __init__(self, target: str = "null", latency: float = 0.05) -> None:
        self.label = target
        self.written = 0

    def open(self, format: Format) -> None:
        """Do nothing."""

    def write(self, block: np.ndarray) -> None:
        """Count the block."""
        self.written += len(block)

    def close(self) -> None:
        """Do nothing."""
