"""How the command line talks: stderr lines, JSON on stdout, and the one place where an error becomes an exit code.

Exit codes: 0 done, 1 it failed (one line), 2 wrong usage, 130 interrupted, 143 terminated (129 by
SIGHUP, 131 by SIGQUIT).
"""

import functools
import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from vrnn_engine.base.extras import missing_extra
from vrnn_engine.errors import VRNNEngineError

if TYPE_CHECKING:
    from rich.console import Console

FAILED = 1
USAGE = 2
INTERRUPTED = 130
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
"""Signals that end a process, besides Ctrl-C; its exit code is then 128 and their number."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option of every verb whose answer a program may read."""

Strict = Annotated[
    bool, typer.Option("--strict", help="Fail if a file of the corpus cannot be read, instead of skipping it.")
]
"""The option of every verb that reads a corpus."""

_debug = False
_display: "Console | None" = None


class Terminated(KeyboardInterrupt):
    """One of `ENDING`: to be treated as Ctrl-C, so that a file under way is finished and a plotter's pen lifted."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


class Tolerant:
    """A stream that may be gone: who has closed a terminal is told no more, but what is under way ends well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError):
            self._stream.flush()


def set_debug(on: bool) -> None:
    """Show tracebacks from now on."""
    global _debug
    _debug = _debug or on


def say(line: str, style: str = "") -> None:
    """Print one line on stderr; `style` (as rich names it) only where a terminal shows it."""
    if _display is not None:
        _display.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    elif style and has_colour(sys.stderr):
        from rich.console import Console

        Console(stderr=True, highlight=False).print(line, style=style, markup=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def above(display: "Console") -> Iterator[None]:
    """Print lines above what a live display shows meanwhile, whichever thread says them."""
    global _display
    _display = display
    try:
        yield
    finally:
        _display = None


def warn(line: str) -> None:
    """Print one line on stderr that a person should not overlook."""
    say(line, style="yellow")


def show_log() -> None:
    """Let what the library says (e.g. that CUDA cannot run) reach stderr as plain lines."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            (warn if record.levelno >= logging.WARNING else say)(record.getMessage())

    log = logging.getLogger("vrnn_engine")
    log.addHandler(Lines())
    log.setLevel(logging.INFO)


def has_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal that may show colours (NO_COLOR is honoured)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_json(value: Any) -> None:
    """Print an answer for a program on stdout; a number that is none (NaN), which JSON lacks, is null."""
    import msgspec

    answer(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print an answer for a person on stdout, in columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        answer("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def answer(text: str = "", end: str = "\n") -> None:
    """Print a part of an answer on stdout."""
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        # What is left in the buffer would fail once more when Python ends, with a message of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise VRNNEngineError(f"stdout: cannot write the answer: {error.strerror}") from None


def guard(verb: Callable[..., None]) -> Callable[..., None]:
    """Wrap a verb: give it `--debug`, and turn what it raises into one line on stderr and an exit code."""

    @functools.wraps(verb)
    def guarded(*args: Any, debug: bool = False, **options: Any) -> None:
        set_debug(debug)
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, _on_ending)
        try:
            verb(*args, **options)
        except typer.Exit:
            raise
        except BaseException as error:
            code = explain(error)
            if code is None:
                raise
            raise typer.Exit(code) from None

    flag = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
    old = inspect.signature(verb)
    extra = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=flag)
    guarded.__signature__ = old.replace(parameters=[*old.parameters.values(), extra])  # type: ignore[attr-defined]
    guarded.__annotations__ = {**verb.__annotations__, "debug": flag}
    return guarded


def explain(error: BaseException) -> int | None:
    """Print what a person should know of an error; return the exit code, or None if it is a bug or not an error.

    The one place that decides this.
    """
    if _debug and not isinstance(error, SystemExit):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        say("terminated" if isinstance(error, Terminated) else "interrupted")
        return error.code if isinstance(error, Terminated) else INTERRUPTED
    if isinstance(error, ModuleNotFoundError):
        error = missing_extra(error) or error
    if isinstance(error, BrokenPipeError):
        error = VRNNEngineError("stdout: the program reading it closed the pipe")
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        error = VRNNEngineError(f"{where}{error.strerror or error}")
    if isinstance(error, VRNNEngineError):
        say("error: " + " ".join(str(error).split()), style="red")
        return FAILED
    return None


def _on_ending(number: int, frame: FrameType | None) -> None:
    if number == getattr(signal, "SIGHUP", None):  # both the system and the shell say so
        signal.signal(number, signal.SIG_IGN)
    raise Terminated(number)
