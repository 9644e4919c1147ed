"""Brings a stream back that yields no finite frame, or whose sound runs away.

Only the thread that reads the performance may use this module.
"""

import contextlib
import logging
from collections.abc import Callable

import numpy as np

from vrnn_engine.errors import NotFiniteError
from vrnn_engine.runtime.live.automation import Automation
from vrnn_engine.runtime.live.events import AnyEvent, Reset
from vrnn_engine.runtime.live.history import History
from vrnn_engine.runtime.live.listening_stream import LiveStream
from vrnn_engine.runtime.live.safety.good_state import GoodState
from vrnn_engine.runtime.live.safety.level_watch import LevelWatch
from vrnn_engine.runtime.stream import Stream

Note = Callable[[AnyEvent], None]

_GOOD, _INITIAL = "its last good state", "its initial state"

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
    count : int
        Number of times that the stream was brought back.
    where : str
        Names the state from which the stream continued after the last return.
    """

    def __init__(self, stream: LiveStream, automation: Automation, history: History) -> None:
        self.watch = LevelWatch(stream.voice.manifest)
        self.count = 0
        self.where = _INITIAL
        self._stream = stream
        self._automation = automation
        self._history = history
        self._returned = 0  # checkpoints before this frame are older than the last return: they may be in the trouble
        self._sound = stream.voice.manifest.modality == "audio"  # the level of ink says nothing
        self._good: GoodState | None = None
        if self._sound and not history.remembers and isinstance(stream, Stream):
            self._good = GoodState(stream, self.watch, history.interval)

    def follow(self, frame: int) -> None:
        """Take note of the state before frames are read, unless the history does.

        Parameters
        ----------
        frame : int
            Number of the first of them.
        """
        if self._good is not None:
            self._good.follow(frame)

    def next_frame(self, frame: int, note: Note) -> np.ndarray:
        """Return the next frame.  If it is not finite, reset the controls; if that fails too, return to a good state.

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
        self.count += 1
        same = self._has_defaults()
        self._automation.reset_controls()
        self._automation.advance()
        note(Reset())
        with contextlib.suppress(NotFiniteError):
            return self._stream.read(1)
        self._go_back(frame + 1, same)  # `steer` has made the checkpoint of this frame already
        _log.warning("frame %d is still not finite: the stream restarts from %s", frame, self.where)
        self._automation.reset_controls()
        self._automation.advance()
        with contextlib.suppress(NotFiniteError):
            return self._stream.read(1)
        self._restart()
        return self._stream.read(1)

    def calm(self, frame: int, note: Note) -> None:
        """If the sound runs away, return to the last good state, with default controls.

        The stream restarts from its initial state if the sound runs away again before it was good, and if all controls
        have their defaults: with the same controls and the same noise it would run away again.

        Parameters
        ----------
        frame : int
            Number of the next frame, for the log.
        note : callable
            Records the `Reset`.
        """
        if not self.watch.alarm():
            return
        self.count += 1
        self._go_back(frame, self._has_defaults())
        self._automation.reset_controls()
        note(Reset())
        _log.warning("frame %d: the sound ran away; it continues from %s, with default controls", frame, self.where)

    def _has_defaults(self) -> bool:
        """Return whether each control of the stream has its default."""
        controls = self._stream.controls
        return all((value == controls.specs[name].default).all() for name, value in controls.snapshot().items())

    def _go_back(self, following: int, same: bool) -> None:
        """Go back to the last good state, or to the initial one if there is none or the `same` controls have led here.

        The first checkpoint after this return may be that of the frame `following`.
        """
        good = self.watch.good
        keeps = self._sound and (self._history.has_checkpoint or self._good is not None)
        if not keeps or same or good - good % self._history.interval < self._returned:
            self._restart()
        else:
            self.where = _GOOD
            if self._good is not None:
                self._good.restore()
            else:
                self._stream.restore(self._history.before(good).snapshot)
        self._returned = following
        self.watch.clear()

    def _restart(self) -> None:
        self.where = _INITIAL
        self._stream.continue_from(self._stream.open_another(0))
