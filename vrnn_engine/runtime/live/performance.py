"""A stream under somebody's hands: what is asked of it takes effect at a frame, can be written down, and undone.

Threading contract
------------------
One thread reads (a `Player`'s producer).  Any thread may `send` events and write `controls`, at any time; both are
looked at before each frame, so they are heard in the next one, and recorded with that frame: of a control the last
value written, of events each, in the order sent.  Writing the stream's own `controls` past the performance is not seen
by it, and undone.  Any thread may look at `frame`, `recent` and the stream's `latent`.
"""

import collections
import contextlib
import logging
import queue
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from vrnn_engine.errors import StreamError, VRNNEngineError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.live.events import (
    AnyEvent,
    Fork,
    Keep,
    Morph,
    Prime,
    Reset,
    Return,
    Rewind,
    Seed,
    Set,
    Walk,
)
from vrnn_engine.runtime.live.life import Life
from vrnn_engine.runtime.live.moments import Moments
from vrnn_engine.runtime.live.moves import Ramp, RandomWalk
from vrnn_engine.runtime.noise import check_seed
from vrnn_engine.runtime.player import Player
from vrnn_engine.runtime.sinks import make_sink
from vrnn_engine.runtime.stream import Observation, Stream
from vrnn_engine.runtime.voice import Voice

CHECKPOINT = 0.1
"""Seconds between two places that one can go back to."""

HOLD, TARGET = "latent.hold", "latent.target"
RECENT = 400
"""Frames that can be looked at after they were read."""

_log = logging.getLogger("vrnn_engine")


class Performance:
    """Reads a stream, and does what events and controls ask.  It can be given to a `Player` instead of the stream.

    Parameters
    ----------
    stream : Stream or Life
        From now on only to be read through this.
    timeline : sequence of events
        With their frames, in order; see `read_timeline`.
    record : callable, optional
        Called with each event as it takes effect, with its frame; e.g. a `Recorder`.
    moments : Moments, optional
        Where named moments are kept; the voice's own folder if not given.
    memory : float
        Seconds that one can go back.

    Attributes
    ----------
    controls : Controls
        What to steer with.
    frame : int
        Frames played.
    recent : deque of float32 arrays
        The last frames, for those who watch: samples [F], or dx, dy, pen_up [1, 3].
    """

    def __init__(
        self,
        stream: Stream | Life,
        timeline: Sequence[AnyEvent] = (),
        record: Callable[[AnyEvent], None] | None = None,
        moments: Moments | None = None,
        memory: float = 60.0,
    ) -> None:
        self.stream = stream
        self.controls = Controls(stream.voice.manifest.controls)
        self.controls.restore(stream.controls.snapshot())
        self.frame = 0
        self.recent: collections.deque[np.ndarray] = collections.deque(maxlen=RECENT)
        self._fps = stream.voice.manifest.frames_per_second
        self._timeline = collections.deque(timeline)
        self._record = record
        self._moments = moments or Moments(stream.voice.name)
        self._kept: dict[str, bytes] = {}
        self._inbox: queue.SimpleQueue[tuple[AnyEvent, Stream | None]] = queue.SimpleQueue()
        self._primed = {event.file: self._listen(event.file)[0] for event in timeline if isinstance(event, Prime)}
        self._moving: dict[str, Ramp | RandomWalk] = {}
        self._values = self.controls.snapshot()
        self._table = self.controls.table
        self._turned = False
        self._pushed = True
        self._every = max(1, round(CHECKPOINT * self._fps))
        self._past: collections.deque[tuple[int, bytes]] = collections.deque(
            maxlen=max(1, round(memory * self._fps / self._every))
        )
        self._forks = contextlib.ExitStack()
        self._forked: list[Player] = []

    @property
    def voice(self) -> Voice:
        """The stream's voice."""
        return self.stream.voice

    def send(self, event: AnyEvent) -> Observation | None:
        """Ask for something, from any thread; it takes effect with the next frame, after what was sent before.

        What it needs is looked up, and a recording listened to, in the thread that calls.

        Returns
        -------
        Observation or None
            What the voice made of the recording, where there was one to listen to.

        Raises
        ------
        VRNNEngineError
            The event cannot be: an unknown control, moment or target, a value out of range, a recording that cannot
            be read.  The performance goes on as it was.
        """
        listened, seen = None, None
        match event:
            case Set():
                self.controls.check(event.control, event.value, event.index)
            case Walk():
                self.controls.find(event.control if event.index is None else f"{event.control}/{event.index}")
                check_seed(event.seed)
            case Morph(latent=None):
                event = msgspec.structs.replace(event, latent=self._latent_of(event.to))
            case Seed():
                check_seed(event.seed)
            case Keep():
                self._moments.path(event.name)
            case Return(snapshot=None) if event.name not in self._kept:
                event = msgspec.structs.replace(event, snapshot=self._moments.load(event.name))
            case Prime():
                listened, seen = self._listen(event.file)
            case Fork():
                make_sink(event.to)
        self._inbox.put((event, listened))
        return seen

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames, as `Stream.read` does; fewer where what it listens to has ended."""
        made = []
        for _ in range(frames):
            self._steer()
            block = self.stream.read(1)
            if not len(block):
                break
            made.append(block)
            self.frame += 1
            self.recent.append(made[-1])
        return np.concatenate(made) if made else self.stream.read(0)

    def close(self) -> None:
        """Wait until everything that was forked is written; raises what went wrong with it."""
        for player in self._forked:
            player.wait()
        self._forks.close()

    def _steer(self) -> None:
        """Do all that is due before the next frame."""
        table = self.controls.table
        if table is not self._table:  # another one after each write
            for name, value in self.controls.snapshot().items():
                if not np.array_equal(value, self._values[name]):  # somebody has turned it
                    self._moving.pop(name, None)
                    self._set(name, value)
                    self._note(Set(control=name, value=_plain(value)))
            self._table = table  # the one before the look: what was written since is looked at once more
        seen, self._turned = dict(self._values), False
        while self._timeline and (self._timeline[0].frame or 0) <= self.frame:
            event = self._timeline.popleft()
            self._try(event, self._primed.get(event.file) if isinstance(event, Prime) else None)
        with contextlib.suppress(queue.Empty):
            while True:
                self._try(*self._inbox.get_nowait())
        for name, move in list(self._moving.items()):
            self._set(name, move.step())
            if move.over:
                del self._moving[name]
        self._push()
        if self._turned:
            self.controls.follow(self._values, seen)
        if self.frame % self._every == 0:
            self._past.append((self.frame, self.stream.snapshot()))

    def _set(self, name: str, value: np.ndarray) -> None:
        self._values[name] = value
        self._turned = True
        self._pushed = False

    def _push(self) -> None:
        """Let the stream have the values as they are here: what others write meanwhile is for the next frame."""
        if not self._pushed:
            self.stream.controls.restore(self._values)
            self._pushed = True

    def _pull(self) -> None:
        """Take over the values that the stream was brought to."""
        self._values = self.stream.controls.snapshot()
        self._moving.clear()
        self._turned = self._pushed = True

    def _try(self, event: AnyEvent, listened: Stream | None) -> None:
        """Do it; what goes wrong now is said, and the rest plays on."""
        try:
            self._do(event, listened)
        except VRNNEngineError as error:
            _log.warning("%s at frame %d: %s", type(event).__name__.lower(), self.frame, error)

    def _do(self, event: AnyEvent, listened: Stream | None) -> None:
        if not isinstance(event, Set):
            self._push()
        match event:
            case Set():
                self._turn(event)
            case Walk():
                self._walk(event)
            case Morph():
                event = self._morph(event)
            case Reset():
                self.stream.controls.reset()
                self._pull()
            case Seed():
                self.stream.reseed(event.seed)
            case Keep():
                self._kept[event.name] = self.stream.snapshot()
                self._moments.save(event.name, self._kept[event.name])
            case Return():
                saved = event.snapshot or self._kept.get(event.name) or self._moments.load(event.name)
                self.stream.restore(saved)
                self._pull()
                event = msgspec.structs.replace(event, snapshot=saved)
            case Rewind():
                self.stream.restore(self._before(self.frame - round(event.seconds * self._fps)))
                self._pull()
            case Prime():
                self.stream.continue_from(listened or self._listen(event.file)[0])
            case Fork():
                self._fork(event)
        self._note(event)

    def _turn(self, event: Set) -> None:
        now, end = self._values[event.control], self.controls.check(event.control, event.value, event.index)
        where = slice(None) if event.index is None else event.index
        move = self._moving.pop(event.control, None)
        if event.ramp or isinstance(move, Ramp):
            ramp = move if isinstance(move, Ramp) else Ramp.resting(now)
            ramp.aim(where, now, end, max(1, round(event.ramp * self._fps)))
            self._moving[event.control] = ramp
        if not event.ramp:  # at once, for what else is due before this frame
            value = now.copy()
            value[where] = end[where]
            self._set(event.control, value)

    def _walk(self, event: Walk) -> None:
        spec, now = self.controls.specs[event.control], self._values[event.control]
        where = slice(None) if event.index is None else event.index
        step = event.speed / self._fps**0.5
        self._moving[event.control] = RandomWalk(now, where, step, spec.minimum, spec.maximum, event.seed)

    def _morph(self, event: Morph) -> Morph:
        """Begin; return the event with the latent that it goes to."""
        end = event.latent or self._latent_of(event.to)
        spec = self.controls.specs[TARGET]
        for to, ramp in ((self.stream.latent, 0.0), (end, event.seconds)):
            inside = np.clip(to, spec.minimum, spec.maximum)
            self._turn(Set(control=TARGET, value=tuple(inside.tolist()), ramp=ramp))
        self._turn(Set(control=HOLD, value=1.0))
        return msgspec.structs.replace(event, latent=end)

    def _latent_of(self, name: str) -> tuple[float, ...]:
        """Return the latent of a kept moment; raise `StreamError` if it has none."""
        if not {HOLD, TARGET} <= self.controls.keys():
            raise StreamError(f"voice {self.voice.name!r} has no latents to hold")
        kept = self.stream.engine.stream(0)
        kept.restore(self._kept.get(name) or self._moments.load(name))
        if not kept.latent.any():
            raise StreamError(f"the moment {name!r} has no latent: it was kept before the first frame")
        return tuple(kept.latent.tolist())

    def _before(self, frame: int) -> bytes:
        """Return the last checkpoint at or before a frame; the first there is if that is later."""
        if not self._past:
            raise StreamError("there is nothing yet to go back to")
        found = [snapshot for at, snapshot in self._past if at <= frame]
        return found[-1] if found else self._past[0][1]

    def _listen(self, file: str) -> tuple[Stream, Observation]:
        """Return a stream that has listened to a recording, from silence on; the same one whenever it is asked for."""
        listener = self.stream.engine.stream(0)
        return listener, listener.prime(file)

    def _fork(self, event: Fork) -> None:
        child = self.stream.fork(self.stream.seed if event.seed is None else event.seed)
        self._forked.append(self._forks.enter_context(Player(child, to=event.to, seconds=event.seconds)))

    def _note(self, event: AnyEvent) -> None:
        if self._record is None:
            return
        try:
            self._record(msgspec.structs.replace(event, frame=self.frame, second=None))
        except VRNNEngineError as error:
            self._record = None
            _log.warning("no longer recorded from frame %d on: %s", self.frame, error)


def _plain(value: np.ndarray) -> float | tuple[float, ...]:
    return float(value[0]) if value.shape == (1,) else tuple(value.tolist())
