"""Draws the panel that shows a live stream in the terminal: levels, the ring, the text, the controls and the keys."""

import math
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from vrnn_engine.runtime.audio.meter import level, spectrum
from vrnn_engine.runtime.sinks.ink.canvas import draw_recent

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.control.keys import Keyboard
    from vrnn_engine.runtime.live.control.steerable import Steerable
    from vrnn_engine.runtime.player import Player

QUIET = -60.0
"""Level at the low end of the meters, in dBFS."""
METERED = 0.1
"""Seconds of sound whose level and spectrum are shown."""
NAME = 22
"""Width of the names at the left, columns."""
_WIDEST = 100
_LEVELS = {True: "▁▂▃▄▅▆▇█", False: "_.-=+*#@"}
_BAR = {True: "█", False: "#"}
_REST = {True: "·", False: "."}
_INK_ROWS = 4


class Panel:
    """Draws the panel.

    Parameters
    ----------
    player : Player
    performance : Steerable
        The performance that the player plays.
    console : Console
        The console, whose size and encoding determine the layout and the characters used.
    seconds : float
        Length of the stream in seconds; infinity if it has no end.
    keyboard : Keyboard, optional
        Provides the chosen control; None if no keys can be read.
    """

    def __init__(
        self,
        player: "Player",
        performance: "Steerable",
        console: Console,
        seconds: float,
        keyboard: "Keyboard | None",
    ) -> None:
        self._player = player
        self._performance = performance
        self._console = console
        self._length = "" if math.isinf(seconds) else f" / {seconds:g} s"
        self._keyboard = keyboard
        self._manifest = performance.voice.manifest
        self._rich = console.encoding.startswith("utf")

    def draw(self) -> Text:
        """Return the current panel, cropped to the terminal."""
        width = min(self._console.width, _WIDEST) - 1
        bars = width - NAME - 16
        head = [self._heading(), *self._ring(bars)]
        head += self._sound(bars, width) if self._manifest.modality == "audio" else self._ink(width)
        head += self._text(bars)
        foot = self._foot()
        room = max(1, self._console.height - 1 - len(head) - len(foot))
        text = Text("\n", no_wrap=True, overflow="crop").join([*head, *self._controls(bars, room), *foot])
        text.no_wrap, text.overflow = True, "crop"
        return text

    def _heading(self) -> Text:
        player = self._player
        underruns = f"   {player.underruns} underruns" if player.sink.underruns is not None else ""
        clipped = f"   {player.clipped} clipped" if player.clipped else ""
        clipped += f"   {player.limited} limited" if player.limited else ""
        return Text.assemble(
            (f"{player.seconds_played:.1f} s{self._length}", "bold"),
            f"   frame {self._performance.frame}   {player.speed:.1f} x real time",
            (underruns + clipped, "bold red" if player.underruns or player.clipped or player.limited else ""),
        )

    def _ring(self, bars: int) -> list[Text]:
        pending = self._player.sink.pending
        if pending is None:
            return []
        depth, held = self._player.depth, pending / self._manifest.rate
        if self._player.sink.underruns is None:  # a plotter: no ring, but a backlog
            return [self._row("still to be drawn", "", f"{held:.1f} s")]
        return [self._row("ring", self._bar(held / depth, bars), f"{1000 * held:.0f} ms")]

    def _sound(self, bars: int, width: int) -> list[Text]:
        count = max(1, round(METERED * self._manifest.frames_per_second))
        heard = list(self._performance.recent)[-count:]
        now = level(heard)
        style = "red" if now > -3 else "yellow" if now > -12 else "green"
        bands = spectrum(heard, self._manifest.rate, bars)
        high = f"60 Hz to {self._manifest.rate / 2000:g} kHz"
        return [
            self._row("level", Text(self._bar(1 - now / QUIET, bars), style), f"{now:.1f} dBFS"),
            # A band has only part of the power, so its meter begins 10 dB lower.
            self._row("spectrum", Text(self._glyphs(1 - (bands + 10) / QUIET), "cyan"), high),
        ]

    def _ink(self, width: int) -> list[Text]:
        """Return the ink of the last points in braille characters, or blank lines if the console cannot show them."""
        if not self._rich:
            return [Text()] * _INK_ROWS
        points = np.reshape(list(self._performance.recent), (-1, 3))
        return [Text(line) for line in draw_recent(points, width, _INK_ROWS).split("\n")]

    def _text(self, bars: int) -> list[Text]:
        """Return how many characters are written and still to come, if the voice writes a text."""
        if self._manifest.text is None:
            return []
        written, pending = self._performance.stream.written, self._performance.stream.pending
        part = self._bar(written / max(written + pending, 1), bars)
        return [self._row(f"{written:,} written", part, f"{pending:,} to come")]

    def _controls(self, bars: int, room: int) -> list[Text]:
        names = list(self._performance.controls)
        chosen = self._keyboard.chosen if self._keyboard else ""
        at = names.index(chosen) if chosen in names else 0
        first = min(max(0, at - room // 2), max(0, len(names) - room))
        return [self._control(name, name == chosen, bars) for name in names[first : first + room]]

    def _control(self, name: str, chosen: bool, bars: int) -> Text:
        spec = self._performance.controls.specs[name]
        value = np.atleast_1d(self._performance.controls[name])
        parts = (value - spec.minimum) / max(spec.maximum - spec.minimum, 1e-12)
        mark = ">" if chosen else " "
        style = "bold" if chosen else ""
        if value.size == 1:
            return self._row(f"{mark} {name}", self._bar(parts[0], bars), f"{value[0]:.3g}", style)
        dimension = self._keyboard.dimension if chosen and self._keyboard else None
        first = max(0, (dimension or 0) - bars + 1)
        glyphs = Text(self._glyphs(parts[first : first + bars]))
        if dimension is None:
            return self._row(f"{mark} {name}", glyphs, f"mean {value.mean():.3g}", style)
        glyphs.stylize("reverse", dimension - first, dimension - first + 1)
        return self._row(f"{mark} {name}/{dimension}", glyphs, f"{value[dimension]:.3g}", style)

    def _foot(self) -> list[Text]:
        if self._keyboard is None:
            return [Text("Ctrl-C ends the stream; no keys are read here", "dim")]
        return [Text(self._keyboard.message, "bold"), *(Text(line, "dim") for line in self._keyboard.HELP)]

    def _row(self, name: str, middle: str | Text, value: str, style: str = "") -> Text:
        return Text.assemble((f"{name:<{NAME}.{NAME}} ", style), middle, (f"  {value}", style))

    def _bar(self, part: float, width: int) -> str:
        filled = round(min(max(part, 0.0), 1.0) * width)
        return _BAR[self._rich] * filled + _REST[self._rich] * (width - filled)

    def _glyphs(self, parts: np.ndarray) -> str:
        levels = _LEVELS[self._rich]
        return "".join(levels[int(part)] for part in np.clip(parts * len(levels), 0, len(levels) - 1))
