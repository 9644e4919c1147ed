"""Runs the web application: listens, serves until a signal, then ends the sessions before the connections."""

import asyncio
import contextlib
import errno
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from vrnn_engine.errors import ServerError
from vrnn_engine.serve import protocol
from vrnn_engine.serve.app import create_app, load_services
from vrnn_engine.serve.connection import Connection
from vrnn_engine.serve.options import ServeOptions

_BACKLOG = 512
_WATCH = 0.02
_UNREAD_MILLISECONDS = 60_000


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Parameters
    ----------
    host : str
        Name or address; `0.0.0.0` or `::` are all addresses of the machine.
    port : int
        0 for a free one.

    Raises
    ------
    ServerError
        The name is unknown, the port is in use, or the process may not use it.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ServerError(f"cannot listen on {host!r}: {error}", ("host",)) from None
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        if sys.platform == "linux":  # connections inherit it: a client that takes no data for this time is dropped
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
        bound.listen(_BACKLOG)  # now, as only this tells that another server listens
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} of {host} is in use; give another one, or end its program", ("port",)
            ) from None
        raise ServerError(f"cannot listen on port {port} of {host}: {error.strerror}", ("host", "port")) from None
    return bound


def page_address(host: str, port: int) -> str:
    """Return the address to open in a browser on this machine.

    Parameters
    ----------
    host : str
        What the server is bound to.
    port : int
        Its port.
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


class Server(uvicorn.Server):
    """A uvicorn server that lets its sessions end before it closes their connections.

    Parameters
    ----------
    app : FastAPI
        What `create_app` has returned.
    options : ServeOptions
    verbose : bool
        Whether each request is logged.
    started : callable
        Called when the server accepts connections.
    """

    def __init__(
        self, app: FastAPI, options: ServeOptions, verbose: bool = False, started: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                http="h11",  # it limits the size of the headers
                ws=Connection,
                ws_per_message_deflate=False,  # compresses no sound, and costs memory for each session
                ws_max_size=protocol.MAX_OPEN,
                log_config=None,
                access_log=verbose,
                server_header=False,
                forwarded_allow_ips=list(options.proxies),
            )
        )
        self._app, self._options, self._on_started = app, options, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: `/ready` is 503 from now on, and each session gets its token and ends; then close the rest."""
        state, until = self._app.state, time.monotonic() + self._options.drain
        state.services.draining.set()
        await asyncio.to_thread(state.services.voices.close)
        while state.open_sessions or state.renders.running:
            if self.force_exit or time.monotonic() > until:
                break
            await asyncio.sleep(_WATCH)
        state.renders.close()
        # uvicorn waits for running requests, for the rest of the time.
        self.config.timeout_graceful_shutdown = max(0.01, until - time.monotonic())  # type: ignore[assignment]
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn leaves this out then, and the application would end by an error
            await self.lifespan.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at a signal, and at once at the second one.

        Parameters
        ----------
        sig : int
            The signal.
        frame : frame or None
            Not used.
        """
        # Unlike in the base class, the signal is not raised again at the end: it is the regular way to stop.
        self.force_exit = self.should_exit
        self.should_exit = True


def run_server(options: ServeOptions, listening: socket.socket, verbose: bool, started: Callable[[], None]) -> None:
    """Load the voices and serve them until SIGINT or SIGTERM.

    Parameters
    ----------
    options : ServeOptions
    listening : socket
        What `bind` has returned; it is closed at the end.
    verbose : bool
        Whether each request is logged.
    started : callable
        Called when the server accepts connections.

    Raises
    ------
    VRNNEngineError
        A voice or the key cannot be used.
    """
    with contextlib.closing(listening), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(options, listening, verbose, started))


async def _serve(options: ServeOptions, listening: socket.socket, verbose: bool, started: Callable[[], None]) -> None:
    services = await asyncio.to_thread(load_services, options)
    try:
        await Server(create_app(options, services), options, verbose, started).serve([listening])
    finally:
        await asyncio.to_thread(services.voices.close)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a loop of uvloop, which is faster, if it is installed; it is not for Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
