"""Collects the frames of a part while they are generated, and says when the part is complete."""

import numpy as np

from vrnn_engine.runtime.text.part import Kind, Part
from vrnn_engine.runtime.text.reading import shift
from vrnn_engine.runtime.voice.text import Text

RESTING = 3
"""Number of successive points with the pen up, close together, after which the pen rests at the end of a line."""
CLOSE = 0.1
"""Largest distance of such points, in line heights. A point with the pen up that is further away is a dot."""
POINTS_PER_CHARACTER = 40
"""Largest number of points per character of a part; the end of a line counts as two characters."""
STROKE_POINTS = 64
"""Largest number of points of a part of a stroke that is written without a text."""


class PartRun:
    """The frames of one part.

    Parameters
    ----------
    part : Part
    offset : int
        Place in the text of the window's first character.
    text : Text
        The entry of the manifest.
    still : int
        Number of successive points with the pen up, close together, before the first frame.

    Attributes
    ----------
    part : Part
    offset : int
    still : int
    rests : bool
        Whether the pen rests, so that the line has ended.
    is_complete : bool
        Whether the part has ended as its kind says. Otherwise it is cut at the limit of its length.
    frames, attention : list of float32 arrays [3] and [W]
        Those of each step.
    offsets : list of int
        Place in the text of the window's first character, at each step.
    """

    def __init__(self, part: Part, offset: int, text: Text, still: int = 0) -> None:
        self.part = part
        self.offset = offset
        self.still = still
        self.rests = self.is_complete = False
        self.frames: list[np.ndarray] = []
        self.attention: list[np.ndarray] = []
        self.offsets: list[int] = []
        self._window = text.window
        self._close = CLOSE * text.line_height
        self._free = part.kind is Kind.FREE
        self._limit = STROKE_POINTS if self._free else POINTS_PER_CHARACTER * (part.stop - part.start + 2)
        self._behind = part.stop if part.line_end is None else part.line_end

    def add(self, frame: np.ndarray, attention: np.ndarray) -> bool:
        """Add a step, and return whether it is the last one of the part.

        Parameters
        ----------
        frame : float32 array [3]
            dx, dy, pen-up. It is copied.
        attention : float32 array [W]
            Weight of each character in the window. It is copied.
        """
        self.frames.append(frame.copy())
        self.attention.append(attention.copy())
        self.offsets.append(self.offset)
        if frame[2] > 0.5:
            is_close = abs(frame[0]) <= self._close and abs(frame[1]) <= self._close
            self.still = self.still + 1 if is_close else 1
            if self._free:
                self.rests = self.still == RESTING
                self.is_complete = self.rests or self.still == 1
            elif self.part.kind is Kind.WORD:
                self.is_complete = self._is_behind(attention)
            else:
                self.rests = self.is_complete = self.still >= RESTING and self._is_behind(attention)
        else:
            self.still = 0
        return self.is_complete or len(self.frames) >= self._limit

    def move_on(self, position: float) -> int:
        """Move the window on, if the position asks for it, and return by how many characters.

        Parameters
        ----------
        position : float
            The reading position, in characters from the window's first one.
        """
        if self._free:
            return 0
        count = shift(position, self._window)
        self.offset += count
        return count

    def ink(self) -> np.ndarray:
        """Return the frames that are given out, float32 [n, 3]: without resting points, and with the pen up at the end.

        An ending that does not come to rest has no frames, because a pen that goes on behind the text draws no
        character.
        """
        frames = self.frames
        if self.rests:
            frames = frames[: max(len(frames) - self.still + 1, 0)]
        elif self.part.kind is Kind.ENDING:
            frames = []
        ink = np.array(frames, np.float32).reshape(-1, 3)
        if len(ink) and not self._free:
            ink[-1, 2] = 1.0
        return ink

    def _is_behind(self, attention: np.ndarray) -> bool:
        """Return whether most of the attention is behind the last character of the part."""
        place = max(self._behind - self.offset, 0)
        return bool(2 * attention[place:].sum() > attention.sum())
