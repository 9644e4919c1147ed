"""One stream of a batch that writes: begins its parts, collects their frames, checks them, and places their ink."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.text.alphabet import Alphabet
from vrnn_engine.runtime.text.faults import count_faults
from vrnn_engine.runtime.text.line import Line
from vrnn_engine.runtime.text.part import Kind, Part
from vrnn_engine.runtime.text.part_run import PartRun
from vrnn_engine.runtime.text.reading import visible
from vrnn_engine.runtime.voice.text import Text

MOST_TRIES = 4
"""Number of times that a word is generated before the best of them is used although it is faulty."""

_log = logging.getLogger("vrnn_engine")


@dataclass(frozen=True)
class Script:
    """How a voice writes.

    Attributes
    ----------
    voice, unit : str
        Name of the voice and unit of its ink, for messages.
    text : Text
        The entry of its manifest.
    alphabet : Alphabet
    """

    voice: str
    unit: str
    text: Text
    alphabet: Alphabet

    def restarted(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the recurrent state for the beginning of a line in the same hand."""
        restart = self.text.restart
        return {name: np.zeros_like(value) if name in restart else value for name, value in arrays.items()}

    def in_hand(self, arrays: Mapping[str, np.ndarray], hand: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return a recurrent state with the hand of another one."""
        restart = self.text.restart
        return {name: value if name in restart else hand[name] for name, value in arrays.items()}


@dataclass(frozen=True, slots=True)
class Try:
    """A part that was generated: its ink on the line, the state after it, and how faulty it is."""

    run: PartRun
    ink: np.ndarray
    line: Line
    arrays: Mapping[str, np.ndarray]
    latent: np.ndarray
    prior: np.ndarray
    faults: int
    is_too_wide: bool


class Row:
    """The stream of one row.

    Parameters
    ----------
    script : Script
    state : StreamState
        Its `text` is set.
    controls : Controls
        They are read when a part begins.
    frames : int or None
        Number of frames wanted; None for those of the next part.

    Attributes
    ----------
    arrays : mapping of str to float32 array [1, ...]
        The current recurrent state.
    run : PartRun
        The steps of the current part.
    table : mapping of str to float32 array [1, ...]
        Values of the controls for the current part.
    state : StreamState
        The state before the current part.
    """

    def __init__(self, script: Script, state: StreamState, controls: Controls, frames: int | None) -> None:
        self.state = state
        self.arrays = state.arrays
        self.table = controls.table
        self._script = script
        self._controls = controls
        self._wanted = frames
        self._blocks: list[np.ndarray] = []
        self._text = state.writing()
        self._steps = self._text.steps
        self.run: PartRun
        self._start: Mapping[str, np.ndarray]
        self._tries: list[Try] = []

    @property
    def first_step(self) -> int:
        """Position in the noise of the first step of the current part."""
        return self._steps

    def begin(self) -> bool:
        """Take the frames that are ready; if more are wanted, begin the next part. Return whether steps are needed."""
        self._take()
        if self._wanted == 0 or (self._wanted is None and self._blocks):
            return False
        part, self._text = self._text.next(self._script.text.line_height)
        if part is None:
            self._rest()
            return False
        self._start = self.arrays if self._text.begun else self._script.restarted(self.arrays)
        self.arrays = self._start
        self.table = self._controls.table
        self._tries = []
        self._begin_run(part)
        return True

    def characters(self, offset: int) -> np.ndarray:
        """Return the indices of the characters in the window, float32 [W].

        Parameters
        ----------
        offset : int
            Place in the text of the window's first character.
        """
        part, window = self.run.part, self._script.text.window
        if part.kind is Kind.FREE:
            return np.zeros(window, np.float32)
        shown = visible(self._text.text, part.start, offset, part.line_end, window)
        return self._script.alphabet.indices(shown, window)

    def finish(self, latent: np.ndarray, prior: np.ndarray) -> bool:
        """Check the part that has ended, and give it out or generate it again. Return whether more steps are needed.

        Parameters
        ----------
        latent : float32 array [Z]
            Latent of the last step.
        prior : float32 array [2, Z]
            Mean and standard deviation of its prior; [0, 0] if the voice does not tell them.

        Raises
        ------
        NotFiniteError
            A frame or the attention is not finite.
        StreamError
            The word is wider than the line.
        """
        run, script = self.run, self._script
        self.state.require_finite(script.voice, run.frames, run.attention, self.arrays[script.text.position])
        self._steps += len(run.frames)
        self._tries.append(self._try(latent, prior))
        best = min(self._tries, key=lambda one: (self._fits_no_line(one), one.faults))
        if (best.faults or self._fits_no_line(best)) and len(self._tries) < MOST_TRIES:
            self.arrays = script.in_hand(self._start, self.arrays)
            self._begin_run(run.part)
            return True
        self._accept(best)
        return self.begin()

    def result(self) -> tuple[np.ndarray, StreamState]:
        """Return the frames [n, 3], and the state after them."""
        block = np.concatenate(self._blocks) if self._blocks else np.zeros((0, 3), np.float32)
        return block, replace(self.state, text=self._text, frame=self.state.frame + len(block))

    def _take(self) -> None:
        """Take ready frames, as many as are wanted."""
        ready = self._text.ready
        count = len(ready) if self._wanted is None else min(self._wanted, len(ready))
        if count:
            self._blocks.append(ready[:count])
            self._text = self._text.taken(count)
            if self._wanted is not None:
                self._wanted -= count

    def _rest(self) -> None:
        """Give the frames of a pen that does not move."""
        if self._wanted:
            self._blocks.append(np.tile(np.array([0, 0, 1], np.float32), (self._wanted, 1)))
            self._wanted = 0

    def _begin_run(self, part: Part) -> None:
        text = self._text
        offset = text.offset if text.begun else part.start
        still = {Kind.FREE: text.still, Kind.ENDING: 1}.get(part.kind, 0)
        self.run = PartRun(part, offset, still)

    def _try(self, latent: np.ndarray, prior: np.ndarray) -> Try:
        """Return the part that has ended, placed on the line and checked."""
        run, text, height = self.run, self._text, self._script.text.line_height
        part, ink = run.part, run.ink()
        if part.kind is Kind.ENDING:
            ink = text.line.added(ink)
        if len(ink) and not text.begun:
            ink[0, :2] += text.line.move(ink, text.spaces + part.start - text.done, height)
        line = text.line.drawn(ink)
        is_word = part.kind in (Kind.WORD, Kind.LAST)
        faults = count_faults(run) if is_word else 0
        is_too_wide = is_word and text.width is not None and line.right > text.width
        return Try(run, ink, line, self.arrays, latent, prior, faults, is_too_wide)

    def _fits_no_line(self, one: Try) -> bool:
        """Return whether a word is too wide although it is the first one of its line."""
        return one.is_too_wide and not self._text.line.points

    def _accept(self, best: Try) -> None:
        """Give out a part, or begin a new line first if it does not fit."""
        script, part = self._script, best.run.part
        word = self._text.text[part.start : part.stop]
        if self._fits_no_line(best):
            raise StreamError(
                f"the word {word!r} is {best.line.right:.0f} {script.unit} wide, but a line has only "
                f"{self._text.width:g}; make the lines wider, the ink smaller, or divide the word"
            )
        text = self._text.changed(steps=self._steps, retries=self._text.retries + len(self._tries) - 1)
        if best.is_too_wide:
            self._text, self.arrays = text.changed(broken=True), self._start
            return
        if best.faults:
            message = "voice %r with seed %s: the word %r has a fault in each of %s tries; the best try is used"
            _log.warning(message, script.voice, self.state.noise.seed, word, len(self._tries))
        text = text.changed(faults=text.faults + (best.faults > 0))
        self._text = text.after(best.run, best.ink, best.line, script.text.line_height)
        self.arrays = best.arrays
        prior = best.prior if len(best.prior) else None
        self.state = replace(self.state, arrays=best.arrays, latent=best.latent, prior=prior)
