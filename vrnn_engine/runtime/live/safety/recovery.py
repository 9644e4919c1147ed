"""Brings a stream back that yields no finite frame, or whose sound runs away.

Only the thread that reads the performance may use this module.
"""

import logging
from collections.abc import Callable

import numpy as np

from vrnn_engine.errors import NotFiniteError
from vrnn_engine.runtime.live.automation import Automation
from vrnn_engine.runtime.live.events import AnyEvent, Reset
from vrnn_engine.runtime.live.history import History
from vrnn_engine.runtime.live.listening_stream import LiveStream
from vrnn_engine.runtime.live.safety.level_watch import LevelWatch

Note = Callable[[AnyEvent], None]

_log = logging.getLogger("vrnn_engine")


class Recovery:
    """Resets the controls of a stream in trouble, and its state if that is not enough.

    Parameters
    ----------
    stream : Stream or ListeningStream
        The stream.
    automation : Automation
        Moves the stream's controls.
    history : History
        Provides the states to return to.

    Attributes
    ----------
    watch : LevelWatch
        Hears every frame.
    """

    def __init__(self, stream: LiveStream, automation: Automation, history: History) -> None:
        self.watch = LevelWatch(stream.voice.manifest)
        self._stream = stream
        self._automation = automation
        self._history = history
        self._restored = -1  # the first frame of the good window to which the stream has returned last

    def next_frame(self, frame: int, note: Note) -> np.ndarray:
        """Return the next frame.  If it is not finite, reset the controls; if that fails too, reset the state.

        Parameters
        ----------
        frame : int
            Number of the frame, for the log.
        note : callable
            Records the `Reset`.
        """
        try:
            return self._stream.read(1)
        except NotFiniteError:
            _log.warning("frame %d is not finite: all controls were reset to their defaults", frame)
        self._automation.reset_controls()
        self._automation.advance()
        note(Reset())
        try:
            return self._stream.read(1)
        except NotFiniteError:
            _log.warning("frame %d is still not finite: the stream restarts from its initial state", frame)
        self._restart()
        return self._stream.read(1)

    def calm(self, frame: int, note: Note) -> None:
        """If the sound runs away, return to the last good state, with default controls.

        The stream restarts from its initial state without a history, if the sound runs away again before it was good,
        and if all controls have their defaults: with the same controls and the same noise it would run away again.

        Parameters
        ----------
        frame : int
            Number of the next frame, for the log.
        note : callable
            Records the `Reset`.
        """
        if not self.watch.alarm():
            return
        if self._history.remembers and self.watch.good > self._restored and not self._has_defaults():
            where = "its last good state"
            self._stream.restore(self._history.before(self.watch.good).snapshot)
        else:
            where = "its initial state"
            self._restart()
        self._restored = self.watch.good
        self.watch.clear()
        self._automation.reset_controls()
        note(Reset())
        _log.warning("frame %d: the sound ran away; it continues from %s, with default controls", frame, where)

    def _has_defaults(self) -> bool:
        """Return whether each control of the stream has its default."""
        controls = self._stream.controls
        return all((value == controls.specs[name].default).all() for name, value in controls.snapshot().items())

    def _restart(self) -> None:
        self._stream.continue_from(self._stream.open_another(0))
