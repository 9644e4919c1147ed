"""Prints the output of commands: answers on stdout, as text or JSON, and all other lines on stderr.

All text that a command prints goes through this module, which makes control characters visible: a voice, a recording
or a library's error message from a stranger cannot steer the terminal.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from vrnn_engine.base.text_files import visible
from vrnn_engine.errors import VRNNEngineError

if TYPE_CHECKING:
    import logging

    from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""Option of every command whose answer other programs may read."""

Strict = Annotated[
    bool, typer.Option("--strict", help="Fail if a file of the corpus cannot be read, instead of skipping it.")
]
"""Option of every command that reads a corpus."""

_display: "Console | None" = None


def say(line: str, style: str = "") -> None:
    """Print one line on stderr.

    Parameters
    ----------
    line : str
        The line.
    style : str
        Style as rich names it, e.g. `red`; used if stderr is a terminal with colours.
    """
    line = visible(line)
    if sys.stderr is None:  # the process was started with stderr closed, and print(file=None) writes to stdout
        return
    if _display is not None:
        _display.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    elif style and has_colour(sys.stderr):
        from rich.console import Console

        Console(stderr=True, highlight=False).print(line, style=style, markup=False, soft_wrap=True)
    else:
        # One write, as lines of two threads would otherwise end up on one line.
        print(f"{line}\n", end="", file=sys.stderr, flush=True)


def say_traceback(error: BaseException) -> None:
    """Print the traceback of an exception on stderr."""
    import traceback

    print(visible("".join(traceback.format_exception(error)), keep="\n"), end="", file=sys.stderr, flush=True)


@contextmanager
def above(display: "Console") -> Iterator[None]:
    """While the block runs, print the lines of all threads above a live display, through its console."""
    global _display
    _display = display
    try:
        yield
    finally:
        _display = None


def warn(line: str) -> None:
    """Print one line on stderr, highlighted."""
    say(line, style="yellow")


def show_log() -> None:
    """Print the library's log messages (e.g. that CUDA cannot run) as lines on stderr."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            (warn if record.levelno >= logging.WARNING else say)(record.getMessage())

    log = logging.getLogger("vrnn_engine")
    log.addHandler(Lines())
    log.setLevel(logging.INFO)


def log_format(template: str) -> "logging.Formatter":
    """Return a formatter that writes each log message on one line; a traceback may follow it.

    Parameters
    ----------
    template : str
        Template of a line, as `logging.Formatter` takes it.
    """
    import logging

    class Lines(logging.Formatter):
        def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
            return visible(super().formatMessage(record))

        def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
            return visible(super().formatException(ei), keep="\n")

    return Lines(template)


@contextmanager
def without_warnings() -> Iterator[None]:
    """While the block runs, print none of the library's warnings."""
    import logging

    log = logging.getLogger("vrnn_engine")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream is a terminal with colours, and the user has not disabled them by `NO_COLOR`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_json(value: Any) -> None:
    """Print an answer as JSON on stdout.  NaN and infinity, which JSON does not have, become null."""
    import msgspec

    answer(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print an answer as a table on stdout; each row has one cell per column of the head."""
    table = [tuple(map(visible, row)) for row in [head, *rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        answer("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print an answer on stdout as lines of a name and its value."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        answer(f"{visible(name).ljust(width)}  {visible(value)}")


def answer(text: str = "", end: str = "\n") -> None:
    """Print part of an answer on stdout, which may have several lines.

    Raises
    ------
    BrokenPipeError
        The program that reads stdout has closed it.
    VRNNEngineError
        stdout cannot be written for another reason, e.g. a full disk.
    """
    try:
        print(visible(text, keep="\n"), end=end, flush=True)
    except OSError as error:
        # Otherwise Python would write the rest of the buffer when it exits, and print an error of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise VRNNEngineError(f"stdout: cannot write the answer: {error.strerror}") from None
