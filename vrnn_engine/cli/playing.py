"""Plays a stream to its end; on a terminal, shows its progress and reads keys meanwhile."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vrnn_engine.cli import report
from vrnn_engine.cli.plotting import PageTurner
from vrnn_engine.cli.typed import take_typing

if TYPE_CHECKING:
    from vrnn_engine.cli.live import Learn
    from vrnn_engine.cli.manuscript import Manuscript
    from vrnn_engine.runtime.live.control.key_reader import KeyReader
    from vrnn_engine.runtime.live.control.keys import Keyboard
    from vrnn_engine.runtime.live.control.steerable import Steerable
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.sinks.ink.terminal import TerminalSink

REFRESH_SECONDS = 0.1
"""Seconds between two updates of the panel; keys are read at once."""


def play(
    player: "Player",
    performance: "Steerable",
    seconds: float,
    description: str,
    note: str,
    learn: "Learn",
    manuscript: "Manuscript | None" = None,
) -> None:
    """Play to the end, and print one line before and one line after.

    Parameters
    ----------
    player : Player
        Not started yet.
    performance : Steerable
        The performance that the player plays.
    seconds : float
        Length of the stream in seconds; infinity if it has no end.
    description : str
        Description of the stream, for the first line.
    note : str
        Printed after the target.
    learn : callable, optional
        Binds a control to the next MIDI controller that moves.
    manuscript : Manuscript, optional
        The text that the stream writes.
    """
    started = time.monotonic()
    try:
        with player:
            try:
                report.say(f"{description} -> {player.label}{note}")
                _watch(player, performance, seconds, learn, manuscript)
            except KeyboardInterrupt:
                player.stop()  # this finishes the file; leaving the block would hide an error of that
                raise
    except KeyboardInterrupt:  # also one that arrives while the player starts
        if player.started:
            report.say(_summary(player, started, manuscript))
        raise
    report.say(_summary(player, started, manuscript))


def _watch(
    player: "Player", performance: "Steerable", seconds: float, learn: "Learn", manuscript: "Manuscript | None"
) -> None:
    """Wait for the end.  On a terminal, show the progress; for live or endless output, show the panel and read keys."""
    pages = PageTurner(player.sink, manuscript is not None and manuscript.is_piped)
    if manuscript is not None and manuscript.typewriter is not None:
        take_typing(player, pages, manuscript, manuscript.typewriter)
        return
    # A short run needs no display, and importing rich would delay the first sound.
    if player.wait(timeout=0.5):
        player.wait()
        return
    if not sys.stderr.isatty():
        while not player.wait(timeout=REFRESH_SECONDS):
            pages.look()
        return
    from vrnn_engine.runtime.sinks.ink.terminal import TerminalSink

    if isinstance(player.sink, TerminalSink):
        _caption_ink(player, player.sink, pages, performance, learn)
    elif player.sink.live or (manuscript is None and math.isinf(seconds)):
        _show_panel(player, pages, performance, seconds, learn)
    else:
        _show_progress(player, seconds, manuscript)


def _show_progress(player: "Player", seconds: float, manuscript: "Manuscript | None") -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as display:
        while not player.wait(timeout=0.125):
            trouble = f"   {player.underruns} underruns" if player.underruns else ""
            line = f"{player.seconds_played:6.1f} s / {seconds:g} s   {player.speed:.1f} x real time{trouble}"
            display.update(Text(line if manuscript is None else manuscript.progress(player)))


def _show_panel(player: "Player", pages: PageTurner, performance: "Steerable", seconds: float, learn: "Learn") -> None:
    from rich.console import Console
    from rich.live import Live

    from vrnn_engine.cli.panel import Panel

    console = Console(stderr=True, highlight=False)
    with ExitStack() as ending:
        reader, keyboard = _open_keyboard(ending, performance, learn)
        panel = Panel(player, performance, console, seconds, keyboard)
        display = ending.enter_context(Live(console=console, auto_refresh=False, transient=True))
        ending.enter_context(report.above(console))
        _press_until_end(player, pages, reader, keyboard, lambda: display.update(panel.draw(), refresh=True))


def _caption_ink(
    player: "Player", sink: "TerminalSink", pages: PageTurner, performance: "Steerable", learn: "Learn"
) -> None:
    """Read keys while a sink draws on the terminal, and show their results in the line below the drawing."""
    with ExitStack() as ending:
        reader, keyboard = _open_keyboard(ending, performance, learn)
        ending.enter_context(report.above(sink.console))

        def caption() -> None:
            sink.caption = keyboard.line if keyboard else ""

        _press_until_end(player, pages, reader, keyboard, caption)


def _open_keyboard(
    ending: ExitStack, performance: "Steerable", learn: "Learn"
) -> "tuple[KeyReader | None, Keyboard | None]":
    """Return the reader of the terminal's keys and their actions; None for both if no keys can be read."""
    from vrnn_engine.runtime.live.control.key_reader import KeyReader
    from vrnn_engine.runtime.live.control.keys import Keyboard

    if not KeyReader.usable():
        return None, None
    return ending.enter_context(KeyReader()), Keyboard(performance, learn)


def _press_until_end(
    player: "Player",
    pages: PageTurner,
    reader: "KeyReader | None",
    keyboard: "Keyboard | None",
    show: Callable[[], None],
) -> None:
    """Refresh the display and handle keys until the player has ended or the quit key is pressed."""
    while not player.wait(timeout=0 if reader else REFRESH_SECONDS):
        show()
        if reader is None or keyboard is None:
            pages.look()
            continue
        pages.tell_keys()
        if not all(pages.press(key) or keyboard.press(key) for key in reader.keys(REFRESH_SECONDS)):
            return


def _summary(player: "Player", started: float, manuscript: "Manuscript | None") -> str:
    parts = [] if manuscript is None else manuscript.summary(player)
    parts += [
        f"{player.seconds_played:.2f} s to {player.label} in {time.monotonic() - started:.2f} s",
        f"generated at {player.speed:.1f} x real time",
    ]
    if player.sink.underruns is not None:
        parts.append(f"{player.underruns} underruns")
    if player.dropped:
        parts.append(f"{player.dropped} samples dropped")
    if player.clipped:
        parts.append(f"{player.clipped} samples clipped")
    if player.limited:
        parts.append(f"{player.limited} samples limited")
    if player.full:
        parts.append("the page is full")
    return ", ".join(parts)
