"""A stream as bytes: everything that its next frames depend on, and the voice they came from.

    8 bytes magic | 2 bytes version | 16 bytes BLAKE2b of what follows and the version | msgpack

The version stands outside of the msgpack, so that a newer one is recognised whatever it holds.
Nothing in it is ever executed.
"""

import hashlib
from collections.abc import Mapping

import msgspec
import numpy as np

from vrnn_engine.errors import StreamError

MAGIC = b"VRNNSNAP"
VERSION = 1

_HEAD = len(MAGIC) + 2 + 16


class Tensor(msgspec.Struct, frozen=True):
    """One float32 array, little-endian, C order."""

    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: np.ndarray) -> "Tensor":
        return cls(array.shape, np.ascontiguousarray(array, "<f4").tobytes())

    def array(self) -> np.ndarray:
        return np.frombuffer(self.data, "<f4").reshape(self.shape).astype(np.float32)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream's next frames depend on."""

    voice: str
    """Name, for messages."""
    fingerprint: str
    """`Voice.fingerprint`."""
    seed: int
    frame: int
    state: dict[str, Tensor]
    """Without the batch axis."""
    controls: dict[str, list[float]]
    latent: Tensor | None = None
    """Of the last frame; the next ones do not depend on it."""


def encode(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    payload = msgspec.msgpack.encode(snapshot)
    version = VERSION.to_bytes(2, "big")
    return MAGIC + version + _checksum(version, payload) + payload


def decode(data: bytes, fingerprint: str, shapes: Mapping[str, tuple[int, ...]], voice: str) -> Snapshot:
    """Read a snapshot of the voice with this fingerprint and these state shapes.

    Raises
    ------
    StreamError
        No snapshot, truncated, corrupted, of a newer version, or of another voice.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StreamError(f"a snapshot is bytes, not {type(data).__name__}")
    data = bytes(data)
    if not data.startswith(MAGIC):
        raise StreamError("these bytes are not a snapshot of a stream")
    version, payload = data[8:10], data[_HEAD:]
    if int.from_bytes(version, "big") > VERSION:
        raise StreamError(
            f"this snapshot has version {int.from_bytes(version, 'big')}, newer than this vrnn-engine "
            f"understands ({VERSION}); upgrade vrnn-engine"
        )
    if data[10:_HEAD] != _checksum(version, payload):
        raise StreamError("this snapshot is corrupted or truncated")
    try:
        snapshot = msgspec.msgpack.decode(payload, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StreamError(f"this snapshot cannot be read: {error}") from None
    if snapshot.fingerprint != fingerprint:
        raise StreamError(f"this snapshot is of another voice or version of one ({snapshot.voice!r}, not {voice!r})")
    if {name: tensor.shape for name, tensor in snapshot.state.items()} != dict(shapes) or any(
        len(tensor.data) != 4 * int(np.prod(tensor.shape)) for tensor in snapshot.state.values()
    ):
        raise StreamError("this snapshot's state does not fit the voice")
    if snapshot.frame < 0 or snapshot.seed < 0:
        raise StreamError("this snapshot's position or seed is negative")
    return snapshot


def _checksum(version: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(version + payload, digest_size=16).digest()
