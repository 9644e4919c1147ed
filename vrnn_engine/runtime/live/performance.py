"""A performance: applies timed events to a stream while it is read, and records them.

Threading contract: one thread reads (a `Player`'s producer).  Any thread may `send` events and write `controls`.  Both
take effect in the next frame, and are recorded with it: the last value written to each control, and every event in the
order in which it was sent.  The performance overwrites writes to the stream's own `controls`.  Any thread may read
`frame`, `recent`, the count of `recovery` and the stream's `latent`.
"""

import collections
import logging
from collections.abc import Callable, Sequence
from typing import Self

import msgspec
import numpy as np

from vrnn_engine.errors import StreamError, VRNNEngineError
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.live.agenda import Agenda
from vrnn_engine.runtime.live.automation import Automation, copy_moves
from vrnn_engine.runtime.live.effects import Effects
from vrnn_engine.runtime.live.events import AnyEvent, Set, Write
from vrnn_engine.runtime.live.forks import Forks
from vrnn_engine.runtime.live.history import Checkpoint, History
from vrnn_engine.runtime.live.listening_stream import ListeningStream, LiveStream
from vrnn_engine.runtime.live.safety.places import Places
from vrnn_engine.runtime.live.safety.recovery import Recovery
from vrnn_engine.runtime.live.saved import SavedFolder, SavedStates
from vrnn_engine.runtime.live.timeline import Timeline
from vrnn_engine.runtime.observation import Observation
from vrnn_engine.runtime.voice.voice import Voice

RECENT = 400  # frames that `Performance.recent` holds

_log = logging.getLogger("vrnn_engine")


class Performance:
    """Reads a stream, and applies events and control changes to it.  A `Player` accepts it in place of a stream.

    Parameters
    ----------
    stream : Stream or ListeningStream
        The stream to steer; from now on it must be read only through the performance.
    timeline : Timeline or sequence of events
        Events with their frames, in order; see `read_timeline`.  The constructor checks them.
    record : callable, optional
        Called with each event, including its frame, when it takes effect; for example a `PerformanceLog`.
    saved : SavedFolder, optional
        Folder in which states and trajectories are saved; by default the voice's own folder.
    memory : float
        Seconds that can be rewound or traced.  With 0, nothing can be, and `recent` stays empty.
    places : Places
        What events may read and write; by default everything, and a fork replaces no file.

    Attributes
    ----------
    stream : Stream or ListeningStream
    controls : Controls
        The controls to read and write; a change takes effect in the next frame.
    frame : int
        Frames played since the performance began.
    recent : deque of float32 arrays
        The last 400 frames: samples [F], or dx, dy, pen_up [1, 3].
    recovery : Recovery
        Brings the stream back if a frame is not finite or the sound runs away.

    Raises
    ------
    VRNNEngineError
        `stream` is not a stream, or an event of the timeline cannot be applied; the message names it and its place.

    Examples
    --------
    >>> performance = Performance(engine.stream(seed=7))  # doctest: +SKIP
    >>> with Player(performance, to="speakers") as player:  # doctest: +SKIP
    ...     performance.send(Set(control="latent.shift", index=3, value=1.5, ramp=2.0))
    ...     player.wait(timeout=10)
    """

    def __init__(
        self,
        stream: LiveStream,
        timeline: Timeline | Sequence[AnyEvent] = (),
        record: Callable[[AnyEvent], None] | None = None,
        saved: SavedFolder | None = None,
        memory: float = 60.0,
        places: Places = Places(),  # noqa: B008 - it is frozen
    ) -> None:
        if not isinstance(stream, LiveStream):
            raise StreamError(f"{stream!r:.60} cannot be steered; give a stream, such as engine.stream()")
        self.stream, self.frame = stream, 0
        self.recent: collections.deque[np.ndarray] = collections.deque(maxlen=RECENT)
        self._automation = Automation(stream)
        self.controls = self._automation.controls
        self._record = record
        self._history = History(stream.voice.manifest.frames_per_second, memory)
        self._saved = SavedStates(saved or SavedFolder(stream.voice.name), stream)
        self._forks = Forks()
        self._effects = Effects(stream, self._automation, self._history, self._saved, self._forks, places)
        self.recovery = Recovery(stream, self._automation, self._history)
        plan = timeline if isinstance(timeline, Timeline) else Timeline(tuple(timeline))
        self._agenda = Agenda(self._effects, self._saved, plan)

    @property
    def voice(self) -> Voice:
        """The stream's voice."""
        return self.stream.voice

    def send(self, event: AnyEvent) -> Observation | None:
        """Send an event.  It takes effect at the next frame, after events sent before it.  Any thread may call this.

        States and trajectories are looked up, and a recording is observed, in the calling thread; see `takes_long`.

        Parameters
        ----------
        event : event
            One of `vrnn_engine.runtime.live.events`; its `frame` and `second` are ignored.

        Returns
        -------
        Observation or None
            For a `Prime`, the latents, KL and log-likelihood of the recording.

        Raises
        ------
        VRNNEngineError
            The event cannot be applied, e.g. because a saved state is unknown.  The performance continues unchanged.
        """
        return self._agenda.send(event)

    def takes_long(self, event: AnyEvent) -> bool:
        """Return whether `send` would first observe a recording, which takes a fraction of the recording's length.

        Parameters
        ----------
        event : event
        """
        return self._effects.needs_recording(event)

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames, in a block as `Stream.read` returns it.

        Parameters
        ----------
        frames : int

        Returns
        -------
        float32 array
            Fewer frames if the input of a `ListeningStream` has ended.
        """
        made = []
        for _ in range(frame_count(frames, "read")):
            self.steer()
            block = self.next_frame()
            if not len(block):
                break
            made.append(block)
            self.accept(block, 1)
        return np.concatenate(made) if made else self.stream.read(0)

    def steer(self) -> None:
        """Apply all writes and events that are due before the next frame.  `read` calls this before each frame.

        Whoever reads the stream in a batch calls `steer`, reads up to `steady_frames` frames, and calls `accept` with
        them.  The frames are then those that `read` returns, bit for bit.
        """
        for name, value in self._automation.take_writes():
            self._note(Set(control=name, value=float(value[0]) if value.shape == (1,) else tuple(value.tolist())))
        self.recovery.calm(self.frame, self._note)
        self._agenda.apply_due(self.frame, self._note)
        if self._history.is_due(self.frame):
            self._history.add(self.checkpoint())
        self._automation.advance()
        self.recovery.follow(self.frame)

    def steady_frames(self, limit: int) -> int:
        """Return the number of frames that may be read after `steer` before `steer` has to be called again.

        Parameters
        ----------
        limit : int
            Largest number wanted, 1 or more.

        Returns
        -------
        int
            1 to `limit`.  It is 1 while a control moves, and while the performance remembers what can be rewound.
        """
        if self._automation.moving or self._history.remembers:
            return 1
        limit = self.recovery.watch.steady_frames(self.frame, limit)
        upcoming = self._agenda.next_frame()
        return max(1, limit if upcoming is None else min(limit, upcoming - self.frame))

    def next_frame(self) -> np.ndarray:
        """Return the next frame.  If it is not finite, reset the controls, and after that the state."""
        return self.recovery.next_frame(self.frame, self._note)

    def accept(self, block: np.ndarray, frames: int) -> None:
        """Count frames that were read from the stream after `steer`.

        Parameters
        ----------
        block : float32 array
            The frames, as `Stream.read` returns them.
        frames : int
            Number of frames in the block: at most what `steady_frames` has returned.
        """
        self.recovery.watch.hear(self.frame, block, frames)
        self.frame += frames
        if self._history.remembers:
            self.recent.append(block)
            self._history.add_latent(self.stream.latent)

    def write(self, text: str) -> None:
        """Add text behind what is to be written, before the next frame; record it as a `Write`.

        Only the thread that reads may call this; other threads send a `Write`.

        Parameters
        ----------
        text : str
            Characters of the voice's alphabet.

        Raises
        ------
        StreamError
            The text is empty or has other characters, or the voice writes no text.
        """
        self.stream.write(text)
        self._note(Write(text=text))

    @property
    def waiting(self) -> int:
        """Number of events that were sent and have not been applied yet."""
        return self._agenda.waiting

    @property
    def waiting_characters(self) -> int:
        """Number of characters in the events that have not been applied yet."""
        return self._agenda.waiting_characters

    @property
    def upcoming(self) -> tuple[AnyEvent, ...]:
        """The events of the timeline that have not been applied yet."""
        return self._agenda.upcoming

    def checkpoint(self) -> Checkpoint:
        """Return the state before the next frame; only the thread that reads may call this."""
        self._automation.push()
        return Checkpoint(self.frame, self.stream.snapshot(), self._automation.active_moves())

    def continue_from(self, checkpoint: Checkpoint, repeated: int = 0) -> None:
        """Continue from a checkpoint of this or another performance of the same voice, before the first frame.

        Parameters
        ----------
        checkpoint : Checkpoint
            A result of `checkpoint`.  Its frame becomes the next frame of this performance.
        repeated : int
            Frames before this one repeat what was played before: events that are sent wait until it.

        Raises
        ------
        StreamError
            The checkpoint is of another voice.
        """
        self.stream.restore(checkpoint.snapshot)
        self._automation.continue_from(copy_moves(checkpoint.moves))
        self.frame = checkpoint.frame
        self.recovery.watch.clear()
        self._agenda.hold_until = repeated

    def interrupt(self) -> None:
        """Make a `read` that waits for an input return soon.  Any thread may call this."""
        if isinstance(self.stream, ListeningStream):
            self.stream.interrupt()

    def close(self) -> None:
        """Wait until all files are written and all forks have ended; if interrupted, stop the forks."""
        self._saved.close()
        self._forks.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._forks.stop()
        self.close()

    def _note(self, event: AnyEvent) -> None:
        try:
            if self._record is not None:
                self._record(msgspec.structs.replace(event, frame=self.frame, second=None))
        except VRNNEngineError as error:
            self._record = None
            _log.warning("the performance log ends at frame %d: %s", self.frame, error)
