"""A stream that writes a text and then ends; a player plays it.

Threads: one thread reads (a player's producer).  Any thread may call `interrupt` and read the attributes.
"""

import numpy as np

from vrnn_engine.runtime.live.letters.sources import TextSource
from vrnn_engine.runtime.readable import Described, Readable
from vrnn_engine.runtime.stream import Stream

AHEAD = 1024
"""Number of characters that the stream must know within a line before it generates a word of that line."""

_REST = np.array([[0, 0, 1]], np.float32)


class Letter:
    """Gives a stream its text as it needs it, and yields frames until all of the text is written.

    What is written does not depend on the sizes of the pieces in which the text arrives.

    Parameters
    ----------
    frames : Stream or Performance
        Where the frames are read.
    stream : Stream
        The stream that writes, which `frames` reads.
    source : TextSource
        The text.

    Attributes
    ----------
    stream : Stream
    """

    def __init__(self, frames: Readable, stream: Stream, source: TextSource) -> None:
        self.stream = stream
        self._frames, self._source = frames, source
        self._piece: str | None = ""  # the last piece; None at the end
        self._begun = self._interrupted = False

    @property
    def voice(self) -> Described:
        """The voice that writes."""
        return self._frames.voice

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames; fewer when all of the text is written.

        Parameters
        ----------
        frames : int

        Returns
        -------
        float32 array [frames, 3]
            dx, dy, pen-up; 0, 0, 1 while a source that does not wait has no text.

        Raises
        ------
        VRNNEngineError
            The text cannot be read or written, or the stream fails.
        """
        read: list[np.ndarray] = []
        while len(read) < frames and self._has_text():
            read.append(self._frames.read(1) if self._begun else _REST)  # a stream without a text would write freely
        return np.concatenate(read) if read else self._frames.read(0)

    def interrupt(self) -> None:
        """Make a `read` that waits for text return soon; the letter then ends."""
        self._interrupted = True
        self._source.interrupt()

    def _has_text(self) -> bool:
        """Give the stream the text that it needs for the next frame; return whether there is a next frame."""
        while self._piece is not None and self._needs_text():
            self._piece = self._source.read()
            if not self._piece:
                break
            self.stream.write(self._piece)
        self._begun = self._begun or self.stream.pending > 0
        return not self._interrupted and (self._piece is not None or self.stream.pending > 0)

    def _needs_text(self) -> bool:
        pending = self.stream.pending
        within_line = self._piece is not None and not self._piece.endswith("\n")
        return pending == 0 or (within_line and pending < AHEAD)
