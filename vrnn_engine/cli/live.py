"""What `stream` does while it plays: who steers it, and what a terminal shows meanwhile."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.stream_options import STEERING

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.control.keys import Keyboard, Terminal
    from vrnn_engine.runtime.live.control.sources import Source
    from vrnn_engine.runtime.live.performance import Performance
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.sinks.ink.terminal import TerminalSink

OscPort = Annotated[
    str | None,
    typer.Option(
        "--osc",
        metavar="[HOST:]PORT",
        help="Receive OSC messages on this UDP port (docs/live.md).",
        rich_help_panel=STEERING,
    ),
]
OscTo = Annotated[
    str | None,
    typer.Option(
        "--osc-to",
        metavar="HOST:PORT",
        help="Send levels and latents to this address.  Default: to the sender of the last message.",
        rich_help_panel=STEERING,
    ),
]
MidiPort = Annotated[
    str | None,
    typer.Option(
        "--midi",
        metavar="NAME",
        help="Receive MIDI from the device whose name contains NAME; `virtual` opens a port that others connect to.",
        rich_help_panel=STEERING,
    ),
]
MidiLearn = Annotated[
    list[str] | None,
    typer.Option(
        "--midi-learn",
        metavar="CONTROL[/N]",
        help="Bind this control to the MIDI controller that you move next, and save the binding; repeatable.",
        rich_help_panel=STEERING,
    ),
]
MidiFile = Annotated[
    Path | None,
    typer.Option(
        "--midi-map",
        metavar="FILE",
        help="File of MIDI bindings.  Default: midi.json in your configuration folder.",
        rich_help_panel=STEERING,
    ),
]

Learn = Callable[[str], None] | None

TICK = 0.1
"""Seconds between two looks at a panel."""


class Steering:
    """Everybody who steers a performance from outside, made of what the command line asks for; not started yet."""

    def __init__(
        self,
        osc: str | None,
        osc_to: str | None,
        midi: str | None,
        midi_learn: list[str] | None,
        midi_map: Path | None,
        plugins: list[str] | None,
    ) -> None:
        if midi is None and (midi_learn or midi_map):
            raise typer.BadParameter("needs --midi NAME", param_hint="--midi-learn" if midi_learn else "--midi-map")
        self.sources: list[Source] = []
        self.learn: Learn = None
        """Lets a MIDI controller be learnt, if there is a device."""
        if plugins:
            from vrnn_engine.runtime.live.control.sources import make_source

            self.sources += map(make_source, plugins)
        if osc is not None or osc_to is not None:
            from vrnn_engine.runtime.live.control.osc import Osc

            self.sources.append(Osc(osc or "0", osc_to))
        if midi is not None:
            from vrnn_engine.runtime.live.control.midi import Midi
            from vrnn_engine.runtime.live.control.midi_map import MidiMap

            device = Midi(midi, MidiMap(midi_map), midi_learn or ())
            self.sources.append(device)
            self.learn = device.learn


def play(player: "Player", performance: "Performance", seconds: float, words: tuple[str, str], learn: Learn) -> None:
    """Play to the end.

    Parameters
    ----------
    player, performance
        Which plays which.
    seconds : float
        How long it will be; infinity if there is no end.
    words : tuple of str
        What it is, to be said at the beginning, and what is to be said of where it goes.
    learn : callable, optional
        Lets a MIDI controller be learnt.
    """
    started = time.monotonic()
    with player:
        report.say(f"{words[0]} -> {player.label}{words[1]}")
        try:
            _watch(player, performance, seconds, learn)
        except KeyboardInterrupt:
            player.stop()  # finishes a file
            report.say(_summary(player, started))
            raise
    report.say(_summary(player, started))


def _watch(player: "Player", performance: "Performance", seconds: float, learn: Learn) -> None:
    """Wait for the end.  On a terminal, show how far it is; of what is heard or endless, how it is, and read keys."""
    # What is over at once needs no display, and the import of rich would delay the first sound.
    if player.wait(timeout=0.5) or not sys.stderr.isatty():
        player.wait()
        return
    from vrnn_engine.runtime.sinks.ink.terminal import TerminalSink

    if isinstance(player.sink, TerminalSink):
        _caption_ink(player, player.sink, performance, learn)
    elif player.sink.live or math.isinf(seconds):
        _show_panel(player, performance, seconds, learn)
    else:
        _show_progress(player, seconds)


def _show_progress(player: "Player", seconds: float) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as display:
        while not player.wait(timeout=0.125):
            trouble = f"   {player.underruns} underruns" if player.underruns else ""
            display.update(
                Text(f"{player.seconds_played:6.1f} s / {seconds:g} s   {player.speed:.1f} x real time{trouble}")
            )


def _show_panel(player: "Player", performance: "Performance", seconds: float, learn: Learn) -> None:
    from rich.console import Console
    from rich.live import Live

    from vrnn_engine.cli.panel import Panel

    console = Console(stderr=True, highlight=False)
    with ExitStack() as ending:
        terminal, keyboard = _open_keyboard(ending, performance, learn)
        panel = Panel(player, performance, console, seconds, keyboard)
        display = ending.enter_context(Live(console=console, auto_refresh=False, transient=True))
        ending.enter_context(report.above(console))
        _press_until_end(player, terminal, keyboard, lambda: display.update(panel.draw(), refresh=True))


def _caption_ink(player: "Player", sink: "TerminalSink", performance: "Performance", learn: Learn) -> None:
    """Read keys while a sink draws on the terminal, below which it says what they did."""
    with ExitStack() as ending:
        terminal, keyboard = _open_keyboard(ending, performance, learn)
        ending.enter_context(report.above(sink.console))

        def caption() -> None:
            sink.caption = keyboard.line if keyboard else ""

        _press_until_end(player, terminal, keyboard, caption)


def _open_keyboard(
    ending: ExitStack, performance: "Performance", learn: Learn
) -> "tuple[Terminal | None, Keyboard | None]":
    """Return where keys are read and what they do, if they can be read."""
    from vrnn_engine.runtime.live.control.keys import Keyboard, Terminal

    if not Terminal.usable():
        return None, None
    return ending.enter_context(Terminal()), Keyboard(performance, learn)


def _press_until_end(
    player: "Player", terminal: "Terminal | None", keyboard: "Keyboard | None", show: Callable[[], None]
) -> None:
    """Show how it is and press keys, until it is over or a key ends it; who leaves the player then stops it."""
    while not player.wait(timeout=0 if terminal else TICK):
        show()
        if terminal and keyboard and not all(map(keyboard.press, terminal.keys(TICK))):
            return


def _summary(player: "Player", started: float) -> str:
    parts = [
        f"{player.seconds_played:.2f} s to {player.label} in {time.monotonic() - started:.2f} s",
        f"made at {player.speed:.1f} x real time",
    ]
    if player.sink.underruns is not None:
        parts.append(f"{player.underruns} underruns")
    if player.dropped:
        parts.append(f"{player.dropped} samples dropped")
    if player.clipped:
        parts.append(f"{player.clipped} samples clipped")
    if player.full:
        parts.append("the page is full")
    return ", ".join(parts)
