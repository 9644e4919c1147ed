"""Holds the frames that have arrived and have not been read, and computes how many more the server may send."""

import collections

import numpy as np

from vrnn_engine.errors import RemoteError

FORMATS: dict[str, tuple[np.dtype, np.float32]] = {
    "f32le": (np.dtype("<f4"), np.float32(1)),
    "s16le": (np.dtype("<i2"), np.float32(32768)),
}
"""Type of a sample that arrives, and the value of full scale."""


class FrameBuffer:
    """The frames between the server and the reader.

    Parameters
    ----------
    frame : int
        Number of the first frame to read.
    samples : int
        Numbers per frame.
    format : {"f32le", "s16le"}
        Type of the numbers that arrive.
    window : int
        Least number of frames that the server may be ahead of the reader, once it reads.

    Attributes
    ----------
    read : int
        Number of the next frame to read.
    received : int
        Number of the next frame to receive.
    """

    def __init__(self, frame: int, samples: int, format: str, window: int) -> None:
        self.read = self.received = frame
        self._samples, self._window = samples, window
        self._type, self._scale = FORMATS[format]
        self._blocks: collections.deque[np.ndarray] = collections.deque()
        self._largest = 0
        self._granted = frame

    @property
    def waiting(self) -> int:
        """Number of frames that can be read."""
        return self.received - self.read

    @property
    def needs_credit(self) -> bool:
        """Whether the server has sent all frames that it may send, and stands still."""
        return self._granted <= self.received

    def add(self, frame: int, data: bytes) -> np.ndarray:
        """Add the frames of a message, and return those that have not arrived before, float32 [n, samples].

        Parameters
        ----------
        frame : int
            Number of the first one.
        data : bytes
            Their samples.

        Raises
        ------
        RemoteError
            Frames are missing before it, the last frame is not complete, or the message before this one has used up
            more than the credit.
        """
        if frame > self.received:
            raise RemoteError(f"the server left out the frames from {self.received} to {frame - 1}")
        if len(data) % (self._type.itemsize * self._samples):
            raise RemoteError(
                f"the server sent {len(data)} bytes, which are not whole frames of {self._samples} samples"
            )
        block = np.frombuffer(data, self._type).reshape(-1, self._samples)[self.received - frame :]
        if len(block) and self.received > self._granted:
            raise RemoteError(f"the server sent frame {self.received}, for which it had no credit")
        scaled = block.astype(np.float32) / self._scale
        if len(scaled):
            self._blocks.append(scaled)
            self.received += len(scaled)
        return scaled

    def take(self, count: int) -> np.ndarray:
        """Return the next frames, at most `count`: float32 [n, samples].

        Parameters
        ----------
        count : int
        """
        taken: list[np.ndarray] = []
        while count and self._blocks:
            block = self._blocks.popleft()
            taken.append(block[:count])
            if len(block) > count:
                self._blocks.appendleft(block[count:])
            count -= len(taken[-1])
        found = np.concatenate(taken) if taken else np.zeros((0, self._samples), np.float32)
        self.read += len(found)
        return found

    def skip_to(self, frame: int) -> None:
        """Continue with a later frame, because the server has dropped those before it.

        Parameters
        ----------
        frame : int
            The next frame that will arrive.
        """
        self._blocks.clear()
        self._granted += frame - self.received
        self.read = self.received = frame

    def expect(self, count: int) -> None:
        """Note that `count` frames are read at once; twice as many are then requested.

        Parameters
        ----------
        count : int
        """
        self._largest = max(self._largest, count)

    def credit(self, least: bool = False) -> int:
        """Return the credit to give to the server now, in frames; 0 while it has enough, or before the first read.

        Before the first read, the stream stands still, so that controls can be set that take effect in its first frame.

        Parameters
        ----------
        least : bool
            Whether to return also a small credit.
        """
        if not self._largest:
            return 0
        ahead = max(self._window, 2 * self._largest)
        wanted = self.read + ahead - self._granted
        if wanted <= 0 or (not least and 2 * wanted < ahead and self._granted - self.read >= self._largest):
            return 0
        self._granted += wanted
        return wanted

    def reconnected(self) -> None:
        """Forget the credit of the lost connection."""
        self._granted = self.received
