"""Snapshots of streams that are made by hand."""

import hashlib

from vrnn_engine.runtime import snapshot

HEAD = len(snapshot.MAGIC) + 2 + 16
"""Bytes before the payload: the mark, the version and the checksum."""


def seal(payload: bytes, version: int = snapshot.VERSION) -> bytes:
    """Return a snapshot with a valid head and checksum, as a version of this package would make it."""
    head = version.to_bytes(2, "big")
    return snapshot.MAGIC + head + hashlib.blake2b(head + payload, digest_size=16).digest() + payload
