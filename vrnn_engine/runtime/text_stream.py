"""What a stream of a voice that reads a text can do besides other streams: take text, and say what is written."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.recording import RecordingLike
from vrnn_engine.runtime.stepper import Stepper
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.voice.text import END

if TYPE_CHECKING:
    from vrnn_engine.runtime.text.state import WritingState


class TextStream:
    """The part of a `Stream` that is about its text.

    Attributes
    ----------
    stepper : Stepper
        Steps the state.
    state : StreamState
        The state after the last frame.
    controls : Controls
    lock : threading.RLock
        Held while the state is read and replaced.
    closed : bool
    """

    stepper: Stepper
    state: StreamState
    controls: Controls
    lock: threading.RLock
    closed: bool

    @property
    def written(self) -> int:
        """Number of characters whose ink has been read. Those of a word count once its last frame has been read."""
        return self._writing.written

    @property
    def pending(self) -> int:
        """Number of characters to come, including those of the word that is being written."""
        return self._writing.pending

    @property
    def retries(self) -> int:
        """Number of times that a word was generated again, because it was faulty."""
        return self._writing.retries

    @property
    def faults(self) -> int:
        """Number of words that were faulty in each of their tries."""
        return self._writing.faults

    def write(self, text: str) -> None:
        r"""Add text behind what is to be written; any thread may do so, and waits for a read in progress.

        Parameters
        ----------
        text : str
            Characters of the voice's alphabet. ``\n`` begins a new line.

        Raises
        ------
        StreamError
            The text is empty, a character is not in the alphabet, the voice reads no text, or the stream is closed.
        """
        with self.lock:
            self.check_open()
            self.state = _with_more_text(self.stepper, self.state, text)

    def erase(self, count: int) -> int:
        """Remove the last characters that are to come.

        Parameters
        ----------
        count : int
            Number of characters, 0 or more. Those of the word that is being written stay.

        Returns
        -------
        int
            Number of characters that were removed.

        Raises
        ------
        StreamError
            `count` is not a whole number, the voice reads no text, or the stream is closed.
        """
        count = frame_count(count, "erase", "characters")
        with self.lock:
            self.check_open()
            before = self._writing
            after = before.without_last(count)
            self.state = replace(self.state, text=after)
        return before.pending - after.pending

    def read_text(self) -> np.ndarray:
        """Return frames until no text is pending; this includes text that other threads add during the call.

        Returns
        -------
        float32 array [n, 3]
            As `read` returns them; none if no text is to come.

        Raises
        ------
        NotFiniteError, StreamError, ProviderError
            As `read`; also `StreamError` if the voice reads no text. The words before the error are written, but their
            frames are lost; `read` loses none.
        """
        blocks = [np.zeros((0, 3), np.float32)]
        while True:
            with self.lock:
                self.check_open()
                if not self._writing.has_text:
                    break
                block, self.state = self.stepper.write_next(self.state, self.controls)
            if not len(block):
                break
            blocks.append(block)
        return np.concatenate(blocks)

    def check_open(self) -> None:
        """Raise `StreamError` if the stream is closed."""
        if self.closed:
            raise StreamError("this stream is closed; open another one with engine.stream()")

    @property
    def _writing(self) -> "WritingState":
        self.stepper.require_script()
        return self.state.writing()


def with_text(stepper: Stepper, state: StreamState, text: str | None, width: float | None = None) -> StreamState:
    """Return a state with more text to come.

    Parameters
    ----------
    stepper : Stepper
    state : StreamState
    text : str or None
        Characters of the voice's alphabet; None for no text.
    width : float, optional
        Width of the lines in the unit of the voice; unchanged by default.

    Raises
    ------
    StreamError
        The text is empty, a character is not in the alphabet, the width is not a positive number, or the voice reads no
        text.
    """
    if text is None and width is None:
        return state
    stepper.require_script()
    if width is not None:
        if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < float("inf"):
            raise StreamError(f"width={width!r} is not a positive number; give the width of a line in the voice's unit")
        state = replace(state, text=state.writing().changed(width=float(width)))
    return state if text is None else _with_more_text(stepper, state, text)


def _with_more_text(stepper: Stepper, state: StreamState, text: str) -> StreamState:
    """Return a state with more text to come; raise `StreamError` if the voice cannot write the text."""
    script = stepper.require_script()
    writing = state.writing().with_text(script.alphabet.clean(text), script.text.line_height)
    return replace(state, text=writing)


def one_line(stepper: Stepper, text: str | None, recording: RecordingLike) -> str | None:
    """Return the text of ink without the end of its line; None if it is not known.

    Parameters
    ----------
    stepper : Stepper
    text : str or None
        Characters of the voice's alphabet.  None for what the file says, if the voice reads a text.
    recording : path or array
        The ink.

    Raises
    ------
    StreamError
        The text is empty, has more than one line or a character that is not in the alphabet, or the voice reads no
        text.
    """
    if text is None and stepper.voice.manifest.text is not None and isinstance(recording, str | os.PathLike):
        from vrnn_engine.runtime.recording.ink import text_of_ink  # here, as it would delay the first sound

        text = text_of_ink(Path(recording))
    if text is None:
        return None
    line = stepper.require_script().alphabet.clean(text).removesuffix(END)
    if END in line:
        raise StreamError("prime: the text has more than one line; prime with one line of ink after the other")
    return line


def on_new_line(stepper: Stepper, state: StreamState) -> StreamState:
    """Return a state in which the next ink begins a new line; the state itself if the voice reads no text.

    Parameters
    ----------
    stepper : Stepper
    state : StreamState
    """
    if state.text is None:
        return state
    return replace(state, text=state.text.on_new_line(stepper.require_script().text.line_height))


def check_characters(stepper: Stepper, state: StreamState) -> None:
    """Raise `StreamError` if a state has text that the voice cannot write.

    Parameters
    ----------
    stepper : Stepper
    state : StreamState
    """
    if state.text is not None:
        stepper.require_script().alphabet.check(state.text.text)
