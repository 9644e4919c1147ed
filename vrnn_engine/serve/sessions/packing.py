"""Cuts the frames of a session into binary messages."""

import numpy as np

from vrnn_engine.runtime.sinks.pcm import to_pcm16
from vrnn_engine.serve.codec import pack_frames
from vrnn_engine.serve.protocol import Format

SAMPLE_BYTES: dict[Format, int] = {"s16le": 2, "f32le": 4}
"""Bytes of a sample."""


class Packer:
    """Collects frames until they fill a message.

    Parameters
    ----------
    format : Format
        Type of a sample.
    frames : int
        Frames of a message.
    frame_size : int
        Samples of a frame.
    first : int
        Number of the first frame.

    Attributes
    ----------
    held : int
        Number of frames that do not fill a message yet.
    """

    def __init__(self, format: Format, frames: int, frame_size: int, first: int) -> None:
        self.held = 0
        self._format = format
        self._frames = frames
        self._size = frame_size
        self._next = first
        self._parts: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> list[bytes]:
        """Add frames; return the messages that are full.

        Parameters
        ----------
        block : float32 array
            Frames as `Stream.read` returns them.
        """
        samples = block.reshape(-1)
        self._parts.append(samples)
        self.held += len(samples) // self._size
        if self.held < self._frames:
            return []
        whole = samples if len(self._parts) == 1 else np.concatenate(self._parts)
        length, made = self._frames * self._size, []
        count = self.held // self._frames
        for part in whole[: count * length].reshape(count, length):
            made.append(pack_frames(self._next, self._encoded(part)))
            self._next += self._frames
        self.held -= count * self._frames
        self._parts = [whole[count * length :]] if self.held else []
        return made

    def flush(self) -> list[bytes]:
        """Return what does not fill a message, as a shorter one; no message if there is nothing."""
        if not self.held:
            return []
        message = pack_frames(self._next, self._encoded(np.concatenate(self._parts)))
        self.skip_to(self._next + self.held)
        return [message]

    def skip_to(self, frame: int) -> int:
        """Drop what does not fill a message, and continue with another frame.

        Parameters
        ----------
        frame : int
            Number of the next frame that will be added.

        Returns
        -------
        int
            Number of frames that were dropped.
        """
        dropped, self.held, self._parts, self._next = self.held, 0, [], frame
        return dropped

    def _encoded(self, samples: np.ndarray) -> bytes:
        if self._format == "s16le":
            return to_pcm16(samples)[0].tobytes()
        return samples.astype("<f4", copy=False).tobytes()
