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
import functools
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import msgspec
import numpy as np

from vrnn_engine.errors import NotFiniteError, StreamError, VRNNEngineError
from vrnn_engine.runtime.live.automation import Going, Motion, again
from vrnn_engine.runtime.live.control.rate_limited_log import in_words
from vrnn_engine.runtime.live.events import (
    AnyEvent,
    Follow,
    Fork,
    Keep,
    Morph,
    Nudge,
    Prime,
    Reset,
    Return,
    Rewind,
    Seed,
    Set,
    Trace,
    Walk,
)
from vrnn_engine.runtime.live.forks import Forks
from vrnn_engine.runtime.live.latent_paths import check_path, find_path, is_recording
from vrnn_engine.runtime.live.listening_stream import Life
from vrnn_engine.runtime.live.saved import MOMENT, PATH, Moments
from vrnn_engine.runtime.noise import check_seed
from vrnn_engine.runtime.sinks import make_sink
from vrnn_engine.runtime.snapshot import Tensor
from vrnn_engine.runtime.stream import Observation, Stream
from vrnn_engine.runtime.voice.voice import Voice

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
        With their frames, in order; see `read_timeline`.  Raises what `send` would, with the frame.
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
        # What is to be kept under which name and is not there yet, and how often.
        self._asked: collections.Counter[tuple[type, str]] = collections.Counter()
        self._asking = threading.Lock()
        self._inbox: queue.SimpleQueue[tuple[AnyEvent, Stream | None]] = queue.SimpleQueue()
        self._every = max(1, round(CHECKPOINT * self._fps))
        self._past: collections.deque[tuple[int, bytes, list[Going]]] = collections.deque(
            maxlen=max(1, round(memory * self._fps / self._every))
        )
        self._latents: collections.deque[np.ndarray] = collections.deque(maxlen=max(1, round(memory * self._fps)))
        self._aside = ThreadPoolExecutor(1, "vrnn-engine performance")
        self._forks = Forks()
        self._timeline = collections.deque(self._prepared(timeline))
        self._primed = {event.file: self._listen(event.file)[0] for event in timeline if isinstance(event, Prime)}

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
        event = self._checked(event)
        listened, seen = None, None
        match event:
            case Morph(latent=None) if not self._asked[Keep, event.to]:
                event = msgspec.structs.replace(event, latent=self._latent_of(event.to))
            case Follow(latents=None) if not self._asked[Trace, event.path]:
                event = msgspec.structs.replace(event, latents=self._path_of(event.path))
            case Return(snapshot=None) if not self._asked[Keep, event.name]:
                event = msgspec.structs.replace(event, snapshot=self._snapshot_of(event.name))
            case Keep() | Trace():
                self._ask_for(event, 1)
            case Prime():
                listened, seen = self._listen(event.file)
        self._inbox.put((event, listened))
        return seen

    def takes_long(self, event: AnyEvent) -> bool:
        """Whether to send it is to wait until a recording has been listened to."""
        match event:
            case Follow(latents=None):
                known = event.path in self._traced or self._asked[Trace, event.path]
                return not known and is_recording(event.path, self._moments)
        return isinstance(event, Prime)

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames, as `Stream.read` does; fewer where what it listens to has ended."""
        made = []
        for _ in range(frames):
            self._steer()
            block = self._next()
            if not len(block):
                break
            made.append(block)
            self.frame += 1
            self.recent.append(block)
            self._latents.append(self.stream.latent)
        return np.concatenate(made) if made else self.stream.read(0)

    def close(self) -> None:
        """Wait until everything that was kept and forked is written; interrupted, forks end there."""
        self._aside.shutdown()
        self._forks.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._forks.stop()
        self.close()

    def _checked(self, event: AnyEvent) -> AnyEvent:
        """Return an event as what it is declared to be; raise what `send` does if it could never be done here."""
        try:
            plain = msgspec.to_builtins(event, builtin_types=(bytes,), enc_hook=_of_numpy)
            event = msgspec.convert(plain, AnyEvent)
        except (TypeError, ValueError) as error:  # msgspec.ValidationError is one
            raise StreamError(f"not an event: {error}") from None
        match event:
            case Set():
                self.controls.check(event.control, event.value, event.index)
            case Nudge() | Walk():
                self.controls.find(event.control if event.index is None else f"{event.control}/{event.index}")
            case Follow(latents=Tensor() as given):
                self._motion.check_latent()
                self._array_of(given, event.path)
            case Morph() | Follow() | Trace():
                self._motion.check_latent()
            case Fork():
                make_sink(event.to)
        if isinstance(event, Walk | Seed):
            check_seed(event.seed)
        if isinstance(event, Keep | Trace):
            self._moments.path(event.name, MOMENT if isinstance(event, Keep) else PATH)
        return event

    def _prepared(self, timeline: Sequence[AnyEvent]) -> Iterator[AnyEvent]:
        """Yield the events, checked, those that follow a recording with its latents."""
        traced = set()
        for event in timeline:
            try:
                event = self._checked(event)
                if isinstance(event, Trace):
                    traced.add(event.name)
                if isinstance(event, Follow) and event.path not in traced and self.takes_long(event):
                    event = msgspec.structs.replace(event, latents=self._path_of(event.path))
            except VRNNEngineError as error:
                raise type(error)(f"{_name(event)} at frame {event.frame}: {error}") from None
            yield event

    def _ask_for(self, event: Keep | Trace, more: int) -> None:
        with self._asking:
            self._asked[type(event), event.name] += more

    def _next(self) -> np.ndarray:
        """Return the next frame.  Where the voice does not stand its controls, reset them, and forget its past."""
        try:
            return self.stream.read(1)
        except NotFiniteError:
            _log.warning("frame %d was not finite: all controls are at their defaults again", self.frame)
        self.stream.controls.reset()
        self._motion.pull()
        self._motion.end()
        self._note(Reset())
        try:
            return self.stream.read(1)
        except NotFiniteError:
            _log.warning("frame %d was not finite again: the voice begins anew", self.frame)
        self.stream.continue_from(self.stream.engine.stream(0))
        return self.stream.read(1)

    def _steer(self) -> None:
        """Do all that is due before the next frame."""
        for name, value in self._motion.begin():
            self._note(Set(control=name, value=_plain(value)))
        while self._timeline and (self._timeline[0].frame or 0) <= self.frame:
            event = self._timeline.popleft()
            self._try(event, self._primed.get(event.file) if isinstance(event, Prime) else None)
        with contextlib.suppress(queue.Empty):
            while True:
                event, listened = self._inbox.get_nowait()
                self._try(event, listened)
                if isinstance(event, Keep | Trace):  # now that it is there
                    self._ask_for(event, -1)
        if self.frame % self._every == 0:
            self._motion.push()
            self._past.append((self.frame, self.stream.snapshot(), self._motion.going()))
        self._motion.end()

    def _try(self, event: AnyEvent, listened: Stream | None) -> None:
        """Do it; what goes wrong now is said, and the rest plays on."""
        try:
            self._do(event, listened)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is to hear a gap for it
            _say(event, self.frame, error)

    def _do(self, event: AnyEvent, listened: Stream | None) -> None:
        motion = self._motion
        if not isinstance(event, Set):
            motion.push()
        match event:
            case Set():
                motion.turn(event.control, event.value, event.index, event.ramp)
            case Nudge():
                motion.nudge(event.control, event.by, event.index)
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
                motion.follow(self._array_of(path, event.path), event.times)
                event = msgspec.structs.replace(event, latents=path)
            case Reset():
                self.stream.controls.reset()
                motion.pull()
            case Seed():
                self.stream.reseed(event.seed)
            case Keep():
                self._kept[event.name] = motion.snapshot()
                self._later(event, self._moments.save, event.name, self._kept[event.name])
            case Return():
                saved = event.snapshot or self._snapshot_of(event.name)
                self.stream.restore(saved)
                motion.pull()
                event = msgspec.structs.replace(event, snapshot=saved)
            case Rewind():
                saved, going = self._before(self.frame - round(event.seconds * self._fps))
                self.stream.restore(saved)
                motion.pull(going)
            case Prime():
                self.stream.continue_from(listened or self._listen(event.file)[0])
            case Fork():
                child = self.stream.fork(self.stream.seed if event.seed is None else event.seed)
                said = functools.partial(_say, event, self.frame)
                self._forks.start(child, event.to, event.seconds, said)
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

    def _array_of(self, path: Tensor, where: str) -> np.ndarray:
        """Return a path as an array `[T, Z]`; raise `StreamError` if it is none of this voice."""
        try:
            return check_path(path.array(), self.stream.latent.size, where)
        except ValueError as error:
            raise StreamError(f"{where}: cannot be read as a path: {error}") from None

    def _before(self, frame: int) -> tuple[bytes, list[Going]]:
        """Return the last checkpoint at or before a frame, or the first there is if that is later, to begin there."""
        if not self._past:
            raise StreamError("there is nothing yet to go back to")
        found = [past for past in self._past if past[0] <= frame]
        _, saved, going = found[-1] if found else self._past[0]
        return saved, again(going)

    def _listen(self, file: str) -> tuple[Stream, Observation]:
        """Return a stream that has listened to a recording, from silence on; the same one whenever it is asked for."""
        listener = self.stream.engine.stream(0)
        return listener, listener.prime(file)

    def _note(self, event: AnyEvent) -> None:
        if self._record is None:
            return
        try:
            self._record(msgspec.structs.replace(event, frame=self.frame, second=None))
        except VRNNEngineError as error:
            self._record = None
            _log.warning("no longer recorded from frame %d on: %s", self.frame, error)


def _name(event: AnyEvent) -> str:
    """Return what an event is called where it is written down."""
    return str(event.__struct_config__.tag)


def _say(event: AnyEvent, frame: int, error: Exception) -> None:
    _log.warning("%s at frame %d: %s", _name(event), frame, in_words(error))


def _of_numpy(value: Any) -> Any:
    """Return a number or an array of numpy's as plain ones."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise NotImplementedError


def _plain(value: np.ndarray) -> float | tuple[float, ...]:
    return float(value[0]) if value.shape == (1,) else tuple(value.tolist())
