"""A sink that throws everything away: for measuring, and for running a voice without hearing it."""

import numpy as np

from vrnn_engine.runtime.sinks.base import Format, Sink


class NullSink(Sink):
    """Takes anything of either modality, and counts it in `written` (samples or points)."""

    def __init__(self, target: str = "null", latency: float = 0.05) -> None:
        self.label = target
        self.written = 0

    def open(self, format: Format) -> None:
        """Nothing to get ready."""

    def write(self, block: np.ndarray) -> None:
        """Forget the block."""
        self.written += len(block)

    def close(self) -> None:
        """Nothing to finish."""
