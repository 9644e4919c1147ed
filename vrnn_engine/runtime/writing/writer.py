"""Steps streams of a voice that reads a text: those that lack frames as one batch, until each has what it wants."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.batch_pool import BatchPool
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.noise import AHEAD, draw_rows
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.text.alphabet import Alphabet
from vrnn_engine.runtime.text.state import WritingState
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.runtime.writing.observed_text import ObservedText
from vrnn_engine.runtime.writing.row import Row, Script


class Writer:
    """Generates the frames of states that have a text.

    Parameters
    ----------
    script : Script
    pool : BatchPool
        Buffers of the batches.
    rows : int or None
        Number of rows that each batch must have; None if it may have as many as there are states.
    """

    def __init__(self, script: Script, pool: BatchPool, rows: int | None) -> None:
        self.script = script
        self._pool = pool
        self._rows = rows

    @classmethod
    def of(cls, voice: Voice, pool: BatchPool, rows: int | None) -> "Writer":
        """Return the writer of a voice; raise `ValueError` if it reads no text."""
        text = voice.manifest.text
        if text is None:
            raise ValueError(f"voice {voice.name!r} reads no text")
        return cls(Script(voice.name, voice.manifest.unit, text, Alphabet(text)), pool, rows)

    def begin(self, state: StreamState) -> StreamState:
        """Return a zero state with nothing written and no text."""
        return replace(state, text=WritingState())

    def write(
        self, frames: int | None, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> tuple[list[np.ndarray], list[StreamState]]:
        """Generate frames of states, in one batch.

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
        active = [row for row in rows if row.begin()]
        while active:
            with self._pool.lend(self._rows or len(active)) as batch:
                active = self._write_until_a_row_leaves(batch, active)
        results = [row.result() for row in rows]
        # A copy, so that the state of one stream does not keep the states of the others in memory.
        reached = [
            after if after.arrays is before.arrays or len(rows) == 1 else replace(after, arrays=after.copied_arrays())
            for (_, after), before in zip(results, states, strict=True)
        ]
        return [block for block, _ in results], reached

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
        return ObservedText(self.script, text), replace(state, text=replace(writing, observed=True))

    def _write_until_a_row_leaves(self, batch: StepBatch, rows: list[Row]) -> list[Row]:
        """Step rows until one of them needs no more steps; return those that do."""
        while True:
            complete = self._step_until_a_part_is_complete(batch, rows)
            latents, priors = batch.latents(), batch.priors()
            for row, arrays in zip(rows, batch.states(), strict=False):
                row.arrays = arrays
            needed = [
                row
                for i, row in enumerate(rows)
                if i not in complete or row.finish(latents[i].copy(), priors[i].copy())
            ]
            if len(needed) < len(rows):
                return needed

    def _step_until_a_part_is_complete(self, batch: StepBatch, rows: list[Row]) -> set[int]:
        """Step rows until the part of at least one of them is complete; return the indices of these rows."""
        batch.load_states([row.arrays for row in rows])
        batch.load_controls([row.table for row in rows])
        for index, row in enumerate(rows):
            row.show(batch, index)
        t = 0
        # The more rows, the sooner one of them is complete, and what was drawn ahead for the others is lost.
        count = max(1, AHEAD // (1 + len(rows) // AHEAD))
        while True:
            if t % count == 0:
                ahead = draw_rows(count, [(row.state.noise, row.steps) for row in rows], batch.noise)
            for name, values in ahead.items():
                batch.noise[name][:] = values[t % count]
            batch.step()
            t += 1
            complete = {index for index, row in enumerate(rows) if row.add(batch, index)}
            if complete:
                return complete
