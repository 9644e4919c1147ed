"""Plotter support of `vrnn-engine stream`: starts new pages at the user's input, and continues interrupted plots."""

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.stream_options import OUTPUT
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.cli.manuscript import Manuscript
    from vrnn_engine.cli.request import Request
    from vrnn_engine.runtime.sinks import Sink
    from vrnn_engine.runtime.stream import Stream

Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="Keep in FILE how far a plot to serial:PORT is.  If it was interrupted, the same command draws the rest.",
        rich_help_panel=OUTPUT,
    ),
]

NEXT_KEYS = ("n", "\n", "\r")
"""Keys that start the next page."""


MOST_PAGES = 100_000
"""Largest number of pages that a plotter's target accepts."""
_TERMINAL = "/dev/tty"


class PageTurner:
    """Tells the user when a plotter waits for paper, and starts the next page at a line of standard input.

    Parameters
    ----------
    sink : Sink
        The plotter, or any other sink, which then never waits.
    text_is_piped : bool
        Whether standard input has the text that is written; the lines are then read from the terminal.
    """

    def __init__(self, sink: "Sink", text_is_piped: bool = False) -> None:
        self._sink = sink
        self._input = _open_terminal() if text_is_piped else _descriptor(sys.stdin)
        self._ended = "there is no terminal" if text_is_piped else "standard input has ended"
        self._told = False
        self._typed = b""

    def look(self) -> None:
        """If the sink waits, say so once; start the next page after a line of input, or end at the end of the input."""
        if not self._sink.waiting:
            self._told = False
            return
        self._tell("press Enter")
        while b"\n" not in self._typed:
            data = _read_available(self._input)
            if data is None:
                return
            if not data:
                report.say(f"{self._ended}, so no further page is drawn")
                self._sink.next_page(more=False)
                return
            self._typed += data
        self._typed = self._typed.partition(b"\n")[2]
        self._sink.next_page()

    def press(self, key: str) -> bool:
        """Start the next page if the sink waits and a key requests it; return whether this is so.

        Parameters
        ----------
        key : str
            A key as `KeyReader.keys` returns it.
        """
        mine = self._sink.waiting and key in NEXT_KEYS
        if mine:
            self._sink.next_page()
        return mine

    def tell_keys(self) -> None:
        """If the sink waits, say once which key starts the next page."""
        if self._sink.waiting:
            self._tell("press n")
        else:
            self._told = False

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            report.say(f"the page is full: change the paper when the plotter has stopped, then {what}")


def allow_pages(to: str) -> str:
    """Return a target on which a text of any length can be written: a plotter then waits for paper after each page.

    Parameters
    ----------
    to : str
        The target.
    """
    from vrnn_engine.runtime.options import add_option, split_target

    place, given = split_target(to)
    return add_option(to, "pages", MOST_PAGES) if place.startswith("serial:") and "pages" not in given else to


def _descriptor(stream: TextIO | None) -> int | None:
    """Return the descriptor of a stream, or None if it has none."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


def _open_terminal() -> int | None:
    """Return a descriptor of the terminal that the process was started from, or None if there is none."""
    try:
        return os.open(_TERMINAL, os.O_RDONLY | os.O_NOCTTY)
    except (OSError, AttributeError):
        return None


def _read_available(descriptor: int | None) -> bytes | None:
    """Return the available bytes, empty bytes at their end, or None if no bytes are available yet."""
    if descriptor is None:
        return b""
    try:
        if not select.select([descriptor], [], [], 0)[0]:
            return None
        return os.read(descriptor, 4096)
    except (OSError, ValueError):  # it is closed, or cannot be waited for
        return b""


def resumed_seed(path: Path | None, seed: int | None) -> int | None:
    """Return the seed given, or else the seed of the plot to continue.

    Parameters
    ----------
    path : Path or None
        Value of `--resume`.
    seed : int or None
        Value of `--seed`.
    """
    if path is None or seed is not None:
        return seed
    from vrnn_engine.runtime.sinks.ink.plotters.progress import read_progress

    before = read_progress(path)
    return None if before is None else int(before["plot"]["seed"])


def describe_ink(playing: "Stream", to: str, asked: "Request", manuscript: "Manuscript | None") -> dict[str, str]:
    """Return the settings that determine the ink of a plot and its place on the paper, by names for messages.

    Parameters
    ----------
    playing : Stream
        The stream to draw, at its beginning.
    to : str
        The target; its port may change.
    asked : Request
        The options of the command line.
    manuscript : Manuscript or None
        The text.

    Raises
    ------
    typer.BadParameter
        The text cannot be read twice.
    """
    if manuscript is not None and not manuscript.digest:
        raise WrongOption("needs a text that can be read again; give TEXT or a file", param_hint="--resume")
    written = {
        "text": manuscript.digest if manuscript is not None else None,
        "--prime-text": asked.prime_text,
        "--hand": asked.hand,
    }
    return {
        "voice": playing.fingerprint,
        "seed": str(playing.seed),
        "--temperature": "" if asked.temperature is None else f"{asked.temperature:g}",
        "--set": " ".join(asked.settings),
        "--prime": str(asked.prime or ""),
        "--timeline": str(asked.timeline or ""),
        "page (the options of --to)": to.partition("?")[2],
        **{name: value for name, value in written.items() if value},
    }


def resume(sink: "Sink", path: Path, ink: dict[str, str]) -> None:
    """Make a plotter record its progress in a file, and continue from the recorded progress.

    Parameters
    ----------
    sink : Sink
        The plotter, not opened yet.
    path : Path
        The file.
    ink : dict of str to str
        A result of `describe_ink`.
    """
    from vrnn_engine.runtime.sinks.ink.plotters.progress import PlotProgress
    from vrnn_engine.runtime.sinks.ink.plotters.serialport import SerialSink

    if not isinstance(sink, SerialSink):
        raise WrongOption("is for a plotter, --to serial:PORT", param_hint="--resume")
    sink.progress = PlotProgress(path, ink)
    if sink.progress.drawn:
        report.say(f"{path}: continuing after {sink.progress.drawn} strokes")
