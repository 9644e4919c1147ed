"""Reads and writes the messages of a session: JSON in text messages, a number and samples in binary ones."""

import struct
from typing import Any, NamedTuple

import msgspec

from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.serve.protocol import ClientMessage, ServerMessage

_HEADER = struct.Struct("<Q")
"""The head of a binary message: number of its first frame."""
HEADER_BYTES = _HEADER.size
"""Bytes of the head of a binary message."""


class Frames(NamedTuple):
    """A binary message."""

    frame: int
    """Number of the first frame."""
    samples: bytes
    """The samples, little-endian, in the format of the session."""


_encoder = msgspec.json.Encoder()
_client_decoder = msgspec.json.Decoder(ClientMessage)
_server_decoder = msgspec.json.Decoder(ServerMessage)


def encode(message: ClientMessage | ServerMessage) -> str:
    """Return a text message as JSON.

    Parameters
    ----------
    message : message
    """
    return _encoder.encode(message).decode()


def decode_client(text: str | bytes) -> ClientMessage:
    """Return the message of a client.

    Parameters
    ----------
    text : str or bytes
        JSON.

    Raises
    ------
    ValueError
        It is not such a message; the error is one line that names the field.
    """
    return _decoded(_client_decoder, text)


def decode_server(text: str | bytes) -> ServerMessage:
    """Return the message of a server; parameters and errors are those of `decode_client`."""
    return _decoded(_server_decoder, text)


def pack_frames(frame: int, samples: bytes | memoryview) -> bytes:
    """Return a binary message.

    Parameters
    ----------
    frame : int
        Number of the first frame.
    samples : bytes
    """
    return _HEADER.pack(frame) + samples


def unpack_frames(message: bytes) -> Frames:
    """Return the parts of a binary message.

    Parameters
    ----------
    message : bytes

    Raises
    ------
    ValueError
        It is too short.
    """
    if len(message) < _HEADER.size:
        raise ValueError(f"a binary message has at least {_HEADER.size} bytes, not {len(message)}")
    return Frames(_HEADER.unpack_from(message)[0], message[_HEADER.size :])


def seed_number(seed: int | str | None) -> int | None:
    """Return the seed of an `Open` or `Opened` as a number.

    Parameters
    ----------
    seed : int, str or None
    """
    return None if seed is None else int(seed)


def seed_field(seed: int) -> int | str:
    """Return a seed as JSON can say it to languages whose numbers have 53 bits: a string of digits if it has more.

    Parameters
    ----------
    seed : int
    """
    return seed if seed < 2**53 else str(seed)


def _decoded(decoder: msgspec.json.Decoder[Any], text: str | bytes) -> Any:
    """Decode a message; translate what nests too deep."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(one_line(error)) from None
