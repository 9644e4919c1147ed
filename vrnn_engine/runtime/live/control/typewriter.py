"""Gives a stream the text that is typed: words when they are complete, so that the last one can be corrected."""

import collections
from typing import Any, Protocol

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.live.letters.plain_text import PlainText

END_OF_INPUT = "\x04"
"""Ctrl-D."""
_ERASE = ("\x7f", "\b")
_ENTER = ("\n", "\r")
_REMEMBERED = 1000  # words that can be taken back while they are not written


class Writable(Protocol):
    """The part of a stream that a typewriter uses."""

    @property
    def pending(self) -> int:
        """Number of characters to come."""
        ...

    def write(self, text: str) -> Any:
        """Add text behind what is to be written."""
        ...

    def erase(self, count: int) -> int:
        """Remove the last characters that are to come; return how many were removed."""
        ...


class Typewriter:
    """The `TextSource` of a letter that is typed, and the actions of its keys.

    Threads: one thread presses keys; another one may read.

    Parameters
    ----------
    stream : Stream or similar
        The stream that writes.
    plain : PlainText
        Replaces characters that the voice does not have.

    Attributes
    ----------
    message : str
        Result of the last key, for display.
    """

    HELP = "Ctrl-D ends, Enter ends a line, Backspace erases"

    def __init__(self, stream: Writable, plain: PlainText) -> None:
        self._stream, self._plain = stream, plain
        self._given: collections.deque[str] = collections.deque(maxlen=_REMEMBERED)
        self._word = ""
        self._ended = False
        self.message = ""

    def line(self, columns: int) -> str:
        """Return the last characters that are typed and not written, and the message or what the keys do.

        Parameters
        ----------
        columns : int
            Largest number of characters.
        """
        pending = self._stream.pending
        to_come = "".join(self._given)[-pending:] if pending else ""
        typed = (to_come + self._word).replace("\n", " / ") + "_"
        note = self.message or self.HELP
        least = columns // 8 if self.message else columns // 3  # a message is read to its end
        return f"{typed[-max(columns - len(note) - 3, least) :]}   {note}"[:columns]

    def press(self, key: str) -> bool:
        """Carry out the action of a key.

        Parameters
        ----------
        key : str
            A key as `KeyReader.keys` returns it.

        Returns
        -------
        bool
            Whether to continue; False after Ctrl-D.
        """
        self.message = ""
        if self._ended:
            return False
        if key == END_OF_INPUT:
            self._give()
            self._ended = True
        elif key in _ERASE:
            self._erase()
        elif key in _ENTER:
            self._give("\n")
        elif key == " ":
            self._give(" ")
        elif len(key) == 1 and (key.isprintable() or key == "\t"):
            self._add(key)
        return not self._ended

    def read(self) -> str | None:
        """Return an empty string, since the keys give the stream its text; None after Ctrl-D."""
        return None if self._ended else ""

    def interrupt(self) -> None:
        """Do nothing: `read` does not wait."""

    def close(self) -> None:
        """Do nothing: there is no file."""

    def _add(self, key: str) -> None:
        try:
            text = self._plain.convert(key)
        except VRNNEngineError as error:
            self.message = str(error)
            return
        for character in text:
            if character == " ":
                self._give(" ")
            else:
                self._word += character

    def _give(self, end: str = "") -> None:
        """Give the stream the word that is complete."""
        text, self._word = self._word + end, ""
        if text:
            self._stream.write(text)
            self._given.append(text)

    def _erase(self) -> None:
        """Remove the last character, which may belong to a word that the stream has and does not write yet."""
        if not self._word and self._given:
            last = self._given.pop()
            removed = self._stream.erase(len(last))
            if removed < len(last):  # it is being written
                self._given.append(last)
                if removed:
                    self._stream.write(last[-removed:])
                return
            self._word = last
        self._word = self._word[:-1]
