"""Applies events to a stream, after checking them and looking up the saved states that they name.

Any thread may call `check`, `look_up`, `reserve`, `needs_recording` and `listen`; only the thread that reads the
performance may call `apply`.
"""

import logging
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from vrnn_engine.runtime.live.automation import Automation
from vrnn_engine.runtime.live.events import (
    AnyEvent,
    Erase,
    Follow,
    Fork,
    Morph,
    Nudge,
    Prime,
    Reset,
    Restore,
    Rewind,
    Save,
    Seed,
    Set,
    Trace,
    Walk,
    Write,
    convert,
)
from vrnn_engine.runtime.live.forks import Forks
from vrnn_engine.runtime.live.history import History
from vrnn_engine.runtime.live.listening_stream import LiveStream
from vrnn_engine.runtime.live.safety.places import Places
from vrnn_engine.runtime.live.saved import STATE, TRAJECTORY, SavedStates
from vrnn_engine.runtime.live.timeline import Timeline
from vrnn_engine.runtime.live.trajectories import check_trajectory, find_trajectory, is_recording, unreadable
from vrnn_engine.runtime.noise import check_seed
from vrnn_engine.runtime.observation import Observation
from vrnn_engine.runtime.sinks import make_sink
from vrnn_engine.runtime.snapshot import Tensor
from vrnn_engine.runtime.stream import Stream

Failed = Callable[[Exception], None]

_log = logging.getLogger("vrnn_engine")


class Effects:
    """Checks events and applies them to one stream.

    Parameters
    ----------
    stream : Stream or ListeningStream
    automation : Automation
        Moves the stream's controls.
    history : History
        Provides the checkpoints to rewind to.
    saved : SavedStates
        Saves and finds states and trajectories by name.
    forks : Forks
        Plays copies of the stream.
    places : Places
        What events may read and write.
    """

    def __init__(
        self,
        stream: LiveStream,
        automation: Automation,
        history: History,
        saved: SavedStates,
        forks: Forks,
        places: Places,
    ) -> None:
        self._stream = stream
        self._automation = automation
        self._history = history
        self._saved = saved
        self._forks = forks
        self._places = places
        self._fps = stream.voice.manifest.frames_per_second

    def check(self, event: AnyEvent) -> AnyEvent:
        """Return an event with its fields converted to their types; raise a `VRNNEngineError` if it can never apply."""
        event = convert(event)
        controls, automation = self._automation.controls, self._automation
        match event:
            case Set():
                controls.check(event.control, event.value, event.index)
            case Nudge() | Walk():
                controls.resolve(event.control if event.index is None else f"{event.control}/{event.index}")
            case Follow(latents=Tensor() as given):
                automation.check_latent()
                self._trajectory_of(given, event.path)
            case Morph() | Follow() | Trace():
                automation.check_latent()
            case Fork():
                self._places.check_device(event.to)  # before a sink is made: a plug-in may open something at once
                make_sink(event.to)
                self._places.check_target(event.to)
            case Prime():
                self._places.check_source(event.file)
            case Write():
                self._stream.stepper.require_script().alphabet.clean(event.text)
            case Erase():
                self._stream.stepper.require_script()
        if isinstance(event, Walk | Seed):
            check_seed(event.seed)
        if isinstance(event, Save | Trace):
            self._saved.folder.path(event.name, STATE if isinstance(event, Save) else TRAJECTORY)
        return event

    def look_up(self, event: AnyEvent) -> AnyEvent:
        """Return an event with the state, latent or trajectory that it names; raise a `VRNNEngineError` if unknown.

        A state that an event still to come will save cannot be looked up yet; `apply` does so later.
        """
        match event:
            case Morph(latent=None) if not self._saved.is_expected(Save, event.to):
                return msgspec.structs.replace(event, latent=self._saved.latent(event.to))
            case Restore(snapshot=None) if not self._saved.is_expected(Save, event.name):
                return msgspec.structs.replace(event, snapshot=self._saved.state(event.name))
            case Follow(latents=None) if not self._saved.is_expected(Trace, event.path):
                return msgspec.structs.replace(event, latents=self._find(event.path))
        return event

    def reserve(self, event: AnyEvent) -> None:
        """Reserve what an event needs of a limited supply; raise a `VRNNEngineError` if there is no more of it."""
        if isinstance(event, Fork):
            self._forks.reserve(event.to)

    def prepare(self, timeline: Timeline) -> Iterator[AnyEvent]:
        """Yield the checked events of a timeline; an event that follows a recording includes its latents."""
        traced = set()
        for index, event in enumerate(timeline.events):
            with timeline.naming(index):
                event = self.check(event)
                if isinstance(event, Trace):
                    traced.add(event.name)
                if isinstance(event, Follow) and event.path not in traced and self.needs_recording(event):
                    event = self.look_up(event)
            yield event

    def needs_recording(self, event: AnyEvent) -> bool:
        """Return whether a recording must be observed before the event can be applied."""
        match event:
            case Follow(latents=None):
                known = self._saved.trajectory(event.path) is not None or self._saved.is_expected(Trace, event.path)
                return not known and is_recording(event.path, self._saved.folder)
        return isinstance(event, Prime)

    def listen(self, file: str) -> tuple[Stream, Observation]:
        """Return a new stream that has observed a recording from the zero state with the noise of seed 0."""
        listener = self._stream.open_another(0)
        return listener, listener.prime(file)

    def apply(self, event: AnyEvent, frame: int, primed: Stream | None, failed: Failed) -> AnyEvent:
        """Apply an event before a frame is generated.

        Parameters
        ----------
        event : event
            A result of `check`, for which `reserve` was called.
        frame : int
            Number of the frame.
        primed : Stream, optional
            For a `Prime`, the stream that `listen` returned; if not given, the recording is observed now.
        failed : callable
            Another thread calls this with the error if writing a file or playing a fork fails later.

        Returns
        -------
        event
            The event with everything that a replay needs: states and trajectories in addition to their names.
        """
        automation = self._automation
        if not isinstance(event, Set):
            automation.push()
        match event:
            case Set():
                automation.set(event.control, event.value, event.index, event.ramp)
            case Nudge():
                automation.nudge(event.control, event.by, event.index)
            case Walk():
                automation.walk(event.control, event.speed, event.index, event.seed)
            case Morph():
                return self._morph(event)
            case Trace():
                latents = self._history.latents(round(event.seconds * self._fps))
                self._saved.save_trajectory(event.name, latents, failed)
            case Follow():
                return self._follow(event)
            case Reset():
                automation.reset_controls()
            case Seed():
                self._stream.reseed(event.seed)
            case Save():
                self._saved.save_state(event.name, automation.snapshot(), failed)
            case Restore():
                return self._restore(event)
            case Rewind():
                wanted = frame - round(event.seconds * self._fps)
                checkpoint = self._history.before(wanted)
                if wanted < checkpoint.frame:
                    back = (frame - checkpoint.frame) / self._fps
                    _log.warning("rewind by %g s: went back %.1f s, as far as is remembered", event.seconds, back)
                self._stream.restore(checkpoint.snapshot)
                automation.pull(checkpoint.moves)
            case Prime():
                self._stream.continue_from(primed or self.listen(event.file)[0])
            case Fork():
                self._fork(event, failed)
            case Write():
                self._stream.write(event.text)
            case Erase():
                self._stream.erase(event.count)
        return event

    def _fork(self, event: Fork, failed: Failed) -> None:
        try:
            self._places.check_target(event.to)  # once more: an earlier fork may have written this file
            child = self._stream.fork(self._stream.seed if event.seed is None else event.seed)
            self._forks.start(child, event.to, event.seconds, failed)
        except BaseException:
            self._forks.release(event.to)
            raise

    def _morph(self, event: Morph) -> Morph:
        end = event.latent or self._saved.latent(event.to)
        self._automation.hold(self._stream.latent, np.array(end), event.seconds)
        return msgspec.structs.replace(event, latent=end)

    def _follow(self, event: Follow) -> Follow:
        latents = event.latents or self._find(event.path)
        self._automation.follow(self._trajectory_of(latents, event.path), event.times)
        return msgspec.structs.replace(event, latents=latents)

    def _restore(self, event: Restore) -> Restore:
        snapshot = event.snapshot or self._saved.state(event.name)
        self._stream.restore(snapshot)
        self._automation.pull()
        return msgspec.structs.replace(event, snapshot=snapshot)

    def _find(self, path: str) -> Tensor:
        """Return a trajectory by name or file, [T, Z]."""
        found = self._saved.trajectory(path)
        if found is None and not self._saved.folder.has_trajectory(path):
            self._places.check_source(path)
        return Tensor.of(find_trajectory(path, self._saved.folder, self._stream) if found is None else found)

    def _trajectory_of(self, latents: Tensor, where: str) -> np.ndarray:
        """Return a trajectory as an array [T, Z]; raise `StreamError` if it does not fit this voice."""
        try:
            return check_trajectory(latents.array(), self._stream.latent.size, where)
        except ValueError as error:
            raise unreadable(where, error) from None
