"""Reads a text from a string, a file or standard input, piece by piece, so that its length needs no memory."""

import hashlib
import io
import os
import stat
from typing import NamedTuple, Protocol

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.letters.decoder import TextDecoder
from vrnn_engine.runtime.live.letters.plain_text import PlainText
from vrnn_engine.runtime.recording.pipe import Pipe
from vrnn_engine.runtime.voice.text import END

PIECE = 4096
"""Number of characters from which on a piece may end within a line."""
_STDIN = 0


class TextSource(Protocol):
    """Where the text of a `Letter` comes from."""

    def read(self) -> str | None:
        """Return the next piece of the text; an empty one if there is none yet, None at the end.

        A piece ends with a line, unless it has at least `PIECE` characters or is the last one.
        """
        ...

    def interrupt(self) -> None:
        """Make a waiting `read` return soon; called from another thread."""
        ...

    def close(self) -> None:
        """Close the file, if there is one."""
        ...


class _Bytes(Protocol):
    """Where the bytes of a text come from."""

    label: str

    def read_some(self, size: int) -> bytes:
        """Return at most `size` bytes, as many as there are; none at the end."""
        ...

    def interrupt(self) -> None:
        """Make a waiting `read_some` return soon."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class _Given:
    """The bytes of a text that was given as such."""

    label = "the text"

    def __init__(self, text: str) -> None:
        # An argument of the command line keeps the bytes that are not UTF-8 as surrogates.
        self._bytes = io.BytesIO(text.encode("utf-8", "surrogateescape"))

    def read_some(self, size: int) -> bytes:
        return self._bytes.read(size)

    def interrupt(self) -> None:
        """Do nothing: a given text does not wait."""

    def close(self) -> None:
        """Do nothing: there is no file."""


class TextReader:
    """A `TextSource` that decodes bytes and replaces what the voice cannot write.  Use it as a context manager.

    Parameters
    ----------
    source : Pipe or similar
        Gives the bytes.
    plain : PlainText
        Replaces characters.
    """

    def __init__(self, source: _Bytes, plain: PlainText) -> None:
        self._source, self._plain = source, plain
        self._decoder = TextDecoder(source.label)
        self._text = ""
        self._empty = True
        self._ended = self._interrupted = False

    def read(self) -> str | None:
        """Return the next piece of the text; None at the end.

        Raises
        ------
        StreamError
            The text is not UTF-8 or is empty, or the voice cannot write one of its characters.
        RecordingError
            The text cannot be read.
        """
        while not self._ended:
            data = self._source.read_some(PIECE)
            if self._interrupted:
                return None
            self._ended = not data
            self._text += self._decoder.decode(data)
            end = self._text.rfind(END) + 1
            if self._ended or (not end and len(self._text) >= PIECE):
                end = len(self._text)
            if end:
                # Converted as a whole, because an accent may be in the bytes after those of its letter.
                piece, self._text = self._plain.convert(self._text[:end]), self._text[end:]
                self._empty = self._empty and not piece.strip()
                if piece:
                    return piece
        if self._empty:
            raise StreamError(f"{self._source.label} has no characters to write")
        return None

    def interrupt(self) -> None:
        """Make a waiting `read` return soon; the text then ends."""
        self._interrupted = True
        self._source.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> "TextReader":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def given_text(text: str, plain: PlainText) -> TextReader:
    """Return the reader of a string.

    Parameters
    ----------
    text : str
    plain : PlainText
    """
    return TextReader(_Given(text), plain)


def open_text(place: str | os.PathLike[str], plain: PlainText) -> TextReader:
    """Return the reader of a file.

    Parameters
    ----------
    place : str or path
        A path; `-` is standard input.
    plain : PlainText

    Raises
    ------
    StreamError
        The file cannot be opened, or standard input is a terminal.
    """
    name = os.fspath(place)
    if name == "-" and os.isatty(_STDIN):
        raise StreamError("stdin is a terminal; pipe a text into it, or give the text or a file")
    try:
        descriptor = _STDIN if name == "-" else os.open(name, os.O_RDONLY)
    except (OSError, ValueError) as error:
        raise read_error(name, error, StreamError) from None
    source = Pipe(descriptor, "stdin" if name == "-" else name, owned=name != "-")
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        source.close()
        raise StreamError(f"{source.label} is a folder, not a text")
    return TextReader(source, plain)


class CheckedText(NamedTuple):
    """The length and checksum of a text that was read to its end.

    Attributes
    ----------
    characters : int
        Number of characters to write.
    digest : str
        Checksum of these characters.
    """

    characters: int
    digest: str


def check_text(reader: TextReader) -> CheckedText:
    """Read a text to its end.

    Parameters
    ----------
    reader : TextReader
        Closed afterwards.

    Raises
    ------
    StreamError, RecordingError
        As `TextReader.read` does.
    """
    count, digest = 0, hashlib.sha256()
    with reader:
        while (piece := reader.read()) is not None:
            count += len(piece)
            digest.update(piece.encode())
    return CheckedText(count, digest.hexdigest())
