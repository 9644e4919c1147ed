"""Encodes frames of many sessions at once, and cuts those of each session into binary messages."""

from collections.abc import Sequence

import numpy as np

from vrnn_engine.runtime.sinks.pcm import to_pcm16
from vrnn_engine.serve.codec import pack_frames
from vrnn_engine.serve.protocol import Format

SAMPLE_BYTES: dict[Format, int] = {"s16le": 2, "f32le": 4}
"""Bytes of a sample."""


def encode_blocks(blocks: Sequence[np.ndarray], formats: Sequence[Format]) -> list[bytes]:
    """Return the samples of blocks as bytes, each in the format of its session.

    Parameters
    ----------
    blocks : sequence of float32 arrays
        Frames as `Stream.read` returns them, all of the same shape.
    formats : sequence of Format
    """
    samples = [block.astype("<f4", copy=False) for block in blocks]
    rounded = [index for index, format in enumerate(formats) if format == "s16le"]
    if rounded:  # all at once, which takes less time than one by one
        rows, _ = to_pcm16(np.stack([blocks[index].reshape(-1) for index in rounded]))
        for index, row in zip(rounded, rows, strict=True):
            samples[index] = row
    return [one.tobytes() for one in samples]


class Packer:
    """Collects frames until they fill a message.

    Parameters
    ----------
    frames : int
        Frames of a message.
    frame_bytes : int
        Bytes of a frame.
    first : int
        Number of the first frame.
    """

    def __init__(self, frames: int, frame_bytes: int, first: int) -> None:
        self._length = frames * frame_bytes
        self._frames = frames
        self._frame_bytes = frame_bytes
        self._next = first
        self._data = b""

    @property
    def held(self) -> int:
        """Number of frames that do not fill a message yet."""
        return len(self._data) // self._frame_bytes

    def add(self, data: bytes) -> list[bytes]:
        """Add frames; return the messages that are full.

        Parameters
        ----------
        data : bytes
            Frames, as `encode_blocks` returns them.
        """
        whole, made, start = self._data + data, [], 0
        while len(whole) - start >= self._length:
            made.append(pack_frames(self._next, whole[start : start + self._length]))
            self._next += self._frames
            start += self._length
        self._data = whole[start:]
        return made

    def flush(self) -> list[bytes]:
        """Return what does not fill a message, as a shorter one; no message if there is nothing."""
        if not self.held:
            return []
        message = pack_frames(self._next, self._data)
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
        dropped, self._data, self._next = self.held, b"", frame
        return dropped
