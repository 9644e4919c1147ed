"""The route that renders a voice to a file, by GET and by POST."""

import asyncio
import functools
import logging
import re
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.serve.addresses import limited_client
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web.render import (
    FORMATS,
    MEDIA_TYPES,
    SECONDS,
    FileFormat,
    Render,
    Rendered,
    RenderStopped,
    parse_controls,
    render,
)
from vrnn_engine.serve.web.replies import INVALID, NOT_FOUND, PROBLEMS, Problem, Refusal
from vrnn_engine.serve.web.voices import ServedEngine

SEND_SECONDS, LEAST_RATE = 30.0, 64 * 1024
"""Time that a client may take to receive a file: some seconds, and one more for each of these bytes."""
MOST_CONTROLS = 200
"""Largest number of controls that a query may set."""

_log = logging.getLogger("vrnn_engine")
_SEED_HEADER = {"X-Seed": {"description": "Seed of the stream.", "schema": {"type": "string"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "headers": _SEED_HEADER,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()},
    },
    503: {
        "model": Problem,
        "description": "Too many renderings run, or wait to be received; `Retry-After` says when to try again.",
    },
    **PROBLEMS,
    **NOT_FOUND,
    **INVALID,
}

_NOT_JSON: dict[int | str, dict[str, Any]] = {400: {"model": Problem, "description": "The body is not JSON in UTF-8."}}


class RenderedFile(FileResponse):
    """A rendered file, which is removed once it is sent or the client has gone.

    Parameters
    ----------
    rendered : Rendered
    name : str
        Name of the voice.
    done : callable
        Called at the end with the size of the file.
    """

    def __init__(self, rendered: Rendered, name: str, done: Callable[[int], None]) -> None:
        kind: FileFormat = rendered.path.suffix[1:]  # type: ignore[assignment]  # a format of `render`
        file = f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}-{rendered.seed}.{kind}"
        headers = {"X-Seed": str(rendered.seed), "Accept-Ranges": "none"}
        super().__init__(
            rendered.path, 200, headers, MEDIA_TYPES[kind], filename=file, content_disposition_type="inline"
        )
        self._rendered, self._done = rendered, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole file; a part of it could not be asked for again, as each request renders anew.

        A client that is too slow gets a part, and the connection is closed: it would hold its place for ever.
        """
        size = self._rendered.path.stat().st_size
        headers = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        try:
            async with asyncio.timeout(SEND_SECONDS + size / LEAST_RATE):
                await super().__call__({**scope, "headers": headers}, receive, send)
        except TimeoutError:
            _log.warning("a client takes a rendering too slowly; it gets only a part")
        finally:
            self._rendered.folder.cleanup()
            self._done(size)


def render_routes(options: ServeOptions) -> APIRouter:
    """Return the routes that render, with the limits of the server in their description.

    Parameters
    ----------
    options : ServeOptions
    """
    router = APIRouter(prefix="/api/voices", tags=["render"])

    class Common(BaseModel):
        model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

        format: FileFormat | None = Field(None, description="By default wav for sound, and svg for ink.")
        seconds: float | None = Field(
            None,
            gt=0,
            le=options.max_seconds,
            description=f"Length; by default {SECONDS:g}, or as long as the text takes.",
        )
        seed: int | None = Field(None, ge=0, lt=2**64, description="By default random; `X-Seed` tells it.")
        text: str | None = Field(
            None, min_length=1, max_length=options.max_text, description="Text to write, for a voice that reads one."
        )
        nearest: bool = Field(False, description="Write the nearest character in place of one that the voice lacks.")
        width: float | None = Field(None, gt=0, le=10_000, description="Width of the page in mm, for ink.")

    class RenderQuery(Common):
        controls: list[str] = Field(
            [], max_length=MOST_CONTROLS, description="NAME=NUMBER, or NAME=NUMBER,NUMBER,... for a vector."
        )

    class RenderBody(Common):
        """A request to render."""

        model_config = ConfigDict(strict=True)

        controls: dict[str, float | list[float]] = Field({}, description="Values of controls, by name.")

    @router.get("/{name}/render", summary="Render a voice to a file", response_class=Response, responses=_ANSWERS)
    async def render_get(request: Request, engine: ServedEngine, wanted: Annotated[RenderQuery, Query()]) -> Response:
        """Render by a query, which fits into a link."""
        return await _answer(request, engine, {**dict(wanted), "controls": _valid(parse_controls, wanted.controls)})

    @router.post(
        "/{name}/render",
        summary="Render a voice to a file",
        response_class=Response,
        responses={**_NOT_JSON, **_ANSWERS},
    )
    async def render_post(request: Request, engine: ServedEngine, wanted: RenderBody) -> Response:
        """Render by a body of JSON, which has room for a long text."""
        return await _answer(request, engine, dict(wanted))

    return router


async def _answer(request: Request, engine: Engine, values: dict[str, Any]) -> Response:
    """Render in a thread, and answer with the file."""
    services, pool = request.app.state.services, request.app.state.renders
    default = services.options.max_seconds if values["text"] is not None else min(SECONDS, services.options.max_seconds)
    values["seconds"] = values["seconds"] or default
    values["format"] = values["format"] or FORMATS[engine.voice.manifest.modality][0]
    wanted, started = Render(**values), time.perf_counter()
    client = limited_client(request.client.host if request.client else None, services.options.proxies)
    try:
        rendered = await pool.run(functools.partial(render, engine, wanted), request.is_disconnected, client)
    except VRNNEngineError as error:
        raise Refusal(422, "invalid", str(error)) from None
    except RenderStopped:
        raise Refusal(503, "stopped", "the rendering was stopped", {"Retry-After": "5"}) from None
    services.metrics.rendered(engine.voice.name, wanted.format, time.perf_counter() - started)
    pool.keep(rendered.path.stat().st_size, client)
    return RenderedFile(rendered, engine.voice.name, functools.partial(pool.release, client=client))


def _valid(parse: Callable[[list[str]], Any], given: list[str]) -> Any:
    """Return what `parse` returns; refuse what it cannot parse."""
    try:
        return parse(given)
    except VRNNEngineError as error:
        raise Refusal(422, "invalid", str(error)) from None
