"""A stream that writes a text and then ends; a player plays it.

Threads: one thread reads (a player's producer).  Any thread may call `interrupt` and read the attributes.
"""

import collections
import threading

import numpy as np

from vrnn_engine.runtime.live.letters.sources import TextSource
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.readable import Described
from vrnn_engine.runtime.stream import Stream

AHEAD = 1024
"""Number of characters that the stream must know within a line before it generates a word of that line."""
REMEMBERED = 256
"""Number of pieces of the text that can be given again after a rewind."""

_REST = np.array([[0, 0, 1]], np.float32)


class Letter:
    """Gives a stream its text as it needs it, and yields frames until all of the text is written.

    What is written does not depend on the sizes of the pieces in which the text arrives.  A performance records the
    pieces.  After a rewind, the stream is given again what it did not have at that time.

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

    def __init__(self, frames: Stream | Performance, stream: Stream, source: TextSource) -> None:
        self.stream = stream
        self._frames, self._source = frames, source
        self._given: collections.deque[tuple[int, str]] = collections.deque(maxlen=REMEMBERED)
        """The pieces that the stream has got, each after the number of frames that it had generated then."""
        self._again: collections.deque[str] = collections.deque()
        """The pieces that it must get again, before those of the source."""
        self._ended = self._begun = False
        self._interrupted = threading.Event()

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
            dx, dy, pen-up; 0, 0, 1 while a source that does not wait has no text. Such a frame is returned after as
            long as it lasts.

        Raises
        ------
        VRNNEngineError
            The text cannot be read or written, or the stream fails.
        """
        read: list[np.ndarray] = []
        while len(read) < frames and self._has_text():
            if not self.stream.pending:  # otherwise a file would be filled with them while nobody types
                self._interrupted.wait(1 / self.voice.manifest.frames_per_second)
            read.append(self._frames.read(1) if self._begun else _REST)  # a stream without a text would write freely
        return np.concatenate(read) if read else self._frames.read(0)

    def interrupt(self) -> None:
        """Make a `read` that waits for text return soon; the letter then ends."""
        self._interrupted.set()
        self._source.interrupt()

    def _has_text(self) -> bool:
        """Give the stream the text that it needs for the next frame; return whether there is a next frame."""
        while self._given and self._given[-1][0] > self.stream.frame:  # the stream was rewound
            self._again.appendleft(self._given.pop()[1])
        while self._needs_text():
            piece = self._next_piece()
            if not piece:
                break
            self._frames.write(piece)
            self._given.append((self.stream.frame, piece))
        pending = self.stream.pending
        self._begun = self._begun or pending > 0
        return not self._interrupted.is_set() and (pending > 0 or not self._ended)

    def _next_piece(self) -> str | None:
        if self._again:
            return self._again.popleft()
        piece = self._source.read()
        self._ended = piece is None
        return piece

    def _needs_text(self) -> bool:
        if self._ended and not self._again:
            return False
        pending, is_within_line = self.stream.pending, not (self._given and self._given[-1][1].endswith("\n"))
        return pending == 0 or (is_within_line and pending < AHEAD)
