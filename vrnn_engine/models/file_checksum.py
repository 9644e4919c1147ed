"""Adds a checksum to a file of torch, and verifies it: torch reads damaged weights without an error.

The file is a zip archive, whose end is a record with a comment.  The comment holds the BLAKE2b of all bytes before the
length of the comment.  Every program that reads zip archives ignores it.
"""

import hashlib
import io
from pathlib import Path

from vrnn_engine.base.files import AtomicFile
from vrnn_engine.errors import CheckpointError

_MARK = b"vrnn-engine blake2b "
_DIGITS = 64
_COMMENT = len(_MARK) + _DIGITS
_END, _END_SIZE = b"PK\x05\x06", 22
"""Signature and size of the last record of a zip archive; its last two bytes are the length of the comment."""
_BEGIN = b"PK\x03\x04"
_PART = 1 << 20


def add_checksum(file: AtomicFile) -> None:
    """Add the checksum to a complete zip archive.

    Parameters
    ----------
    file : AtomicFile
        The archive, which has no comment.

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    end = file.seek(0, 2) - 2
    file.seek(0)
    comment = _MARK + _digest(file, end)
    file.seek(end)
    file.append(_COMMENT.to_bytes(2, "little") + comment)


def verify_checksum(path: Path) -> None:
    """Verify the checksum of a file, if it is a zip archive with one: earlier versions of this package wrote none.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    CheckpointError
        The file is damaged.
    OSError
        It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        if file.read(len(_BEGIN)) != _BEGIN:
            return  # not a file of torch, as the reader will say
        size = file.seek(0, 2)
        tail = _END_SIZE + _COMMENT
        file.seek(max(0, size - tail))
        data = file.read(tail)
        if data[-_END_SIZE:].startswith(_END) and data.endswith(b"\0\0"):
            return  # of an earlier version
        length = _COMMENT.to_bytes(2, "little")
        file.seek(0)
        if data[_END_SIZE - 2 :] != length + _MARK + _digest(file, size - _COMMENT - 2):
            raise CheckpointError(f"{path}: damaged: it is not what its checksum says; use another copy or train again")


def _digest(file: io.RawIOBase, count: int) -> bytes:
    """Return the digits of the checksum of the next bytes of a file."""
    digest = hashlib.blake2b(digest_size=_DIGITS // 2)
    while count > 0 and (part := file.read(min(_PART, count))):
        digest.update(part)
        count -= len(part)
    return digest.hexdigest().encode()
