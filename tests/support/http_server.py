"""Runs a real server in a thread, for tests that send real requests."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from vrnn_engine.serve.app import create_app, load_services
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.server import Server, bind, page_address
from vrnn_engine.serve.services import Services


class Served(NamedTuple):
    """A running server."""

    server: Server
    services: Services
    client: httpx.Client
    port: int


@contextlib.contextmanager
def serving(options: ServeOptions) -> Iterator[Served]:
    """Serve until the block ends, at a free port of 127.0.0.1."""
    services = load_services(options)
    listening: socket.socket = bind(options.host, 0)
    port = listening.getsockname()[1]
    started = threading.Event()
    server = Server(create_app(options, services), options, started=started.set)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        assert started.wait(60)
        with httpx.Client(base_url=page_address(options.host, port), timeout=60, trust_env=False) as client:
            yield Served(server, services, client, port)
    finally:
        server.should_exit = True
        thread.join(60)
        services.voices.close()
        assert not thread.is_alive()
