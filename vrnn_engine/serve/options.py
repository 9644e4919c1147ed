"""Options of the server: what it serves, where it listens, and its limits."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from vrnn_engine.errors import ServerError
from vrnn_engine.serve.tokens import LEAST_KEY

_RANGES = {
    "port": (0, 65_535),
    "rows": (1, 4096),
    "threads": (1, 4096),
    "idle": (0.01, 1e6),
    "max_sessions": (1, 1e9),
    "share": (1e-6, 1e6),
    "max_seconds": (0.1, 1e9),
    "max_text": (1, 1e9),
    "renders": (1, 64),
    "renders_per_address": (1, 1e9),
    "requests_per_second": (1e-6, 1e9),
    "opens_per_second": (1e-6, 1e9),
    "sessions_per_address": (1, 1e9),
    "max_body": (1, 1e9),
    "drain": (0, 1e6),
}
"""Least and largest values of options that are numbers."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ServeOptions:
    """Options of a server.  Raises `ServerError` if one of them is not possible.

    Attributes
    ----------
    voices : tuple of str
        Names, folders or .zip files of the voices; the first is the one that the page opens with.
    host : str
        Address to listen on.
    port : int
        TCP port; 0 lets the system choose a free one.
    rows : int
        Largest number of sessions of one voice that are stepped as one batch.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    precision : str or None
        Precision of the weights; None: the default of each voice.
    threads : int
        CPU threads that compute a step.
    token : str or None
        Secret that a client must send; None: none is needed.
    origins : tuple of str
        Origins, such as `https://example.org`, whose pages may use the server, besides the server's own page.  They
        are kept as browsers send them: in lower case, without a slash at the end and without the default port.
    hosts : tuple of str
        Host names under which the server may be addressed, besides the bound address and the names of this machine's
        loopback interface.
    key : bytes or None
        Key that authenticates the tokens of sessions; None: a random one, and no session survives a restart.
    idle : float
        Seconds after which a session that gives no credit ends.
    max_sessions : int or None
        Largest number of sessions of a voice at once; None: as many as the measured time of a step allows.
    share : float or None
        Largest share of the time that computing frames may take before the server refuses sessions; None: 0.85 for
        sound, and 0.6 for ink, whose ticks differ more from one another.
    max_seconds : float
        Longest rendering in seconds.
    max_text : int
        Largest number of characters of a text that is rendered.
    renders : int
        Renderings that run at the same time.
    renders_per_address : int or None
        Those of one client address; None: all but one, at least one.  The addresses in `proxies` have no limit.
    requests_per_second : float
        HTTP requests that one client address may send, on average.
    opens_per_second : float
        Sessions that one client address may open, on average.
    sessions_per_address : int
        Sessions that one client address may have at the same time.  The addresses in `proxies` have no limit.
    max_body : int
        Largest body of a request in bytes.
    proxies : tuple of str
        Addresses of reverse proxies, whose `X-Forwarded-For` and `X-Forwarded-Proto` headers are believed.
    drain : float
        Seconds that a stopping server gives its sessions and requests to end.
    """

    voices: tuple[str, ...] = ("blizzard", "handwriting")
    host: str = "127.0.0.1"
    port: int = 8080
    rows: int = 128
    device: str = "auto"
    precision: str | None = None
    threads: int = 1
    token: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    key: bytes | None = field(default=None, repr=False)
    idle: float = 30.0
    max_sessions: int | None = None
    share: float | None = None
    max_seconds: float = 600.0
    max_text: int = 10_000
    renders: int = 2
    renders_per_address: int | None = None
    requests_per_second: float = 200.0
    opens_per_second: float = 20.0
    sessions_per_address: int = 100
    max_body: int = 65_536
    proxies: tuple[str, ...] = ()
    drain: float = 5.0

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ServerError(f"{name} is {value!r:.40}; give a number from {least:g} to {most:g}", (name,))
        if not self.voices:
            raise ServerError("no voice is given; name at least one")
        if self.token is not None and re.fullmatch(r"[!-~]+", self.token) is None:
            raise ServerError("the token must be ASCII characters without spaces, at least one", ("token",))
        if self.key is not None and len(self.key) < LEAST_KEY:
            words = f"the key of the tokens has {len(self.key)} bytes; give at least {LEAST_KEY}, chosen at random"
            raise ServerError(words, ("key_file",))
        object.__setattr__(self, "origins", tuple(map(_origin, self.origins)))

    @property
    def client_renders(self) -> int:
        """Renderings of one client address that run at the same time."""
        return self.renders_per_address or max(1, self.renders - 1)


def _origin(text: str) -> str:
    """Return an origin as browsers send it; raise `ServerError` if it is none."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not parts.scheme or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ServerError(f"{text!r:.80} is not an origin; give one such as https://example.org", ("origin",))
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}")
