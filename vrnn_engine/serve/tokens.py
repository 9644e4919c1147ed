"""Seals bytes into text tokens that only a server with the same key opens.

    base64url without padding of:  1 byte version | 32 bytes HMAC-SHA256 of all the rest | deflated payload

A token is not encrypted: everyone who has it can read it, but only a holder of the key can change it.  The sizes are
limited before anything is decoded, and nothing in a token is executed.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.errors import TokenError
from vrnn_engine.serve.environment import KEY_VARIABLE
from vrnn_engine.serve.protocol import MAX_TOKEN

VERSION = 1
MAX_PAYLOAD = 1 << 18
"""Largest number of bytes of a payload."""
LEAST_KEY = 16
"""Least number of bytes of a key."""

_LEVEL = 1
"""Most of a payload is floating-point numbers, which higher levels make no smaller, and only slower."""
_MAC = hashlib.sha256().digest_size
_PURPOSE = b"vrnn-engine token"


class TokenKeys:
    """Seals and opens tokens.

    Parameters
    ----------
    key : bytes, optional
        At least 16 bytes that all servers share which open each other's tokens.  By default random bytes, so that
        no session survives a restart.

    Raises
    ------
    TokenError
        The key is too short.

    Examples
    --------
    >>> keys = TokenKeys(b"sixteen bytes or more")
    >>> keys.open(keys.seal(b"state"))
    b'state'
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is None:
            key = secrets.token_bytes(32)
        if len(key) < LEAST_KEY:
            raise TokenError(f"the key of the tokens has {len(key)} bytes; give at least {LEAST_KEY}, chosen at random")
        self._key = key

    def seal(self, payload: bytes) -> str:
        """Return a token that holds a payload.

        Parameters
        ----------
        payload : bytes

        Raises
        ------
        TokenError
            The payload does not fit into a token.
        """
        if len(payload) > MAX_PAYLOAD:  # compressing it would take long
            raise TokenError(
                f"the state of this session has {len(payload)} bytes, more than {MAX_PAYLOAD}, and fits into no token; "
                "shorten the text or the timeline that is still to come"
            )
        version = bytes([VERSION])
        packed = zlib.compress(payload, _LEVEL)
        token = base64.urlsafe_b64encode(version + self._mac(version, packed) + packed).rstrip(b"=").decode()
        if len(token) > MAX_TOKEN:
            raise TokenError(
                f"the state of this session needs a token of {len(token)} characters, more than {MAX_TOKEN}; "
                "shorten the text or the timeline that is still to come"
            )
        return token

    def open(self, token: str) -> bytes:
        """Return the payload of a token.

        Parameters
        ----------
        token : str
            A result of `seal` by a server with the same key.

        Raises
        ------
        TokenError
            The token is damaged, too long, newer than this program understands, or of a server with another key.
        """
        if len(token) > MAX_TOKEN:
            raise TokenError(f"this token has {len(token)} characters, more than {MAX_TOKEN}; it is no session's token")
        try:
            data = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise _damaged() from None
        version, mac, packed = data[:1], data[1 : 1 + _MAC], data[1 + _MAC :]
        if not packed:
            raise _damaged()
        if version[0] > VERSION:
            raise TokenError(
                f"this token has version {version[0]}, newer than this vrnn-engine understands ({VERSION}); "
                "upgrade the server"
            )
        if not hmac.compare_digest(mac, self._mac(version, packed)):
            raise TokenError(
                "this token is damaged, or of a server with another key; give all servers the same --key-file, "
                "or open a new session"
            )
        return _inflate(packed)

    def _mac(self, version: bytes, packed: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + version + packed, "sha256")


def read_key(file: str | os.PathLike[str] | None, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """Return the key of a file, or else of the variable VRNN_ENGINE_KEY, without a line end behind it.

    Parameters
    ----------
    file : path, optional
    environment : mapping of str to str

    Returns
    -------
    bytes or None
        None if neither is given.

    Raises
    ------
    TokenError
        The file cannot be read.
    """
    if file is not None:
        try:
            return _without_line_end(Path(file).read_bytes())
        except OSError as error:
            raise read_error(file, error, TokenError) from error
    text = environment.get(KEY_VARIABLE)
    return _without_line_end(text.encode("utf-8", "surrogateescape")) if text else None


def _without_line_end(key: bytes) -> bytes:
    """Return a key as it is, since any byte may be part of it; only a line end, which editors add, is taken off."""
    return key.removesuffix(b"\n").removesuffix(b"\r")


def _inflate(packed: bytes) -> bytes:
    """Return the payload; raise `TokenError` if it is damaged or longer than a payload may be."""
    inflating = zlib.decompressobj()
    try:
        payload = inflating.decompress(packed, MAX_PAYLOAD)
    except zlib.error:
        raise _damaged() from None
    if not inflating.eof or inflating.unused_data:
        raise _damaged()
    return payload


def _damaged() -> TokenError:
    return TokenError("this is not a token of a session, or it is damaged; give the whole token, or open a new session")
