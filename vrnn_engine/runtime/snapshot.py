"""Encodes and decodes the saved state of a stream: bytes that hold everything its next frames depend on.

    8 bytes magic | 2 bytes version | 16 bytes BLAKE2b of the version and the msgpack part | msgpack

The version is outside the msgpack part, so that a newer version is recognised whatever that part contains. Nothing in a
snapshot is executed.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from vrnn_engine.base.reading.decoding import decode_msgpack
from vrnn_engine.errors import ControlError, StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.noise import MAX_SEED
from vrnn_engine.runtime.stream_state import StreamState

if TYPE_CHECKING:
    from vrnn_engine.runtime.text.state import WritingState

MAGIC = b"VRNNSNAP"
VERSION = 1
MOST_COUNT = 2**53
"""Largest number of frames or characters; no stream reaches it, and other languages count so far exactly."""

_HEAD = len(MAGIC) + 2 + 16


class Tensor(msgspec.Struct, frozen=True):
    """One float32 array, little-endian, C order."""

    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: np.ndarray) -> "Tensor":
        """Return an array of any type as a tensor."""
        return cls(array.shape, np.ascontiguousarray(array, "<f4").tobytes())

    def fits(self) -> bool:
        """Return whether the data are as many as the shape says."""
        return min(self.shape, default=1) >= 0 and len(self.data) == 4 * math.prod(self.shape)

    def array(self) -> np.ndarray:
        """Return a float32 copy; raises `ValueError` if the data do not fit the shape."""
        if not self.fits():
            raise ValueError(f"{len(self.data)} bytes are no float32 array of shape {list(self.shape)!s:.60}")
        return np.frombuffer(self.data, "<f4").reshape(self.shape).astype(np.float32)


class SavedText(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a `WritingState`; `line` has those of its `Line`, in the order of the class."""

    text: str
    offset: int
    done: int
    generated: int
    unread: int
    ready: Tensor
    steps: int
    has_text: bool
    begun: bool
    observed: bool
    broken: bool
    spaces: int
    still: int
    line: tuple[float, float, int, float, float]
    width: float | None
    retries: int
    faults: int

    @classmethod
    def of(cls, state: "WritingState") -> "SavedText":
        """Return what a state has written and has to write, without the characters that no window shows."""
        state = state.trimmed()
        fields = {name: getattr(state, name) for name in cls.__struct_fields__}
        return cls(**fields | {"ready": Tensor.of(state.ready), "line": astuple(state.line)})

    def state(self) -> "WritingState":
        """Return the saved state; raises `ValueError` if it is not possible."""
        from vrnn_engine.runtime.text.line import Line  # voices without text start without these
        from vrnn_engine.runtime.text.state import WritingState

        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        places = (self.offset, self.done, self.generated, self.unread, self.steps, self.line[2])
        counts = (*places, self.spaces, self.still, self.retries, self.faults)
        if not all(0 <= count <= MOST_COUNT for count in counts):
            raise ValueError("a count is out of range")
        if max(self.offset, self.done) > len(self.text) or self.unread > self.generated:
            raise ValueError("a place is outside the text")
        ready, width = self.ready.array(), self.width
        if ready.shape[1:] != (3,) or not np.isfinite(ready).all() or not all(map(math.isfinite, self.line)):
            raise ValueError("its ink is not finite, or no points")
        if width is not None and not 0 < width < math.inf:
            raise ValueError(f"the width of a line is {width}")
        return WritingState(**fields | {"ready": ready, "line": Line(*self.line)})


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that a stream's next frames depend on."""

    voice: str
    """Name of the voice, for messages."""
    fingerprint: str
    """`Voice.fingerprint` of the precision in use when the snapshot was taken."""
    seed: int
    frame: int
    """Frames generated or observed since the zero state."""
    state: dict[str, Tensor]
    """Recurrent state by name, without the batch axis."""
    controls: dict[str, list[float]]
    latent: Tensor | None = None
    """Latent of the last frame. The next frames do not depend on it; old snapshots lack it."""
    text: SavedText | None = None
    """The written and the pending text; only voices that read a text have it."""

    @classmethod
    def of(cls, state: StreamState, controls: Mapping[str, np.ndarray], voice: str, fingerprint: str) -> "Snapshot":
        """Return the snapshot of a stream's state and of the values of its controls."""
        return cls(
            voice=voice,
            fingerprint=fingerprint,
            seed=state.noise.seed,
            frame=state.frame,
            state={name: Tensor.of(value[0]) for name, value in state.arrays.items()},
            controls={name: value.tolist() for name, value in controls.items()},
            latent=Tensor.of(state.latent),
            text=None if state.text is None else SavedText.of(state.text),
        )

    def applied_to(self, state: StreamState) -> StreamState:
        """Return the saved state for a stream whose state is `state`; raise `StreamError` if it is not possible."""
        if (self.text is None) != (state.text is None):
            raise StreamError(f"this snapshot does not fit voice {self.voice!r}: only one of the two has a text")
        try:
            text = None if self.text is None else self.text.state()
        except ValueError as error:
            raise StreamError(f"the text in this snapshot does not fit voice {self.voice!r}: {error}") from None
        latent = np.zeros_like(state.latent) if self.latent is None else self.latent.array()
        arrays = {name: tensor.array()[np.newaxis] for name, tensor in self.state.items()}
        if latent.shape != state.latent.shape:
            raise StreamError(f"the latent in this snapshot does not fit voice {self.voice!r}")
        if not all(np.isfinite(array).all() for array in (latent, *arrays.values())):
            raise StreamError("the state in this snapshot is not finite; use a snapshot from before that")
        return StreamState(
            arrays=arrays,
            frame=self.frame,
            latent=latent,
            noise=state.reseeded(self.seed).noise,
            text=text,
        )

    def restore_controls(self, controls: Controls) -> None:
        """Set controls to the saved values; raise `StreamError` if one of these cannot be set."""
        try:
            controls.restore(self.controls)
        except ControlError as error:
            raise StreamError(f"the controls in this snapshot do not fit the voice: {error}") from None


def encode(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    payload = msgspec.msgpack.encode(snapshot)
    version = VERSION.to_bytes(2, "big")
    return MAGIC + version + _checksum(version, payload) + payload


def decode(data: bytes, fingerprint: str, shapes: Mapping[str, tuple[int, ...]], voice: str) -> Snapshot:
    """Read a snapshot and check that it fits a voice.

    Parameters
    ----------
    data : bytes
        A result of `encode`.
    fingerprint : str
        `Voice.fingerprint` of the voice and precision to restore into.
    shapes : mapping of str to tuple of int
        Shapes of the voice's state, without the batch axis.
    voice : str
        Name of the voice, for messages.

    Raises
    ------
    StreamError
        The bytes are not a snapshot, are truncated or corrupted, or are of a newer version or another voice.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StreamError(f"a snapshot is bytes, not {type(data).__name__}; give the result of Stream.snapshot()")
    data = bytes(data)
    if not data.startswith(MAGIC):
        raise StreamError("these bytes are not a snapshot of a stream; give the result of Stream.snapshot()")
    version, payload = data[8:10], data[_HEAD:]
    if int.from_bytes(version, "big") > VERSION:
        raise StreamError(
            f"this snapshot has version {int.from_bytes(version, 'big')}, newer than this vrnn-engine "
            f"understands ({VERSION}); upgrade vrnn-engine"
        )
    if data[10:_HEAD] != _checksum(version, payload):
        raise StreamError("this snapshot is corrupted or truncated; save it again, or use another one")
    try:
        snapshot = decode_msgpack(payload, Snapshot)
    except ValueError as error:
        raise StreamError(f"this snapshot cannot be read: {error}") from None
    if snapshot.fingerprint != fingerprint:
        raise StreamError(
            f"this snapshot is of another voice or another version of it ({snapshot.voice!r}, not {voice!r}); "
            "load the voice and precision it was saved with"
        )
    tensors = [*snapshot.state.values()] + ([] if snapshot.latent is None else [snapshot.latent])
    if {name: tensor.shape for name, tensor in snapshot.state.items()} != dict(shapes) or not all(
        tensor.fits() for tensor in tensors
    ):
        raise StreamError(f"the state in this snapshot does not fit voice {voice!r}")
    if not (0 <= snapshot.frame <= MOST_COUNT and 0 <= snapshot.seed <= MAX_SEED):
        raise StreamError("the position or the seed in this snapshot is out of range")
    return snapshot


def _checksum(version: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(version + payload, digest_size=16).digest()
