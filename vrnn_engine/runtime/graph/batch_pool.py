"""Keeps the buffers of batches, so that later reads reuse them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vrnn_engine.runtime.graph.batch_memory import BatchMemory
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.session import GraphSession

MAX_IDLE = 16
"""Largest number of idle batches that are kept for reuse."""
SPARE = 4
"""A batch may have up to 1/4 more rows than it is lent for: computing them takes less time than making a batch."""


class BatchPool:
    """Lends each batch to one thread at a time; makes a new one if no idle batch has about the right number of rows.

    Parameters
    ----------
    step : GraphSession
        A voice's step graph.
    memory : BatchMemory
        Checks the memory before a batch is made.
    captured : bool
        Whether to capture batches as CUDA graphs. Batches must then be made and used in the thread of
        `cuda_graphs.in_one_thread`.

    Attributes
    ----------
    idle : list of StepBatch
        Batches that are not in use, the most recently used first.
    """

    def __init__(self, step: GraphSession, memory: BatchMemory, captured: bool = False) -> None:
        self.idle: list[StepBatch] = []
        self._step = step
        self._memory = memory
        self._captured = captured
        self._lock = threading.Lock()
        if captured:
            from vrnn_engine.runtime.graph.cuda_graphs import release_in_one_thread

            release_in_one_thread(self)

    def prepare(self, rows: int) -> None:
        """Make a batch in advance; raise `StreamError` if the memory does not suffice."""
        batch = self._make(rows)
        with self._lock:
            self.idle.append(batch)

    @contextmanager
    def lend(self, rows: int) -> Iterator[StepBatch]:
        """Lend a batch of `rows` rows, or of a few more, which are then unused."""
        with self._lock:
            fitting = [one for one in self.idle if rows <= one.rows <= rows + rows // SPARE]
            batch = min(fitting, key=lambda one: one.rows, default=None)
            if batch is not None:
                self.idle.remove(batch)
        batch = batch or self._make(rows)
        # A captured batch is kept even if its read fails: capturing another would disturb everything that uses CUDA.
        keep = self._captured
        try:
            yield batch
            keep = True
        finally:
            if keep:
                with self._lock:
                    self.idle = [batch, *self.idle[: MAX_IDLE - 1]]

    def _make(self, rows: int) -> StepBatch:
        self._memory.require_batch(rows)
        if not self._captured:
            return StepBatch(self._step, rows)
        from vrnn_engine.runtime.graph.cuda_graphs import CapturedBatch

        return CapturedBatch(self._step, rows)
