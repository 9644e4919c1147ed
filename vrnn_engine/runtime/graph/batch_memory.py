"""Estimates the memory that a batch of a voice needs, and raises errors if too little is available."""

import math
import traceback

from vrnn_engine.errors import ProviderError
from vrnn_engine.runtime.graph import memory
from vrnn_engine.runtime.graph.arrays import HOST
from vrnn_engine.runtime.graph.provider import error_reason, is_onnxruntime_error
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.noise import AHEAD


class BatchMemory:
    """Estimates and checks the memory of batches.

    Parameters
    ----------
    voice : str
        Name, for messages.
    step : GraphSession
        The voice's step graph.
    """

    def __init__(self, voice: str, step: GraphSession) -> None:
        self._voice = voice
        self._step = step

    def batch_bytes(self, rows: int) -> int:
        """Return the approximate bytes needed to step `rows` streams as one batch, without their frames."""
        # Each stream holds its current state, its next state, and noise drawn ahead.
        state = sum(map(math.prod, self._step.state.values()))
        noise = sum(shape[0] for shape in self._step.noise.values())
        return rows * (self._step.row_bytes(rows) + 4 * (2 * state + AHEAD * noise))

    def require_batch(self, rows: int) -> None:
        """Raise `StreamError` if the memory does not suffice for a batch."""
        memory.require(self.batch_bytes(rows), self._describe(rows))

    def require_frames(self, size: int, rows: int, frames: int, streams: int) -> None:
        """Raise `StreamError` if the memory does not suffice for frames of `size` bytes."""
        memory.require(size, self._describe(rows, frames, streams))

    def translate(self, error: Exception, size: int, rows: int, frames: int = 0, streams: int = 0) -> None:
        """Translate an error of numpy or onnxruntime into ours: memory ran out, or onnxruntime failed.

        Parameters
        ----------
        error : Exception
            Any error. If it is neither of the two, the method returns.
        size : int
            Size of the requested frames in bytes.
        rows, frames, streams : int
            Rows of the batch, requested frames per stream, and number of streams, for the message.

        Raises
        ------
        StreamError
            The memory of the machine or of the GPU did not suffice.
        ProviderError
            onnxruntime failed.
        """
        if memory.is_out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # frees the arrays of the failed calls for the message
            what = self._describe(rows, frames, streams)
            on_gpu = self._step.location != HOST and not isinstance(error, MemoryError)  # numpy uses host memory
            raise (
                memory.gpu_shortage(what) if on_gpu else memory.shortage(size + self.batch_bytes(rows), what)
            ) from None
        if is_onnxruntime_error(error):
            raise ProviderError(
                f"voice {self._voice!r}: onnxruntime failed on {self._step.provider}: {error_reason(error)}; "
                "load the voice again, with device='cpu' if it keeps failing"
            ) from error

    def _describe(self, rows: int, frames: int = 0, streams: int = 0) -> str:
        what = f"voice {self._voice!r} with rows={rows}"
        return f"{what}, frames={frames} of {streams} streams" if frames else what
