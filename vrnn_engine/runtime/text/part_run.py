"""The frames of a part, from its beginning until it is complete."""

from dataclasses import dataclass, field

import numpy as np

from vrnn_engine.runtime.text.part import Kind, Part

POINTS_PER_CHARACTER = 40
"""Largest number of points per character of a part; the end of a line counts as two characters."""
STROKE_POINTS = 64
"""Largest number of points of a part of a stroke that is written without a text."""


@dataclass(frozen=True, slots=True, eq=False)
class PartRun:
    """The steps of one part.

    Attributes
    ----------
    part : Part
    offset : int
        Place in the text of the window's first character.
    still : int
        Number of successive points with the pen up, close together, at the last step.
    rests : bool
        Whether the pen rests, so that the line has ended.
    is_complete : bool
        Whether the part has ended as its kind says. Otherwise it goes on, or is cut at the limit of its length.
    frames : float32 array [n, 3]
        dx, dy, pen-up of each step.
    attention : float32 array [n, W]
        Weight of each character in the window, at each step.
    offsets : int array [n]
        Place in the text of the window's first character, at each step.
    """

    part: Part
    offset: int
    still: int = 0
    rests: bool = False
    is_complete: bool = False
    frames: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    attention: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def limit(self) -> int:
        """Largest number of steps."""
        part = self.part
        return STROKE_POINTS if part.kind is Kind.FREE else POINTS_PER_CHARACTER * (part.stop - part.start + 2)

    def ink(self) -> np.ndarray:
        """Return the frames that are given out, float32 [n, 3]: without resting points, and with the pen up at the end.

        An ending that does not come to rest has no frames, because a pen that goes on behind the text draws no
        character.
        """
        frames = self.frames
        if self.rests:
            frames = frames[: max(len(frames) - self.still + 1, 0)]
        elif self.part.kind is Kind.ENDING:
            frames = frames[:0]
        ink = frames.copy()
        if len(ink) and self.part.kind is not Kind.FREE:
            ink[-1, 2] = 1.0
        return ink
