"""The outermost part of the server: checks each request and handshake before any route sees it.

It is plain ASGI, so that an open WebSocket passes through without a further step for each message.
"""

import logging
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vrnn_engine.serve.addresses import client_key
from vrnn_engine.serve.metrics import Metrics
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web import security
from vrnn_engine.serve.web.limits import RateLimiter, limit_body
from vrnn_engine.serve.web.replies import Refusal, internal_error, problem, refuse_until

PROBES = ("/health", "/ready")
"""Paths for an orchestrator, which are neither counted nor need a token."""

_log = logging.getLogger("vrnn_engine")


class Guard:
    """ASGI middleware that refuses what is not allowed, and adds the headers of `security.HEADERS`.

    Parameters
    ----------
    app : ASGI application
        What answers the accepted requests.
    options : ServeOptions
    metrics : Metrics
    open_paths : frozenset of str
        Paths of the page, which need no token.
    """

    def __init__(self, app: ASGIApp, options: ServeOptions, metrics: Metrics, open_paths: frozenset[str]) -> None:
        self._app, self._options, self._metrics = app, options, metrics
        self._open_paths = open_paths | frozenset(PROBES)
        self._page_paths = open_paths
        self._requests = RateLimiter(options.requests_per_second)
        self._opens = RateLimiter(options.opens_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        is_socket = scope["type"] == "websocket"
        answer = _Answer(send, is_socket, self._policy(scope["path"]))
        try:
            try:
                headers = Headers(scope=scope)
                self._check(scope, headers, is_socket)
                if not is_socket:
                    receive = limit_body(receive, headers.get("content-length"), self._options.max_body)
            except Refusal as refusal:
                self._metrics.refused(refusal.code)
                await answer.refuse(problem(refusal.status_code, refusal.detail, refusal.headers), scope, receive)
                return
            await self._app(scope, receive, answer.send)
        except Exception:  # noqa: BLE001  # it is logged, and the client gets no traceback
            _log.exception("%s %s failed", scope.get("method", "WebSocket"), scope["path"])
            if not answer.started:
                await answer.refuse(internal_error(), scope, receive)

    def _check(self, scope: Scope, headers: Headers, is_socket: bool) -> None:
        """Raise `Refusal` unless the request is allowed."""
        path = scope["path"]
        host = security.check_host(headers.getlist("host"), self._options)
        security.check_origin(
            headers.get("origin"), headers.get("sec-fetch-site"), headers.get("sec-fetch-dest"), host, self._options
        )
        if path not in PROBES:
            client = client_key(scope["client"][0] if scope.get("client") else "")
            wait = (self._opens if is_socket else self._requests).use(client)
            if wait:
                raise refuse_until(wait, 429, "rate", "too many requests of this address; wait and try again")
        # A browser sends no token when it asks whether a page of an allowed origin may send a request with one.
        is_preflight = scope.get("method") == "OPTIONS" and "access-control-request-method" in headers
        if is_socket or not (path in self._open_paths or (is_preflight and self._options.origins)):
            token = security.bearer(headers.get("authorization"))
            if token is None and is_socket:
                token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]
            security.check_token(token, self._options.token, is_socket)

    def _policy(self, path: str) -> str:
        return security.PAGE_POLICY if path in self._page_paths else security.DATA_POLICY


class _Answer:
    """Sends an answer with the headers of the server, and knows whether one has begun."""

    def __init__(self, send: Send, is_socket: bool, policy: str) -> None:
        self._send, self._is_socket, self._policy = send, is_socket, policy
        self.started = False

    async def send(self, message: Message) -> None:
        """Send a message; the first one of an HTTP answer gets the headers."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in security.HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", self._policy)
            headers.setdefault("Cache-Control", "no-store")
        self.started = True
        await self._send(message)

    async def refuse(self, response: Response, scope: Scope, receive: Receive) -> None:
        """Send a whole answer in place of the application's; also to the handshake of a WebSocket."""
        if self._is_socket and "websocket.http.response" not in scope.get("extensions", {}):
            await self.send({"type": "websocket.close", "code": 1008, "reason": ""})  # the client sees a plain 403
        else:
            await response(scope, receive, self.send)
