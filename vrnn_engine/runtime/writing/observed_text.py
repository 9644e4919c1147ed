"""Shows an observe graph the text of the ink that it observes."""

from collections.abc import Mapping

import numpy as np

from vrnn_engine.runtime.text.reading import shift, visible
from vrnn_engine.runtime.writing.row import Script


class ObservedText:
    """The window that moves over the text of observed ink.

    Parameters
    ----------
    script : Script
    text : str or None
        One line, without its end; None if the text is not known.

    Attributes
    ----------
    characters : float32 array [1, W]
        Indices of the characters in the window.
    """

    def __init__(self, script: Script, text: str | None) -> None:
        self._script = script
        self._text = text
        self._offset = 0
        self.characters = self._shown()

    def follow(self, arrays: Mapping[str, np.ndarray], position: float) -> Mapping[str, np.ndarray]:
        """Move the window on after a frame, and return the recurrent state for its new place.

        Parameters
        ----------
        arrays : mapping of str to float32 array [1, ...]
            Recurrent state after the frame.
        position : float
            The reading position, in characters from the window's first one.
        """
        if self._text is None:
            return arrays
        count = shift(position, self._script.text.window)
        if not count:
            return arrays
        self._offset += count
        self.characters = self._shown()
        name = self._script.text.position
        return {**arrays, name: arrays[name] - np.float32(count)}

    def _shown(self) -> np.ndarray:
        window = self._script.text.window
        if self._text is None:
            return np.zeros((1, window), np.float32)
        return self._script.alphabet.indices(visible(self._text, 0, self._offset, None, window), window)[np.newaxis]
