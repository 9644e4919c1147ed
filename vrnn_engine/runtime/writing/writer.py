"""Steps streams of a voice that reads a text: those that lack frames as one batch, until each has what it wants."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.batch_pool import BatchPool
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.text.alphabet import Alphabet
from vrnn_engine.runtime.text.state import WritingState
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.runtime.writing.observed_text import ObservedText
from vrnn_engine.runtime.writing.row import Row, Script
from vrnn_engine.runtime.writing.slots import Slots


class Writer:
    """Generates the frames of states that have a text.

    Parameters
    ----------
    script : Script
    pool : BatchPool
        Buffers of the batches.
    rows : int
        Largest number of rows of a batch.
    fixed : bool
        Whether each batch must have this number of rows.
    """

    def __init__(self, script: Script, pool: BatchPool, rows: int, fixed: bool) -> None:
        self.script = script
        self._pool = pool
        self._most = rows
        self._fixed = fixed

    @classmethod
    def of(cls, voice: Voice, pool: BatchPool, rows: int, fixed: bool) -> "Writer":
        """Return the writer of a voice; raise `ValueError` if it reads no text."""
        text = voice.manifest.text
        if text is None:
            raise ValueError(f"voice {voice.name!r} reads no text")
        return cls(Script(voice.name, voice.manifest.unit, text, Alphabet(text)), pool, rows, fixed)

    def begin(self, state: StreamState) -> StreamState:
        """Return a zero state with nothing written and no text."""
        return replace(state, text=WritingState())

    def write(
        self, frames: int | None, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> tuple[list[np.ndarray], list[StreamState]]:
        """Generate frames of states; those that lack frames share batches of at most `rows` rows.

        Parameters
        ----------
        frames : int or None
            Number of frames of each state; None for the frames of its next word, of which there are none if all is
            written.
        states : sequence of StreamState
        controls : sequence of Controls
            The controls of each state. They are read when a word begins.

        Returns
        -------
        blocks : list of float32 arrays [n, 3]
        states : list of StreamState
            The states after these frames.

        Raises
        ------
        NotFiniteError
            A frame is not finite.
        StreamError
            A word is wider than the line.
        """
        rows = [Row(self.script, state, one, frames) for state, one in zip(states, controls, strict=True)]
        waiting = deque(row for row in rows if row.begin())
        while waiting:
            count = self._most if self._fixed else min(self._most, len(waiting))
            with self._pool.lend(count) as batch:
                Slots(self.script, batch, waiting).write(may_shrink=not self._fixed)
        results = [row.result() for row in rows]
        return [block for block, _ in results], [after for _, after in results]

    def show_text(self, text: str | None, state: StreamState) -> tuple[ObservedText, StreamState]:
        """Return what shows an observe graph the text of ink, and the state in which the ink is observed.

        The state begins a line, unless ink without a text is observed after other ink.

        Parameters
        ----------
        text : str or None
            One line; None if the text is not known.
        state : StreamState
        """
        writing = state.writing()
        if text is not None or not writing.observed:
            state = replace(state, arrays=self.script.restarted(state.arrays))
        writing = writing.on_new_line(self.script.text.line_height)
        return ObservedText(self.script, text), replace(state, text=writing.changed(observed=True))
