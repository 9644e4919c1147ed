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
    responses={503: {"model": Problem, "description": "The server stops, and accepts no session."}},
)
async def ready(request: Request) -> Health:
    """Answer 200 if the voices are loaded and the server does not stop."""
    if request.app.state.services.draining.is_set():
        raise Refusal(503, "draining", "the server stops, and accepts no session", {"Retry-After": "5"})
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
