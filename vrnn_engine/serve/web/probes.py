"""Answers about the server itself: whether it is alive, whether it accepts sessions, and its metrics."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from vrnn_engine.serve.web.replies import PROBLEMS, Problem, Refusal

probes = APIRouter(tags=["server"], responses=PROBLEMS)
"""The routes `/health`, `/ready` and `/metrics`."""


class Health(BaseModel):
    """The server runs."""

    status: str = "ok"


@probes.get("/health", summary="Whether the server runs")
async def health() -> Health:
    """Answer 200 as long as the server runs, also while it stops."""
    return Health()


@probes.get(
    "/ready",
    summary="Whether the server accepts sessions",
    responses={503: {"model": Problem, "description": "The server stops, or a voice has failed."}},
)
async def ready(request: Request) -> Health:
    """Answer 200 if the voices are loaded, none has failed, and the server does not stop."""
    services = request.app.state.services
    if services.draining.is_set():
        raise Refusal(503, "draining", "the server stops, and accepts no session", {"Retry-After": "5"})
    voices = services.voices
    for name in voices.names:
        if failure := voices.batch(name).failure:
            raise Refusal(503, "failed", f"voice {name!r}: {failure}; start the server again")
    return Health()


@probes.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Return all metrics in the text format of Prometheus."""
    found = request.app.state.services.metrics
    return Response(found.expose(), media_type=found.content_type)
