"""A stream under somebody's hands: what is asked of it takes effect at a frame, can be written down, and undone.

Threading contract
------------------
One thread reads (a `Player`'s producer).  Any thread may `send` events and write `controls`, at any time; both are
looked at before each frame, so they are heard in the next one, and recorded with that frame: of a control the last
value written, of events each, in the order sent.  Writing the stream's own `controls` past the performance is not seen
by it, and undone.  Any thread may look at `frame`, `recent` and the stream's `latent`.  What needs the disk is done by
one more thread, in the order asked: nothing is heard to wait for it.
"""

import collections
import contextlib
import logging
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np

from vrnn_engine.errors import StreamError, VRNNEngineError
from vrnn_engine.runtime.live.events import (
    AnyEvent,
    Follow,
    Fork,
    Keep,
    Morph,
    Prime,
    Reset,
    Return,
    Rewind,
    Seed,
    Set,
    Trace,
    Walk,
)
from vrnn_engine.runtime.live.life import Life
from vrnn_engine.runtime.live.moments import Moments
from vrnn_engine.runtime.live.motion import Motion
from vrnn_engine.runtime.live.paths import check_path, find_path, is_recording
from vrnn_engine.runtime.noise import check_seed
from vrnn_engine.runtime.player import Player
from vrnn_engine.runtime.sinks import make_sink
from vrnn_engine.runtime.snapshot import Tensor
from vrnn_engine.runtime.stream import Observation, Stream
from vrnn_engine.runtime.voice import Voice

CHECKPOINT = 0.1
"""Seconds between two places that one can go back to."""

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
        Where named moments and paths are kept; the voice's own folder if not given.
    memory : float
        Seconds that one can go back, and that a path can be long.

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
        self.frame = 0
        self.recent: collections.deque[np.ndarray] = collections.deque(maxlen=RECENT)
        self._fps = stream.voice.manifest.frames_per_second
        self._motion = Motion(stream)
        self.controls = self._motion.controls
        self._record = record
        self._moments = moments or Moments(stream.voice.name)
        self._kept: dict[str, bytes] = {}
        self._traced: dict[str, np.ndarray] = {}
        self._asked: set[tuple[type, str]] = set()  # what is to be kept under which name, and not yet there
        self._inbox: queue.SimpleQueue[tuple[AnyEvent, Stream | None]] = queue.SimpleQueue()
        self._timeline = collections.deque(self._prepared(timeline))
        self._primed = {event.file: self._listen(event.file)[0] for event in timeline if isinstance(event, Prime)}
        self._every = max(1, round(CHECKPOINT * self._fps))
        self._past: collections.deque[tuple[int, bytes]] = collections.deque(
            maxlen=max(1, round(memory * self._fps / self._every))
        )
        self._latents: collections.deque[np.ndarray] = collections.deque(maxlen=max(1, round(memory * self._fps)))
        self._aside = ThreadPoolExecutor(1, "vrnn-engine performance")
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
            case Morph(latent=None) if (Keep, event.to) not in self._asked:
                event = msgspec.structs.replace(event, latent=self._latent_of(event.to))
            case Follow(latents=None) if (Trace, event.path) not in self._asked:
                event = msgspec.structs.replace(event, latents=self._path_of(event.path))
            case Morph() | Follow():
                self._motion.check_latent()
            case Seed():
                check_seed(event.seed)
            case Keep() | Trace():
                self._moments.path(event.name)
                self._asked.add((type(event), event.name))
            case Return(snapshot=None) if (Keep, event.name) not in self._asked:
                event = msgspec.structs.replace(event, snapshot=self._snapshot_of(event.name))
            case Prime():
                listened, seen = self._listen(event.file)
            case Fork():
                make_sink(event.to)
        self._inbox.put((event, listened))
        return seen

    def takes_long(self, event: AnyEvent) -> bool:
        """Whether to send it is to wait until a recording has been listened to."""
        match event:
            case Follow(latents=None):
                known = event.path in self._traced or (Trace, event.path) in self._asked
                return not known and is_recording(event.path, self._moments)
        return isinstance(event, Prime)

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
            self._latents.append(self.stream.latent)
        return np.concatenate(made) if made else self.stream.read(0)

    def close(self) -> None:
        """Wait until everything that was kept and forked is written; raises what went wrong with a fork."""
        self._aside.shutdown()
        for player in self._forked:
            player.wait()
        self._forks.close()

    def _prepared(self, timeline: Sequence[AnyEvent]) -> Iterator[AnyEvent]:
        """Yield the events, those that follow a recording with its latents."""
        traced = set()
        for event in timeline:
            if isinstance(event, Trace):
                traced.add(event.name)
            if isinstance(event, Follow) and event.path not in traced and self.takes_long(event):
                event = msgspec.structs.replace(event, latents=self._path_of(event.path))
            yield event

    def _steer(self) -> None:
        """Do all that is due before the next frame."""
        for name, value in self._motion.begin():
            self._note(Set(control=name, value=_plain(value)))
        while self._timeline and (self._timeline[0].frame or 0) <= self.frame:
            event = self._timeline.popleft()
            self._try(event, self._primed.get(event.file) if isinstance(event, Prime) else None)
        with contextlib.suppress(queue.Empty):
            while True:
                self._try(*self._inbox.get_nowait())
        self._motion.end()
        if self.frame % self._every == 0:
            self._past.append((self.frame, self.stream.snapshot()))

    def _try(self, event: AnyEvent, listened: Stream | None) -> None:
        """Do it; what goes wrong now is said, and the rest plays on."""
        try:
            self._do(event, listened)
        except VRNNEngineError as error:
            _say(event, self.frame, error)

    def _do(self, event: AnyEvent, listened: Stream | None) -> None:
        motion = self._motion
        if not isinstance(event, Set):
            motion.push()
        match event:
            case Set():
                motion.turn(event.control, event.value, event.index, event.ramp)
            case Walk():
                motion.walk(event.control, event.speed, event.index, event.seed)
            case Morph():
                end = event.latent or self._latent_of(event.to)
                motion.hold(self.stream.latent, np.array(end), event.seconds)
                event = msgspec.structs.replace(event, latent=end)
            case Trace():
                self._trace(event)
            case Follow():
                path = event.latents or self._path_of(event.path)
                motion.follow(check_path(path.array(), self.stream.latent.size, event.path), event.times)
                event = msgspec.structs.replace(event, latents=path)
            case Reset():
                self.stream.controls.reset()
                motion.pull()
            case Seed():
                self.stream.reseed(event.seed)
            case Keep():
                self._asked.discard((Keep, event.name))
                self._kept[event.name] = self.stream.snapshot()
                self._later(event, self._moments.save, event.name, self._kept[event.name])
            case Return():
                saved = event.snapshot or self._snapshot_of(event.name)
                self.stream.restore(saved)
                motion.pull()
                event = msgspec.structs.replace(event, snapshot=saved)
            case Rewind():
                self.stream.restore(self._before(self.frame - round(event.seconds * self._fps)))
                motion.pull()
            case Prime():
                self.stream.continue_from(listened or self._listen(event.file)[0])
            case Fork():
                child = self.stream.fork(self.stream.seed if event.seed is None else event.seed)
                self._later(event, self._let_go_on, child, event)
        self._note(event)

    def _later(self, event: AnyEvent, do: Callable[..., object], *given: object) -> None:
        """Do what needs the disk in the other thread; what goes wrong with it is said."""
        frame = self.frame

        def job() -> None:
            try:
                do(*given)
            except Exception as error:  # noqa: BLE001 - that of a plug-in too, of which nobody would hear otherwise
                _say(event, frame, error)

        self._aside.submit(job)

    def _snapshot_of(self, name: str) -> bytes:
        """Return a kept moment; raise `StreamError` if there is none."""
        return self._kept.get(name) or self._moments.load(name)

    def _latent_of(self, name: str) -> tuple[float, ...]:
        """Return the latent of a kept moment; raise `StreamError` if it has none."""
        self._motion.check_latent()
        with self.stream.engine.stream(0) as kept:
            kept.restore(self._snapshot_of(name))
            if not kept.latent.any():
                raise StreamError(f"the moment {name!r} has no latent: it was kept before the first frame")
            return tuple(kept.latent.tolist())

    def _trace(self, event: Trace) -> None:
        self._asked.discard((Trace, event.name))
        self._motion.check_latent()
        latents = list(self._latents)[-max(1, round(event.seconds * self._fps)) :]
        if not latents:
            raise StreamError("there is no latent yet whose path could be kept")
        self._traced[event.name] = np.array(latents)
        self._later(event, self._moments.save_path, event.name, self._traced[event.name])

    def _path_of(self, path: str) -> Tensor:
        """Return the latents of a path, `[T, Z]`."""
        self._motion.check_latent()
        traced = self._traced.get(path)
        return Tensor.of(find_path(path, self._moments, self.stream.engine) if traced is None else traced)

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

    def _let_go_on(self, child: Stream, event: Fork) -> None:
        try:
            self._forked.append(self._forks.enter_context(Player(child, to=event.to, seconds=event.seconds)))
        except BaseException:
            child.close()
            raise

    def _note(self, event: AnyEvent) -> None:
        if self._record is None:
            return
        try:
            self._record(msgspec.structs.replace(event, frame=self.frame, second=None))
        except VRNNEngineError as error:
            self._record = None
            _log.warning("no longer recorded from frame %d on: %s", self.frame, error)


def _say(event: AnyEvent, frame: int, error: Exception) -> None:
    words = error if isinstance(error, VRNNEngineError) else f"{type(error).__name__}: {error}"
    _log.warning("%s at frame %d: %s", type(event).__name__.lower(), frame, words)


def _plain(value: np.ndarray) -> float | tuple[float, ...]:
    return float(value[0]) if value.shape == (1,) else tuple(value.tolist())
