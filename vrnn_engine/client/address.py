"""The address of a served voice: ws://HOST:PORT/VOICE, and the addresses over HTTP that belong to it."""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from vrnn_engine.errors import RemoteError

_SOCKETS = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True)
class Address:
    """The address of a server, and perhaps of one of its voices.

    Attributes
    ----------
    socket : str
        `ws://HOST:PORT` or `wss://HOST:PORT`, and the path before the voice if there is one.
    voice : str
        Name of the voice; empty if the address has none.
    """

    socket: str
    voice: str

    @property
    def session(self) -> str:
        """Address at which a session of the voice is opened."""
        return f"{self.socket}/{quote(self.voice)}"

    def http(self, path: str) -> str:
        """Return an address over HTTP.

        Parameters
        ----------
        path : str
            The path, quoted and without a slash at its beginning.
        """
        return f"http{self.socket.removeprefix('ws')}/{path}"

    def __str__(self) -> str:
        return self.session if self.voice else self.socket


def parse_voice(url: str) -> Address:
    """Return the address of a served voice.

    Parameters
    ----------
    url : str
        `ws://HOST:PORT/VOICE`, or the same with wss, http or https.

    Raises
    ------
    RemoteError
        The text has another form.
    """
    address = parse_server(url)
    server, _, voice = address.socket.partition("://")[2].rpartition("/")
    if not server or not voice:
        raise RemoteError(f"{url!r:.80} names no voice; write ws://HOST:PORT/VOICE")
    return Address(address.socket.rpartition("/")[0], unquote(voice))


def parse_server(url: str) -> Address:
    """Return the address of a server.

    Parameters
    ----------
    url : str
        `http://HOST:PORT`, or the same with https, ws or wss.

    Raises
    ------
    RemoteError
        The text has another form.
    """
    try:
        parts = urlsplit(url)
        scheme, known = _SOCKETS.get(parts.scheme), bool(parts.hostname)
        _ = parts.port  # raises `ValueError` if it is no number
    except (ValueError, AttributeError, TypeError):
        scheme, known = None, False
    if scheme is None or not known:
        raise RemoteError(f"{url!r:.80} is no address of a server; write ws://HOST:PORT/VOICE or http://HOST:PORT")
    if parts.query or parts.fragment or parts.username is not None:
        raise RemoteError(f"{url!r:.80} has more than an address; give a token as an option, not in the address")
    return Address(f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}", "")
