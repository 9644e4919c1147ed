"""Options of the server: what it serves, where it listens, and its limits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServeOptions:
    """Options of a server.

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
        Origins, such as `https://example.org`, whose pages may use the server, besides the server's own page.
    hosts : tuple of str
        Host names under which the server may be addressed, besides the bound address and the names of this machine's
        loopback interface.
    key : bytes or None
        Key that authenticates the tokens of sessions; None: a random one, and no session survives a restart.
    idle : float
        Seconds after which a session that gives no credit ends.
    max_sessions : int or None
        Largest number of sessions of a voice at once; None: as many as the measured time of a step allows.
    share : float
        Largest share of the time that computing frames may take before the server refuses sessions.
    max_seconds : float
        Longest rendering in seconds.
    max_text : int
        Largest number of characters of a text that is rendered.
    renders : int
        Renderings that run at the same time.
    requests_per_second : float
        HTTP requests that one client address may send, on average.
    opens_per_second : float
        Sessions that one client address may open, on average.
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
    token: str | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    key: bytes | None = None
    idle: float = 30.0
    max_sessions: int | None = None
    share: float = 0.85
    max_seconds: float = 600.0
    max_text: int = 10_000
    renders: int = 2
    requests_per_second: float = 50.0
    opens_per_second: float = 20.0
    max_body: int = 65_536
    proxies: tuple[str, ...] = ()
    drain: float = 5.0
