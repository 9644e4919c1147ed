"""Collects the frames of the parts of many rows at once, and says which parts are complete."""

import numpy as np

from vrnn_engine.runtime.text.part import FREE, Kind, Part
from vrnn_engine.runtime.text.part_run import PartRun
from vrnn_engine.runtime.text.reading import reach, shift
from vrnn_engine.runtime.voice.text import Text

RESTING = 3
"""Number of successive points with the pen up, close together, after which the pen rests at the end of a line."""
CLOSE = 0.1
"""Largest distance of such points, in line heights. A point with the pen up that is further away is a dot."""
_CAPACITY = 64
"""Steps of a row for which there is memory at first."""


class PartRuns:
    """The parts that the rows of a batch generate.  A row without a part is idle, and its steps are ignored.

    Parameters
    ----------
    text : Text
        The entry of the manifest.
    rows : int
        Number of rows.

    Attributes
    ----------
    active : bool array [rows]
        Whether a row has a part.
    lengths : int array [rows]
        Number of steps of each row's part.
    offsets : int array [rows]
        Place in the text of the window's first character.
    """

    def __init__(self, text: Text, rows: int) -> None:
        self.active = np.zeros(rows, bool)
        self.lengths = np.zeros(rows, np.int64)
        self.offsets = np.zeros(rows, np.int64)
        self._window = text.window
        self._close = float(np.float32(CLOSE * text.line_height))
        self._parts: list[Part] = [FREE] * rows
        self._rows = np.arange(rows)
        self._reading = np.zeros(rows, bool)
        self._limits = np.zeros(rows, np.int64)
        self._still = np.zeros(rows, np.int64)
        self._rests = np.zeros(rows, bool)
        self._complete = np.zeros(rows, bool)
        self._frames = np.zeros((rows, _CAPACITY, 3), np.float32)
        self._attention = np.zeros((rows, _CAPACITY, text.window), np.float32)
        self._offsets = np.zeros((rows, _CAPACITY), np.int64)

    def put(self, row: int, run: PartRun) -> None:
        """Give a row the part that it generates, at its beginning or after some steps.

        Parameters
        ----------
        row : int
        run : PartRun
        """
        count = len(run.frames)
        while count > self._frames.shape[1]:
            self._grow()
        self.active[row], self.lengths[row], self.offsets[row] = True, count, run.offset
        self._parts[row], self._limits[row], self._still[row] = run.part, run.limit, run.still
        self._reading[row] = run.part.kind is not Kind.FREE
        self._rests[row], self._complete[row] = run.rests, run.is_complete
        if count:
            self._frames[row, :count] = run.frames
            self._attention[row, :count] = run.attention
            self._offsets[row, :count] = run.offsets

    def take(self, row: int) -> PartRun:
        """Return the part of a row with its steps; the row is idle from now on."""
        count = int(self.lengths[row])
        self.active[row] = self._reading[row] = False
        self.lengths[row] = 0
        return PartRun(
            self._parts[row],
            int(self.offsets[row]),
            int(self._still[row]),
            bool(self._rests[row]),
            bool(self._complete[row]),
            self._frames[row, :count].copy(),
            self._attention[row, :count].copy(),
            self._offsets[row, :count].copy(),
        )

    def add(self, frames: np.ndarray, attention: np.ndarray) -> list[int]:
        """Add a step of all rows, and return the rows whose part it ends.

        Parameters
        ----------
        frames : float32 array [rows, 3]
            dx, dy, pen-up. It is copied.
        attention : float32 array [rows, W]
            Weight of each character in the window. It is copied.
        """
        if len(self._rows) == 1:
            return [0] if self.active[0] and self._add_alone(frames[0], attention[0]) else []
        if self.lengths.max() == self._frames.shape[1]:
            self._grow()
        here = self._rows, self.lengths
        self._frames[here] = frames
        self._attention[here] = attention
        self._offsets[here] = self.offsets
        self.lengths += self.active
        up = frames[:, 2] > 0.5
        is_close = (np.abs(frames[:, :2]) <= self._close).all(axis=1)
        self._still = np.where(up, np.where(is_close, self._still + 1, 1), 0)
        free = self.active & ~self._reading
        self._rests |= free & (self._still == RESTING)
        self._complete |= free & (self._rests | (self._still == 1))
        for row in _true(up & self._reading):
            self._lifted(row, attention[row])
        return _true(self.active & (self._complete | (self.lengths >= self._limits)))

    def move_on(self, positions: np.ndarray) -> list[tuple[int, int]]:
        """Move the windows on whose positions ask for it; return the rows, and by how many characters they moved.

        Parameters
        ----------
        positions : float32 array [rows]
            The reading positions, in characters from the first one of each window.
        """
        if len(self._rows) == 1:
            asking = [0] if self._reading[0] and positions[0] >= reach(self._window) else []
        else:
            asking = _true(self._reading & (positions >= reach(self._window)))
        moved = []
        for row in asking:
            count = shift(float(positions[row]), self._window)
            self.offsets[row] += count
            moved.append((row, count))
        return moved

    def _add_alone(self, frame: np.ndarray, attention: np.ndarray) -> bool:
        """Add a step of the only row, without arrays of one number; return whether its part ends."""
        if (at := int(self.lengths[0])) == self._frames.shape[1]:
            self._grow()
        self._frames[0, at], self._attention[0, at], self._offsets[0, at] = frame, attention, self.offsets[0]
        self.lengths[0] = at + 1
        dx, dy, pen_up = frame.tolist()
        is_close = abs(dx) <= self._close and abs(dy) <= self._close
        still = 0 if pen_up <= 0.5 else int(self._still[0]) + 1 if is_close else 1
        self._still[0] = still
        if still and self._reading[0]:
            self._lifted(0, attention)
        elif still:
            self._rests[0] = still == RESTING
            self._complete[0] = still in (1, RESTING)
        return bool(self._complete[0]) or at + 1 >= int(self._limits[0])

    def _lifted(self, row: int, attention: np.ndarray) -> None:
        """Note whether the part of a row that reads a text is complete, after a step with the pen up."""
        part = self._parts[row]
        if part.kind is Kind.WORD:
            self._complete[row] = self._is_behind(row, part, attention)
        elif self._still[row] >= RESTING and self._is_behind(row, part, attention):
            self._rests[row] = self._complete[row] = True

    def _is_behind(self, row: int, part: Part, attention: np.ndarray) -> bool:
        """Return whether most of the attention is behind the last character of the part."""
        behind = part.stop if part.line_end is None else part.line_end
        place = max(behind - int(self.offsets[row]), 0)
        return bool(2 * attention[place:].sum() > attention.sum())

    def _grow(self) -> None:
        """Make room for twice as many steps."""
        self._frames, self._attention, self._offsets = (
            np.concatenate([values, np.zeros_like(values)], axis=1)
            for values in (self._frames, self._attention, self._offsets)
        )


def _true(mask: np.ndarray) -> list[int]:
    """Return the places at which a mask is true, bool [rows]."""
    found: list[int] = mask.nonzero()[0].tolist()
    return found
