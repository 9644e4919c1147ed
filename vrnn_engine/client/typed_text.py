"""Text that is typed for a remote stream: it stays here until the server needs it, so that it can be erased."""

import collections
import threading

from vrnn_engine.client.stream import RemoteStream
from vrnn_engine.runtime.live.control.typewriter import Typewriter

AHEAD = 8
"""The server gets the next word while it has fewer characters to write: about the word that it is writing."""


class TypedText:
    """The text of a typewriter that the server does not have yet.

    What the server has is not erased: its answer would come later than the next key.  It has little, so that about as
    much can be erased as with a voice of this machine.

    Threads: one thread writes and erases; another one takes.

    Parameters
    ----------
    stream : RemoteStream
        The stream that writes it.
    """

    def __init__(self, stream: RemoteStream) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._words: collections.deque[str] = collections.deque()

    @property
    def kept(self) -> int:
        """Number of characters that the server does not have."""
        with self._lock:
            return sum(map(len, self._words))

    @property
    def pending(self) -> int:
        """Number of characters that are still to be written."""
        return self.kept + self._stream.pending

    def write(self, text: str) -> None:
        """Add a word.

        Parameters
        ----------
        text : str
            Characters of the voice's alphabet.
        """
        with self._lock:
            self._words.append(text)

    def erase(self, count: int) -> int:
        """Remove the last characters that the server does not have; return how many they were.

        Parameters
        ----------
        count : int
        """
        left = count
        with self._lock:
            while left and self._words:
                word = self._words.pop()
                if len(word) > left:
                    self._words.append(word[:-left])
                left -= min(left, len(word))
        return count - left

    def take(self) -> str:
        """Return the next word if the server needs it; else an empty string."""
        needed = self._stream.pending < AHEAD
        with self._lock:
            return self._words.popleft() if needed and self._words else ""


class TypedSource:
    """The `TextSource` of a letter that a remote stream writes while it is typed.

    Parameters
    ----------
    typewriter : Typewriter
        Writes into `text`.
    text : TypedText
    """

    def __init__(self, typewriter: Typewriter, text: TypedText) -> None:
        self._typewriter, self._text = typewriter, text

    def read(self) -> str | None:
        """Return the next word if the server needs it, else an empty string; None when all of them are given."""
        ended = self._typewriter.read() is None
        piece = self._text.take()
        return None if ended and not piece and not self._text.kept else piece

    def interrupt(self) -> None:
        """Do nothing: `read` does not wait."""

    def close(self) -> None:
        """Do nothing: there is no file."""
