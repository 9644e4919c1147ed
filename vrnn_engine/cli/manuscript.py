"""The text that `write` and `stream --text` are given: its options, where it is read from, and its progress."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli.stream_options import INPUT
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.client.stream import RemoteStream
    from vrnn_engine.runtime.live.control.steerable import Progress
    from vrnn_engine.runtime.live.control.typewriter import Typewriter, Writable
    from vrnn_engine.runtime.live.letters.sources import TextReader, TextSource
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.stream import Stream
    from vrnn_engine.runtime.voice.text import Text as VoiceText

STDIN = "-"

File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Text file to write, in UTF-8.", rich_help_panel=INPUT),
]
Live = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Write what is typed on the terminal.  Backspace erases what is not written yet, Enter ends a line, and "
        "Ctrl-D ends the letter.",
        rich_help_panel=INPUT,
    ),
]
Nearest = Annotated[
    bool,
    typer.Option(
        "--nearest",
        help="Write the nearest character in place of one that the voice cannot write, which is otherwise an error.",
        rich_help_panel=INPUT,
    ),
]
Text = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="TEXT",
        help="Write this text, for a voice that can; - reads it from stdin.  The stream ends with the text.",
        rich_help_panel=INPUT,
    ),
]


@dataclass(frozen=True)
class TextRequest:
    """The text as given on the command line; one of the first three is given."""

    text: str | None = None
    file: Path | None = None
    live: bool = False
    nearest: bool = False

    @property
    def is_piped(self) -> bool:
        """Whether the text is read from standard input, so that nothing else can be."""
        return STDIN in (self.text, str(self.file))


@dataclass(frozen=True)
class Manuscript:
    """A text that a stream writes.

    Attributes
    ----------
    stream : Stream or RemoteStream
        The stream that writes it.
    source : TextSource
        Where the text is read from.
    digest : str
        Checksum of the text; empty if it is not known before it is written.
    characters : int or None
        Their number; None if it is not known before they are written.
    typewriter : Typewriter or None
        The source, if the text is typed.
    is_piped : bool
        Whether the text is read from standard input.
    retrying : Stream or None
        The stream, if it tells how many words it has written again.
    """

    stream: "Progress"
    source: "TextSource"
    digest: str = ""
    characters: int | None = None
    typewriter: "Typewriter | None" = None
    is_piped: bool = False
    retrying: "Stream | None" = None

    def progress(self, player: "Player") -> str:
        """Return how much is written, in one line.

        Parameters
        ----------
        player : Player
            The player that plays the stream.
        """
        total = "" if self.characters is None else f" of {self.characters:,}"
        pages = f"   page {player.sink.pages}" if player.sink.pages else ""
        return f"{self.stream.written:,}{total} characters{pages}   {player.speed:.1f} x real time"

    def summary(self, player: "Player") -> list[str]:
        """Return the number of characters, lines and pages, and of the words that were written again.

        Parameters
        ----------
        player : Player
            The player that has played the stream.
        """
        counts = [(self.stream.written, "character"), (player.sink.lines, "line"), (player.sink.pages, "page")]
        parts = [_count(number, name) for number, name in counts if number is not None]
        if self.retrying is not None:
            parts.append(f"{_count(self.retrying.retries, 'word')} written again")
            if self.retrying.faults:
                parts.append(f"{_count(self.retrying.faults, 'word')} still faulty")
        return parts


def open_manuscript(asked: TextRequest, stream: "Stream") -> Manuscript:
    """Open the text that a stream of this machine writes; parameters and errors are those of `read_manuscript`.

    Parameters
    ----------
    asked : TextRequest
    stream : Stream
        The stream that shall write it.

    Raises
    ------
    StreamError
        As `read_manuscript`, or the voice writes no text.
    typer.BadParameter
        There is no terminal to type on.
    """
    text = stream.stepper.require_script().text
    if asked.live:
        return _typed(stream, text, asked.nearest)
    return replace(read_manuscript(asked, stream, text), retrying=stream)


def open_remote_manuscript(asked: TextRequest, stream: "RemoteStream") -> Manuscript:
    """Open the text that a stream of a server writes; errors are those of `open_manuscript`.

    Parameters
    ----------
    asked : TextRequest
    stream : RemoteStream
        The stream that shall write it.
    """
    text = stream.require_text()
    if not asked.live:
        return read_manuscript(asked, stream, text)
    from vrnn_engine.client.typed_text import TypedSource, TypedText

    typed = TypedText(stream)
    typewriter = _typewriter(typed, text, asked.nearest)
    return Manuscript(stream, TypedSource(typewriter, typed), typewriter=typewriter)


def read_manuscript(asked: TextRequest, stream: "Progress", text: "VoiceText") -> Manuscript:
    """Open a text that is not typed, and check it first if it can be read twice.

    Parameters
    ----------
    asked : TextRequest
    stream : Stream or RemoteStream
        The stream that shall write it.
    text : Text
        The characters of the voice.

    Raises
    ------
    StreamError
        The text cannot be read, is empty or not UTF-8, or has characters that the voice does not have.
    """
    from vrnn_engine.runtime.live.letters.plain_text import PlainText
    from vrnn_engine.runtime.live.letters.sources import check_text, given_text, open_text

    def read(plain: PlainText) -> "TextReader":
        if asked.file is not None:
            return open_text(asked.file, plain)
        return open_text(STDIN, plain) if asked.is_piped else given_text(asked.text or "", plain)

    plain = PlainText(text, asked.nearest)
    if asked.is_piped or (asked.file is not None and os.path.exists(asked.file) and not os.path.isfile(asked.file)):
        return Manuscript(stream, read(plain), is_piped=asked.is_piped)
    checked = check_text(read(PlainText(text, asked.nearest, quiet=True)))
    return Manuscript(stream, read(plain), checked.digest, checked.characters)


def _typed(stream: "Stream", text: "VoiceText", nearest: bool) -> Manuscript:
    typewriter = _typewriter(stream, text, nearest)
    return Manuscript(stream, typewriter, typewriter=typewriter, retrying=stream)


def _typewriter(stream: "Writable", text: "VoiceText", nearest: bool) -> "Typewriter":
    """Return what writes what is typed; raise `typer.BadParameter` if there is no terminal to type on."""
    from vrnn_engine.runtime.live.control.key_reader import KeyReader
    from vrnn_engine.runtime.live.control.typewriter import Typewriter
    from vrnn_engine.runtime.live.letters.plain_text import PlainText

    if not KeyReader.usable():
        raise WrongOption("needs a terminal to type on; pipe a text into `vrnn-engine write -`", param_hint="--live")
    return Typewriter(stream, PlainText(text, nearest, typed=True))


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
