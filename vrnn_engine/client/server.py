"""Asks a server over HTTP: which voices it has, and renderings of them."""

import http.client
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.client.address import parse_server
from vrnn_engine.client.connection import error_line, moved
from vrnn_engine.errors import RemoteError

MAX_ANSWER = 1 << 30
"""Largest rendering that is read, in bytes."""
MAX_LIST = 16 << 20
"""Largest list of voices that is read, in bytes."""


def voices(url: str, token: str | None = None, timeout: float = 10.0) -> list[dict[str, Any]]:
    """Return the voices of a server.

    Parameters
    ----------
    url : str
        `http://HOST:PORT`, or the same with https, ws or wss.
    token : str, optional
        Secret that the server asks for.
    timeout : float
        Seconds to wait for the server.

    Returns
    -------
    list of dict
        What the server tells of each voice, such as its `name`.

    Raises
    ------
    RemoteError
        The server cannot be reached, or refuses.

    Examples
    --------
    >>> client.voices("http://localhost:8080")  # doctest: +SKIP
    [{'name': 'blizzard', ...}]
    """
    data = _ask(url, "api/voices", token, timeout, MAX_LIST)
    try:
        return decode_json(data, _Voices).voices
    except ValueError:
        raise RemoteError(f"{url} answers with something else than a list of voices; is it vrnn-engine?") from None


def render(
    url: str,
    voice: str,
    format: str,
    seconds: float | None = None,
    seed: int | None = None,
    text: str | None = None,
    token: str | None = None,
    timeout: float = 600.0,
    **more: Any,
) -> bytes:
    """Return a rendering of a voice, as a file's content.

    Parameters
    ----------
    url : str
        `http://HOST:PORT`, or the same with https, ws or wss.
    voice : str
        Name of the voice.
    format : str
        `wav`, `flac`, `svg`, `hpgl`, `gcode` or `jsonl`.
    seconds : float, optional
        Length; the server's default if not given.
    seed : int, optional
        Random by default.
    text : str, optional
        Text to write, for a voice that reads one.
    token : str, optional
        Secret that the server asks for.
    timeout : float
        Seconds to wait for the server.
    **more
        Other parameters of the request; the server's `/openapi.json` lists them.

    Raises
    ------
    RemoteError
        The server cannot be reached, or refuses.

    Examples
    --------
    >>> wav = client.render("http://localhost:8080", "blizzard", "wav", seconds=2, seed=7)  # doctest: +SKIP
    """
    asked = {"format": format, "seconds": seconds, "seed": seed, "text": text, **more}
    query = urlencode({name: value for name, value in asked.items() if value is not None}, doseq=True)
    return _ask(url, f"api/voices/{quote(voice, safe='')}/render?{query}", token, timeout)


def _ask(url: str, path: str, token: str | None, timeout: float, most: int = MAX_ANSWER) -> bytes:
    """Return the answer to a request."""
    address = parse_server(url)
    request = urllib.request.Request(address.http(path))
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            data = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        if "Location" in error.headers:
            raise RemoteError(moved(url, error.headers["Location"])) from None
        raise RemoteError(f"{url} refused the request: {_reason(error)}") from None
    except (urllib.error.URLError, OSError, ValueError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise RemoteError(f"{url} cannot be reached: {reason}") from None
    if len(data) > most:
        raise RemoteError(f"{url} sent more than {most:,} bytes; ask for less")
    return bytes(data)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a server must not choose what a client asks for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Let the redirect be an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _reason(error: urllib.error.HTTPError) -> str:
    """Return why a server refuses a request."""
    try:
        line = error_line(error.read(1 << 16))
    except (OSError, http.client.HTTPException):  # the answer is not complete
        line = ""
    return line or f"HTTP status {error.code}"


class _Voices(msgspec.Struct):
    voices: list[dict[str, Any]]
