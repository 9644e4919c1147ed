"""The events of a performance that are still to come: those of its timeline, and those that were sent.

Any thread may call `send`; only the thread that reads the performance may call the other methods.
"""

import collections
import functools
import logging
from collections.abc import Callable

from vrnn_engine.runtime.live.effects import Effects
from vrnn_engine.runtime.live.events import AnyEvent, Prime, Save, Trace, Write
from vrnn_engine.runtime.live.rate_limited_log import describe_error
from vrnn_engine.runtime.live.saved import SavedStates
from vrnn_engine.runtime.live.timeline import Timeline, event_name
from vrnn_engine.runtime.observation import Observation
from vrnn_engine.runtime.stream import Stream

_log = logging.getLogger("vrnn_engine")


class Agenda:
    """The events that are still to come.

    Parameters
    ----------
    effects : Effects
        Checks events and looks up what they name.
    saved : SavedStates
        Told which names sent events will save.
    timeline : Timeline
        Events with their frames, in order.

    Attributes
    ----------
    hold_until : int
        Before this frame, only the events of the timeline are applied.
    """

    def __init__(self, effects: Effects, saved: SavedStates, timeline: Timeline) -> None:
        self.hold_until = 0
        self._effects = effects
        self._saved = saved
        self._inbox: collections.deque[tuple[AnyEvent, Stream | None]] = collections.deque()
        self._timeline = collections.deque(effects.prepare(timeline))
        self._primed: dict[str, Stream] = {}
        for index, event in enumerate(timeline.events):
            if isinstance(event, Prime) and event.file not in self._primed:
                with timeline.naming(index):
                    self._primed[event.file] = effects.listen(event.file)[0]

    def send(self, event: AnyEvent) -> Observation | None:
        """Add an event for the next frame; `Performance.send` documents parameters, result and errors."""
        event = self._effects.look_up(self._effects.check(event))
        primed, observation = None, None
        if isinstance(event, Prime):
            primed, observation = self._effects.listen(event.file)
        if isinstance(event, Save | Trace):
            self._saved.expect(event)
        self._effects.reserve(event)
        self._inbox.append((event, primed))
        return observation

    @property
    def waiting(self) -> int:
        """Number of events that were sent and not taken yet."""
        return len(self._inbox)

    @property
    def waiting_characters(self) -> int:
        """Number of characters in the events that were sent and in those of the timeline, and not applied yet."""
        waiting = [event for event, _ in self._inbox.copy()] + list(self._timeline.copy())
        return sum(len(event.text) for event in waiting if isinstance(event, Write))

    @property
    def upcoming(self) -> tuple[AnyEvent, ...]:
        """The events of the timeline that were not taken yet."""
        return tuple(self._timeline)

    def next_frame(self) -> int | None:
        """Return the frame of the next event of the timeline; None after the last one."""
        return (self._timeline[0].frame or 0) if self._timeline else None

    def apply_due(self, frame: int, note: Callable[[AnyEvent], None]) -> None:
        """Apply the events that are due before a frame, those of the timeline first.

        Parameters
        ----------
        frame : int
            Number of the frame.
        note : callable
            Records an event that was applied.
        """
        while self._timeline and (self._timeline[0].frame or 0) <= frame:
            event = self._timeline.popleft()
            primed = self._primed.get(event.file) if isinstance(event, Prime) else None
            self._apply(event, frame, primed, note, planned=True)
        while frame >= self.hold_until and self._inbox:  # only this thread takes events out
            event, primed = self._inbox[0]
            self._apply(event, frame, primed, note)
            self._inbox.popleft()  # only now, so that its characters are always counted: as waiting or as pending
            if isinstance(event, Save | Trace):
                self._saved.fulfil(event)

    def _apply(
        self,
        event: AnyEvent,
        frame: int,
        primed: Stream | None,
        note: Callable[[AnyEvent], None],
        planned: bool = False,
    ) -> None:
        """Apply an event and record it; if it fails, log a warning and continue."""
        failed = functools.partial(_log_failure, event, frame)
        try:
            if planned:  # `send` has reserved what other events need
                self._effects.reserve(event)
            note(self._effects.apply(event, frame, primed, failed))
        except Exception as error:  # noqa: BLE001 - no error of one event may interrupt the sound
            failed(error)


def _log_failure(event: AnyEvent, frame: int, error: Exception) -> None:
    _log.warning("%s at frame %d: %s", event_name(event), frame, describe_error(error))
