"""Notices sound that runs away: a recurrent model may feed its own noise back until the level grows without limit."""

import numpy as np

from vrnn_engine.runtime.voice.manifest import Manifest

WINDOW_SECONDS = 0.25
"""Length of the windows whose levels are compared with `LOUDEST`."""
WINDOWS = 2
"""Number of windows in succession that must be too loud."""
LOUDEST = 2.0
"""Largest root mean square of a window.  That of a full-scale square wave, the loudest sound of a file, is 1."""
GOOD = 0.5
"""Largest root mean square of a window whose first state counts as good."""


class LevelWatch:
    """Measures the level of a performance in windows that begin at multiples of a fixed number of frames.

    The windows, and so the alarm, do not depend on the blocks in which the frames are read.

    Parameters
    ----------
    manifest : Manifest
        Manifest of the voice; ink is not watched.

    Attributes
    ----------
    window : int
        Number of frames of a window.
    good : int
        The first frame of the last window that was not loud.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.good = 0
        self._sound = manifest.modality == "audio"
        self.window = max(1, round(WINDOW_SECONDS * manifest.frames_per_second))
        self._samples = self.window * manifest.frame_size  # of all channels
        self._power = 0.0  # sum of the squares in the current window
        self._loud = 0  # windows in succession that were too loud

    def clear(self) -> None:
        """Forget what was heard."""
        self._power, self._loud = 0.0, 0

    def hear(self, frame: int, block: np.ndarray, frames: int) -> None:
        """Measure frames.

        Parameters
        ----------
        frame : int
            Number of the first of them.
        block : float32 array [samples] or [samples, channels]
            The frames.
        frames : int
            Their number.
        """
        if not self._sound:
            return
        block = block.reshape(-1)
        size = len(block) // max(1, frames)
        while frames:
            count = min(frames, self.window - frame % self.window)
            part, block = block[: count * size], block[count * size :]
            self._power += float(np.dot(part, part))
            frame, frames = frame + count, frames - count
            if frame % self.window == 0:
                self._end_window(frame)

    def alarm(self) -> bool:
        """Return whether `WINDOWS` windows in succession were too loud."""
        return self._loud >= WINDOWS

    def steady_frames(self, frame: int, limit: int) -> int:
        """Return how many frames may be read before the next call of `alarm`, 1 to `limit`.

        Parameters
        ----------
        frame : int
            Number of the next frame.
        limit : int
            Largest number wanted.
        """
        if not self._sound:
            return limit
        return min(limit, self.window - (frame % self.window if self._loud else 0))

    def _end_window(self, frame: int) -> None:
        level = (self._power / self._samples) ** 0.5
        self._power = 0.0
        self._loud = self._loud + 1 if level > LOUDEST else 0
        if level <= GOOD:
            self.good = frame - self.window
