"""What a stream has written of its text and has still to write, as a value that is never changed."""

from typing import Any, Self

import msgspec
import numpy as np

from vrnn_engine.runtime.text.line import Line
from vrnn_engine.runtime.text.part import FREE, Kind, Part, behind_empty_lines, behind_spaces, ending, next_part
from vrnn_engine.runtime.text.part_run import PartRun
from vrnn_engine.runtime.voice.text import END

KEPT = 4096
"""Number of written characters that may be kept. Dropping them copies the text that is to come."""

NO_FRAMES = np.zeros((0, 3), np.float32)


class WritingState(msgspec.Struct, frozen=True, eq=False):
    """The part of a stream's state that voices without text do not have.

    Attributes
    ----------
    text : str
        The characters that the window may still show, and those to come.
    offset : int
        Place in `text` of the window's first character.
    done : int
        Place in `text` of the first character whose ink is not generated.
    generated : int
        Number of characters whose ink has been generated since the stream was opened.
    unread : int
        Number of those whose ink is among `ready`.
    ready : float32 array [n, 3]
        Frames that are generated and not read.
    steps : int
        Steps taken since the zero state; the position in the noise.
    has_text : bool
        Whether the stream ever got a text. Without one it writes freely.
    begun : bool
        Whether the recurrent state is in the middle of a line.
    observed : bool
        Whether the recurrent state is that after observed ink.
    broken : bool
        Whether the next word does not fit on the line, and begins a new one.
    spaces : int
        Number of spaces before the next ink that are already written.
    still : int
        Number of successive points with the pen up at the end of a line that is written freely.
    line : Line
    width : float or None
        Width of a line in the unit of the voice; None if lines break only where the text says so.
    retries : int
        Number of words that were generated again because they were faulty, each time counted.
    faults : int
        Number of words that stayed faulty.
    """

    text: str = ""
    offset: int = 0
    done: int = 0
    generated: int = 0
    unread: int = 0
    ready: np.ndarray = msgspec.field(default_factory=lambda: NO_FRAMES)
    steps: int = 0
    has_text: bool = False
    begun: bool = False
    observed: bool = False
    broken: bool = False
    spaces: int = 0
    still: int = 0
    line: Line = msgspec.field(default_factory=Line)
    width: float | None = None
    retries: int = 0
    faults: int = 0

    def changed(self, **values: Any) -> Self:
        """Return the state with other values of some attributes.

        A server does this several times for each session and tick, and msgspec does it in a tenth of the time of
        `dataclasses.replace`.
        """
        return msgspec.structs.replace(self, **values)

    @property
    def written(self) -> int:
        """Number of characters whose ink has been read."""
        return self.generated - self.unread

    @property
    def pending(self) -> int:
        """Number of characters whose ink has not been read."""
        return len(self.text) - self.done + self.unread

    def with_text(self, text: str, height: float) -> "WritingState":
        """Return the state with more text to come. The first text of a stream begins on an empty line.

        Parameters
        ----------
        text : str
            Characters of the alphabet.
        height : float
            Height of a line.
        """
        state = self if self.has_text else self.on_new_line(height).changed(has_text=True)
        return state.changed(text=state.text + text)

    def without_last(self, count: int) -> "WritingState":
        """Return the state without the last `count` characters to come; without all of them if there are fewer."""
        return self.changed(text=self.text[: max(self.done, len(self.text) - count)])

    def on_new_line(self, height: float) -> "WritingState":
        """Return the state in which the next ink begins a new line, unless this one is empty, with a new state."""
        line = self.line.next(height) if self.line.points else self.line
        return self.changed(line=line, begun=False, observed=False, broken=False, spaces=0, still=0, offset=self.done)

    def trimmed(self, most: int = 0) -> "WritingState":
        """Return the state without the written characters that no window shows, if there are more than `most`."""
        count = min(self.offset, self.done)
        if count <= most:
            return self
        return self.changed(text=self.text[count:], offset=self.offset - count, done=self.done - count)

    def taken(self, count: int) -> "WritingState":
        """Return the state after `count` frames of `ready` are read; the word is read with its last frame."""
        ready = self.ready[count:]
        return self.changed(ready=ready, unread=self.unread if len(ready) else 0)

    def written_to(self, end: int) -> "WritingState":
        """Return the state after characters were written that have no ink of their own."""
        return self.changed(done=end, generated=self.generated + end - self.done)

    def next(self, height: float) -> "tuple[Part | None, WritingState]":
        """Return the next part to generate, and the state after the empty lines and spaces before it.

        Parameters
        ----------
        height : float
            Height of a line.

        Returns
        -------
        part : Part or None
            None if all is written.
        state : WritingState
        """
        state = self
        if not state.has_text:
            return FREE, state
        while True:
            if state.broken:
                state = state.written_to(behind_spaces(state.text, state.done))
                if state.begun:
                    return ending(self.done, state.done, True), self
                state = state.on_new_line(height).changed(broken=False)
            part = next_part(state.text, state.done)
            if part is not None:
                return part, state
            place = behind_spaces(state.text, state.done)
            ends = place < len(state.text) and state.text[place] == END
            if state.begun:
                return ending(state.done, place + ends, ends), state
            if not ends:
                spaces = state.spaces + place - state.done
                return None, state.written_to(place).changed(spaces=spaces, offset=place).trimmed(KEPT)
            end = behind_empty_lines(state.text, place)
            line = state.line.next(height, count=state.text.count(END, place, end))
            state = state.written_to(end).changed(spaces=0, line=line, offset=end)

    def after(self, run: PartRun, ink: np.ndarray, line: Line, height: float) -> "WritingState":
        """Return the state after a part was generated.

        If its window moved behind the part, the characters that follow cannot be read any more, and begin anew.

        Parameters
        ----------
        run : PartRun
            The part, complete.
        ink : float32 array [n, 3]
            Its frames.
        line : Line
            The line after these frames.
        height : float
            Height of a line.
        """
        part, free = run.part, run.part.kind is Kind.FREE
        ends = run.rests if free else part.kind is not Kind.WORD or run.offset > part.end
        count = part.end - self.done
        return self.changed(
            offset=part.end if ends else run.offset,
            done=part.end,
            generated=self.generated + count,
            unread=count if len(ink) else 0,
            ready=ink,
            begun=not ends,
            observed=False,
            broken=False,
            spaces=0,
            still=run.still if free and not ends else 0,
            line=line.next(height) if ends and part.new_line else line,
        ).trimmed(KEPT)
