"""Builds the web application: the routes, the session's WebSocket, and the guard in front of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Security, WebSocket
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

import vrnn_engine
from vrnn_engine.serve.metrics import Metrics
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.services import Services
from vrnn_engine.serve.sessions.socket import session_socket
from vrnn_engine.serve.tokens import TokenKeys
from vrnn_engine.serve.voices import ServedVoices
from vrnn_engine.serve.web.guard import Guard
from vrnn_engine.serve.web.openapi import DESCRIPTION, DescribedApp
from vrnn_engine.serve.web.pages import CONFIG, config_routes, file_routes, read_page
from vrnn_engine.serve.web.probes import probes
from vrnn_engine.serve.web.render_pool import RenderPool
from vrnn_engine.serve.web.render_routes import render_routes
from vrnn_engine.serve.web.replies import answer_errors
from vrnn_engine.serve.web.voices import voices


def load_services(options: ServeOptions, metrics: Metrics | None = None) -> Services:
    """Load the voices, which takes a while, and make what the parts of a server share.

    Parameters
    ----------
    options : ServeOptions
    metrics : Metrics, optional
        By default new ones.

    Raises
    ------
    VRNNEngineError
        A voice or the key cannot be used.
    """
    keys, metrics = TokenKeys(options.key), metrics or Metrics()
    return Services(options, ServedVoices(options, metrics), metrics, keys)


def create_app(options: ServeOptions, services: Services | None = None) -> FastAPI:
    """Build the web application of a server.

    Parameters
    ----------
    options : ServeOptions
    services : Services, optional
        What the parts of the server share.  By default the application loads the voices when it starts, and closes
        them when it ends; given services stay open.

    Returns
    -------
    FastAPI
        An ASGI application.  Once it has started, `app.state` has its `services`, its `renders` (a `RenderPool`), and
        `open_sessions`, the number of open WebSockets.

    Examples
    --------
    >>> app = create_app(ServeOptions(voices=("blizzard",)))
    """
    metrics = Metrics() if services is None else services.metrics

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.renders, app.state.open_sessions = RenderPool(options.renders, options.client_renders), 0
        app.state.services = await asyncio.to_thread(load_services, options, metrics) if services is None else services
        try:
            yield
        finally:
            app.state.services.draining.set()
            app.state.renders.close()
            if services is None:
                await asyncio.to_thread(app.state.services.voices.close)

    app = DescribedApp(
        title="vrnn-engine",
        version=vrnn_engine.__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # it would load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    files = read_page()
    if options.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=options.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Seed", "Retry-After"],
        )
    # The last one is the outermost: the guard checks each request, also those that CORS answers.
    app.add_middleware(Guard, options=options, metrics=metrics, open_paths=frozenset({*files, CONFIG}))
    answer_errors(app)
    secured = [Security(HTTPBearer(auto_error=False, description="The token of the server."))] if options.token else []
    app.include_router(probes)
    app.include_router(voices, dependencies=secured)
    app.include_router(render_routes(options), dependencies=secured)
    app.add_api_websocket_route("/{voice}", _open_session)
    app.include_router(config_routes)
    app.router.routes.extend(file_routes(files))
    return app


async def _open_session(websocket: WebSocket, voice: str) -> None:
    state = websocket.app.state
    state.open_sessions += 1
    try:
        await session_socket(websocket, voice, state.services)
    finally:
        state.open_sessions -= 1
