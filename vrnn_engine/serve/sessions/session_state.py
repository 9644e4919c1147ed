"""The state of a session as bytes: what another process needs to continue it bit for bit.

It holds the stream's snapshot, the frame of the performance, the movements of its controls, and the events that are
still to come.  It does not hold what the client has sent and the performance has not applied yet; the client sends that
again.  `vrnn_engine.serve.tokens` seals these bytes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
import numpy as np

from vrnn_engine.base.reading.decoding import decode_msgpack
from vrnn_engine.errors import StreamError, TokenError, VRNNEngineError
from vrnn_engine.runtime.live.automation import ActiveMove
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.runtime.live.history import Checkpoint
from vrnn_engine.runtime.live.moves import FollowValues, Move, Ramp, RandomWalk
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.serve.protocol import MAX_EVENTS

Count = Annotated[int, msgspec.Meta(ge=0)]


class Numbers(msgspec.Struct, frozen=True):
    """A float64 array, kept as float32 if that loses nothing; little-endian, C order."""

    shape: tuple[int, ...]
    data: bytes
    type: str

    @classmethod
    def of(cls, array: np.ndarray) -> "Numbers":
        """Return a float64 array as numbers."""
        type = "<f4" if np.array_equal(array.astype(np.float32).astype(np.float64), array) else "<f8"
        return cls(array.shape, np.ascontiguousarray(array, type).tobytes(), type)

    def array(self) -> np.ndarray:
        """Return the float64 array; raises `ValueError` if the data do not fit the shape."""
        if self.type not in ("<f4", "<f8"):
            raise ValueError(f"numbers of type {self.type!r:.20}")
        return np.frombuffer(self.data, self.type).reshape(self.shape).astype(np.float64)


class SavedRamp(msgspec.Struct, frozen=True, tag="ramp"):
    """The fields of a `Ramp`."""

    start: Numbers
    end: Numbers
    frames: Count
    done: Count

    def move(self) -> Ramp:
        """Return the ramp."""
        return Ramp(self.start.array(), self.end.array(), self.frames, self.done)


class SavedWalk(msgspec.Struct, frozen=True, tag="walk"):
    """The fields of a `RandomWalk`; the generator's are those of `numpy.random.Philox.state`."""

    value: Numbers
    deviation: float
    low: float
    high: float
    counter: tuple[int, int, int, int]
    key: tuple[int, int]
    buffer: tuple[int, int, int, int]
    buffer_pos: int
    has_uint32: int
    uinteger: int

    @classmethod
    def of(cls, walk: RandomWalk) -> "SavedWalk":
        """Return the fields of a walk."""
        state = walk.generator.bit_generator.state
        return cls(
            Numbers.of(walk.value),
            walk.deviation,
            walk.low,
            walk.high,
            counter=tuple(state["state"]["counter"].tolist()),
            key=tuple(state["state"]["key"].tolist()),
            buffer=tuple(state["buffer"].tolist()),
            buffer_pos=state["buffer_pos"],
            has_uint32=state["has_uint32"],
            uinteger=state["uinteger"],
        )

    def move(self) -> RandomWalk:
        """Return the walk, which draws the same steps."""
        bits = np.random.Philox()
        words = {name: np.array(getattr(self, name), np.uint64) for name in ("counter", "key", "buffer")}
        bits.state = {
            "bit_generator": "Philox",
            "state": {"counter": words["counter"], "key": words["key"]},
            "buffer": words["buffer"],
            "buffer_pos": self.buffer_pos,
            "has_uint32": self.has_uint32,
            "uinteger": self.uinteger,
        }
        return RandomWalk(self.value.array(), self.deviation, self.low, self.high, np.random.Generator(bits))


class SavedFollow(msgspec.Struct, frozen=True, tag="follow"):
    """The fields of a `FollowValues`."""

    values: Numbers
    steps: Count | None
    after: Numbers
    done: Count

    def move(self) -> FollowValues:
        """Return the movement."""
        return FollowValues(self.values.array(), self.steps, self.after.array(), self.done)


class SavedMove(msgspec.Struct, frozen=True):
    """The fields of an `ActiveMove`."""

    control: str
    active: tuple[bool, ...]
    started: tuple[bool, ...]
    move: SavedRamp | SavedWalk | SavedFollow

    @classmethod
    def of(cls, active: ActiveMove) -> "SavedMove":
        """Return the fields of a movement."""
        return cls(active.control, tuple(active.active.tolist()), tuple(active.started.tolist()), _saved(active.move))

    def active_move(self, values: Mapping[str, np.ndarray]) -> ActiveMove:
        """Return the movement; raises `ValueError` if it is not one of controls with these values."""
        active, started = np.array(self.active, bool), np.array(self.started, bool)
        value = values.get(self.control)
        if value is None or not value.shape == active.shape == started.shape or (active & ~started).any():
            raise ValueError("a movement is not one of a control of this voice")
        move = self.move.move()
        if not _has_steps_of(move, int(started.sum())):
            raise ValueError("a movement has not the shape of its control")
        return ActiveMove(self.control, active, started, move)


class SessionState(msgspec.Struct, frozen=True):
    """Everything that the next frames of a session depend on."""

    fingerprint: str
    """`Voice.fingerprint` of the precision in use."""
    frame: Count
    """Frames that the performance has played."""
    snapshot: bytes
    """The stream's snapshot before the next frame."""
    moves: tuple[SavedMove, ...] = ()
    timeline: tuple[AnyEvent, ...] = ()
    """The events that are still to come, in order, each with its frame."""

    @classmethod
    def of(cls, performance: Performance) -> "SessionState":
        """Return the state of a performance between two frames.

        Parameters
        ----------
        performance : Performance
        """
        now = performance.checkpoint()
        moves = tuple(map(SavedMove.of, now.moves))
        return cls(performance.stream.fingerprint, now.frame, now.snapshot, moves, performance.upcoming)

    def encode(self) -> bytes:
        """Return the state as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes, fingerprint: str) -> "SessionState":
        """Return the state that bytes hold.

        Parameters
        ----------
        data : bytes
            A result of `encode`.
        fingerprint : str
            `Stream.fingerprint` of the voice that is to continue.

        Raises
        ------
        TokenError
            The bytes hold no state of a session, or one of another voice.
        """
        try:
            state = decode_msgpack(data, cls)
        except ValueError as error:
            raise TokenError(f"this token holds no state of a session: {error}") from None
        if state.fingerprint != fingerprint:
            raise TokenError(
                "this token is of another voice, or of another version or precision of it; "
                "open it with the voice and precision that made it"
            )
        return state

    def timeline_with(self, events: Iterable[AnyEvent]) -> tuple[AnyEvent, ...]:
        """Return the events to come together with more events, in the order of their frames.

        Parameters
        ----------
        events : iterable of events
            Each with its `frame`: what took effect from this state on before the connection was lost.  An event that
            the timeline has as well is the same one, and is not doubled.  In a frame the others follow the timeline,
            as events do that are sent.

        Raises
        ------
        StreamError
            There are more than `MAX_EVENTS`.
        """
        known = Counter(map(msgspec.msgpack.encode, self.timeline))  # bytes, as not every event has a hash
        more = []
        for event in events:
            key = msgspec.msgpack.encode(event)
            if known[key]:
                known[key] -= 1
            else:
                more.append(event)
        count = len(self.timeline) + len(more)
        if count > MAX_EVENTS:
            raise StreamError(f"with those of the token, the timeline has {count} events, more than {MAX_EVENTS}")
        return tuple(sorted([*self.timeline, *more], key=lambda event: event.frame or 0))

    def restore(self, performance: Performance, repeated: int = 0) -> None:
        """Bring a new performance to this state.

        Parameters
        ----------
        performance : Performance
            A performance of the same voice that has not been read, with the timeline of `timeline_with`.
        repeated : int
            The client has the frames before this one; see `Performance.continue_from`.

        Raises
        ------
        TokenError
            The state does not fit the voice.
        """
        try:
            values = performance.controls.snapshot()
            moves = [saved.active_move(values) for saved in self.moves]
            performance.continue_from(Checkpoint(self.frame, self.snapshot, moves), repeated)
        except (ValueError, VRNNEngineError) as error:
            raise TokenError(f"the state in this token does not fit the voice: {error}") from None


def _has_steps_of(move: Move, size: int) -> bool:
    """Return whether each step of a movement has `size` values, at least one."""
    match move:
        case Ramp():
            shapes = {move.start.shape, move.end.shape}
        case RandomWalk():
            shapes = {move.value.shape}
        case FollowValues():
            shapes = {move.after.shape, move.values.shape[1:]} if move.values.size else set()
        case _:
            return False
    return size > 0 and shapes == {(size,)}


def _saved(move: Move) -> SavedRamp | SavedWalk | SavedFollow:
    match move:
        case Ramp():
            return SavedRamp(Numbers.of(move.start), Numbers.of(move.end), move.frames, move.done)
        case RandomWalk():
            return SavedWalk.of(move)
        case FollowValues():
            return SavedFollow(Numbers.of(move.values), move.steps, Numbers.of(move.after), move.done)
    raise TokenError(f"a token cannot hold a movement of type {type(move).__name__}")
