"""Decides from which hosts, origins and clients a request is accepted; and the headers that protect the page.

A page of another site can make a browser send requests to a server on the same machine, and by DNS rebinding even read
the answers.  So the server answers only under its own names (`check_host`), lets pages of other origins neither open
sessions nor send or load anything (`check_origin`), and compares the token in constant time (`check_token`).
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web.replies import Refusal

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine's loopback interface, under which a server may always be addressed."""
ANY = "*"
"""Value of `ServeOptions.hosts` that allows every name."""

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content security policy of the page: only its own files, and no script or style inside the HTML."""
DATA_POLICY = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""Content security policy of everything else.  A sound and an SVG, with its own styles, may be opened in a browser."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer.  The opener and embedder policies isolate the page, which may then use SharedArrayBuffer."""


def split_host(value: str) -> tuple[str, int | None]:
    """Return the name and the port of a `Host` header.

    Parameters
    ----------
    value : str
        For example `localhost:8080` or `[::1]:8080`.

    Returns
    -------
    name : str
        In lower case, without brackets and without a dot at its end; empty if the value is not valid.
    port : int or None
        None if there is none.
    """
    try:
        parts = urlsplit(f"//{value}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return "", None
    if not name or parts.path or parts.query or parts.fragment or parts.username is not None:
        return "", None
    return name.removesuffix("."), port


def check_host(values: Iterable[str], options: ServeOptions) -> str:
    """Check the host that a request is addressed to.

    Allowed are the address that the server is bound to, the names of the loopback interface and `options.hosts`.  A
    server that is bound to all addresses also answers under each IP address, because DNS rebinding needs a name.

    Parameters
    ----------
    values : iterable of str
        The values of all `Host` headers of the request.
    options : ServeOptions

    Returns
    -------
    str
        The value of the one header.

    Raises
    ------
    Refusal
        There is not exactly one header, or its name is not allowed.
    """
    given = list(values)
    name = split_host(given[0])[0] if len(given) == 1 else ""
    allowed = {one.lower() for one in (options.host, *LOOPBACK, *options.hosts)}
    if name and (ANY in allowed or name in allowed or (_is_wildcard(options.host) and _is_address(name))):
        return given[0]
    shown = f" {name!r:.80}" if name else ""
    raise Refusal(403, "host", f"this server does not answer under the host{shown}; allow it with --host-name")


def check_origin(origin: str | None, site: str | None, dest: str | None, host: str, options: ServeOptions) -> None:
    """Check where a request comes from.

    A request without these headers does not come from a page in a browser, and is accepted.

    Parameters
    ----------
    origin : str or None
        `Origin` header.
    site, dest : str or None
        `Sec-Fetch-Site` and `Sec-Fetch-Dest` headers, which browsers add.
    host : str
        `Host` header, which `check_host` has accepted.
    options : ServeOptions

    Raises
    ------
    Refusal
        The request comes from a page of another origin, which `options.origins` does not allow.
    """
    if origin is not None:
        if not (origin.lower() in options.origins or _same_host(origin, host)):
            raise Refusal(403, "origin", f"pages of {origin!r:.80} may not use this server; allow it with --origin")
    elif site in ("cross-site", "same-site") and dest != "document":
        # The browser tells no origin for an image, a sound or a frame that another page embeds; a link is followed.
        raise Refusal(403, "origin", "pages of another site may not load files of this server")


def check_token(given: str | None, expected: str | None, socket: bool) -> None:
    """Check a token, in a time that does not depend on it.

    Parameters
    ----------
    given : str or None
        What the client has sent.
    expected : str or None
        The server's token; None: every client is accepted.
    socket : bool
        Whether this is the handshake of a WebSocket, for which the answer is 403 instead of 401.

    Raises
    ------
    Refusal
        The token is missing or wrong.
    """
    if expected is None or (given is not None and hmac.compare_digest(_digest(given), _digest(expected))):
        return
    message = "this server needs its token, as the header `Authorization: Bearer TOKEN`"
    if socket:
        raise Refusal(403, "token", f"{message} or ?token=TOKEN")
    raise Refusal(401, "token", message, {"WWW-Authenticate": "Bearer"})


def bearer(header: str | None) -> str | None:
    """Return the token of an `Authorization` header, or None if it has none.

    Parameters
    ----------
    header : str or None
        Value of the header.
    """
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _digest(text: str) -> bytes:
    """Return bytes of one length, so that the comparison does not tell the length of the token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _same_host(origin: str, host: str) -> bool:
    """Return whether an origin has the name and port of a `Host` header; a proxy may have ended its TLS."""
    try:
        parts = urlsplit(origin)
        default = _DEFAULT_PORTS.get(parts.scheme)
        theirs = parts.hostname, parts.port or default
    except ValueError:
        return False
    name, port = split_host(host)
    return parts.scheme in ("http", "https") and theirs == (name, port or default)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified
