"""Steps the rows of a batch that write: a row that has what it wants leaves, and another one takes its place."""

from collections import deque
from collections.abc import Mapping

import numpy as np

from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.noise import AHEAD
from vrnn_engine.runtime.text.part_runs import PartRuns
from vrnn_engine.runtime.writing.row import Row, Script

LEAST_USED = 0.75
"""Share of the slots below which the rows move to a smaller batch."""


class Slots:
    """The rows of a batch, each in a slot of its own.

    Parameters
    ----------
    script : Script
    batch : StepBatch
    waiting : deque of Row
        Rows that need steps.  The first ones get the slots.
    """

    def __init__(self, script: Script, batch: StepBatch, waiting: deque[Row]) -> None:
        self._script = script
        self._batch = batch
        self._waiting = waiting
        self._rows: dict[int, Row] = {}
        self._runs = PartRuns(script.text, batch.rows)
        self._noise = SlotNoise(batch.noise, batch.rows)
        first = {slot: waiting.popleft() for slot in range(min(batch.rows, len(waiting)))}
        batch.load_states([row.arrays for row in first.values()])
        self._put(first)

    def write(self, may_shrink: bool) -> None:
        """Step until all rows have what they want, or only few slots are in use; the others then wait again.

        Parameters
        ----------
        may_shrink : bool
            Whether rows may move to a smaller batch.

        Raises
        ------
        NotFiniteError
            A frame is not finite.
        StreamError
            A word is wider than the line.
        """
        least = LEAST_USED * self._batch.rows if may_shrink else 0
        while self._rows:
            ended = self._step()
            if not ended:
                continue
            latents, priors = self._batch.latents(), self._batch.priors()
            following: dict[int, Row] = {}
            for slot, row in self._take(ended).items():
                if row.finish(latents[slot].copy(), priors[slot].copy()):
                    following[slot] = row
                elif self._waiting:
                    following[slot] = self._waiting.popleft()
            if following:
                self._batch.load_rows({slot: row.arrays for slot, row in following.items()})
                self._put(following)
            if len(self._rows) < least:
                self._waiting.extend(self._take(list(self._rows)).values())

    def _put(self, rows: Mapping[int, Row]) -> None:
        """Begin or continue the parts of rows whose states are loaded."""
        for slot, row in rows.items():
            self._rows[slot] = row
            self._runs.put(slot, row.run)
            self._batch.characters[slot] = row.characters(row.run.offset)
        self._batch.load_controls((slot, row.table) for slot, row in rows.items())

    def _take(self, slots: list[int]) -> dict[int, Row]:
        """Free slots; return their rows, which have their states and the steps of their parts."""
        taken = {}
        for slot, arrays in zip(slots, self._batch.row_states(slots), strict=True):
            row = taken[slot] = self._rows.pop(slot)
            row.arrays, row.run = arrays, self._runs.take(slot)
            self._noise.forget(slot)
        return taken

    def _step(self) -> list[int]:
        """Take one step; return the slots whose parts have ended."""
        batch, runs = self._batch, self._runs
        for slot in self._noise.lacking(runs.active):
            row = self._rows[slot]
            self._noise.fill(slot, row, row.first_step + int(runs.lengths[slot]))
        self._noise.write(batch.noise, runs.active)
        batch.step()
        ended = runs.add(batch.frame, batch.attention)
        for slot, count in runs.move_on(batch.position):
            batch.subtract(self._script.text.position, slot, count)
            batch.characters[slot] = self._rows[slot].characters(int(runs.offsets[slot]))
        return ended


class SlotNoise:
    """The noise of the next steps of each slot.

    Parameters
    ----------
    arrays : mapping of str to float32 array [rows, width]
        Arrays of the shape of one step's noise.
    rows : int
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], rows: int) -> None:
        self._ahead = {name: np.zeros((AHEAD, *values.shape), np.float32) for name, values in arrays.items()}
        self._next = np.zeros(rows, np.int64)
        self._end = np.zeros(rows, np.int64)
        self._slots = np.arange(rows)

    def lacking(self, active: np.ndarray) -> list[int]:
        """Return the slots that have no noise for the next step, of those that are active, bool [rows]."""
        if len(self._slots) == 1:  # without arrays of one number, which take longer than the rest of a step's Python
            return [0] if active[0] and self._next[0] == self._end[0] else []
        found: list[int] = (active & (self._next == self._end)).nonzero()[0].tolist()
        return found

    def fill(self, slot: int, row: Row, step: int) -> None:
        """Draw the noise of a row from a step on, no more than its source draws at once: the rest may not be used."""
        source = row.state.noise
        count = source.drawn_with(step)
        source.fill(step, count, self._ahead, slot)
        self._next[slot], self._end[slot] = 0, count

    def forget(self, slot: int) -> None:
        """Drop the noise of a slot."""
        self._next[slot] = self._end[slot] = 0

    def write(self, out: Mapping[str, np.ndarray], active: np.ndarray) -> None:
        """Write the noise of the next step, float32 [rows, width] by name."""
        alone = len(self._slots) == 1
        at = int(self._next[0]) if alone else (self._next, self._slots)
        for name, values in self._ahead.items():
            out[name][:] = values[at]
        self._next += active
