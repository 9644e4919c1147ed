"""Decodes JSON, MessagePack and other data that may be damaged; every failure is a `ValueError` of one short line."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from vrnn_engine.errors import VRNNEngineError

Kind = TypeVar("Kind")
LONGEST_REASON = 200
"""Largest number of characters of a reason, which may quote the input."""


def decode_json(data: bytes | str, kind: type[Kind]) -> Kind:
    """Return the value of a JSON text.

    Parameters
    ----------
    data : bytes or str
        The text.
    kind : type
        The type of the value; see `msgspec.json.decode`.

    Raises
    ------
    ValueError
        The text is not UTF-8 or not JSON, nests too deep, or is of another type.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(one_line(error)) from None


def decode_msgpack(data: bytes, kind: type[Kind]) -> Kind:
    """Return the value of a MessagePack; parameters and errors are those of `decode_json`."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(one_line(error)) from None


def guard_damage(read: Callable[[], Kind]) -> Kind:
    """Call a function that reads a file; translate what damaged data make zipfile, zlib, lzma, numpy and others raise.

    Parameters
    ----------
    read : callable
        Reads a file.

    Raises
    ------
    OSError, VRNNEngineError
        As the function does, for example because the file cannot be read.
    ValueError
        The data are damaged; the text is one line.
    """
    try:
        return read()
    except VRNNEngineError:
        raise
    except OSError as error:
        if error.errno is None:  # of bz2: the data are damaged
            raise ValueError(one_line(error)) from None
        raise
    except MemoryError:
        raise ValueError("it needs more memory than is free") from None
    except Exception as error:  # noqa: BLE001 - these libraries raise many kinds of errors for damaged data
        raise ValueError(one_line(error)) from None


def one_line(error: Exception) -> str:
    """Return what an error of another library says, on one line, cut to `LONGEST_REASON` characters.

    Parameters
    ----------
    error : Exception
        The error.
    """
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(reason.split())[:LONGEST_REASON]
