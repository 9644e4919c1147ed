"""Reads what is typed on the terminal while a stream writes it."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from vrnn_engine.cli import report
from vrnn_engine.cli.plotting import PageTurner

if TYPE_CHECKING:
    from vrnn_engine.cli.manuscript import Manuscript
    from vrnn_engine.runtime.live.control.typewriter import Typewriter
    from vrnn_engine.runtime.player import Player

_REFRESH_SECONDS = 0.1


def take_typing(player: "Player", pages: PageTurner, manuscript: "Manuscript", typewriter: "Typewriter") -> None:
    """Press keys until the text is ended and written; show what is typed in the line below the ink.

    Parameters
    ----------
    player : Player
    pages : PageTurner
    manuscript : Manuscript
    typewriter : Typewriter
        The manuscript's typewriter.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from vrnn_engine.runtime.live.control.key_reader import KeyReader
    from vrnn_engine.runtime.sinks.ink.terminal import TerminalSink

    sink = player.sink
    with ExitStack() as ending:
        reader = ending.enter_context(KeyReader())
        console = sink.console if isinstance(sink, TerminalSink) else Console(stderr=True, highlight=False)
        display = None
        if not isinstance(sink, TerminalSink):
            display = ending.enter_context(Live(console=console, auto_refresh=False, transient=True))
        ending.enter_context(report.above(console))
        while not player.wait(timeout=0):
            if isinstance(sink, TerminalSink):
                sink.caption = typewriter.line(console.width - 1)
            elif display is not None:
                shown = f"{manuscript.progress(player)}\n{typewriter.line(console.width - 1)}"
                display.update(Text(shown, no_wrap=True, overflow="crop"), refresh=True)
            pages.tell_keys()
            for key in reader.keys(_REFRESH_SECONDS):
                if not pages.press(key):
                    typewriter.press(key)
