"""How the server answers what it refuses: one line of JSON, `{"error": "..."}`, and never a traceback."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route


class Problem(BaseModel):
    """The body of every answer that is an error."""

    error: Annotated[str, Field(description="One line: what is wrong, and what to do.")]


class Refusal(HTTPException):
    """A request or a session that the server refuses.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        Reason, as the metrics count it.
    message : str
        One line.
    headers : mapping of str to str
        Headers of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code


def refuse_until(seconds: float, status: int, code: str, message: str) -> Refusal:
    """Return a refusal that says when to try again.

    Parameters
    ----------
    seconds : float
        Time to wait; it is rounded up to whole seconds, at least 1.
    status, code, message
        As for `Refusal`.
    """
    return Refusal(status, code, message, {"Retry-After": str(max(1, math.ceil(seconds)))})


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for an error.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        What is wrong; line ends become spaces.
    headers : mapping of str to str
        Further headers.
    """
    body = json.dumps({"error": " ".join(message.split())}).encode()
    return Response(body, status, dict(headers or {}), "application/json")


def internal_error() -> Response:
    """Return the answer for an error of the program, whose traceback was logged."""
    return problem(500, "the server failed; its log says why")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token is missing or wrong."},
    403: {"model": Problem, "description": "The host or the origin of the request is not allowed."},
    413: {"model": Problem, "description": "The body of the request is too large."},
    429: {
        "model": Problem,
        "description": "Too many requests or renderings of this address; `Retry-After` says when to try again.",
    },
    500: {"model": Problem, "description": "An error of the program."},
}
"""Descriptions of the errors that every route can answer with."""
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such voice."}}
INVALID: dict[int | str, dict[str, Any]] = {422: {"model": Problem, "description": "A value is not valid."}}


def answer_errors(app: FastAPI) -> None:
    """Make an application answer every error with one line of JSON.

    Parameters
    ----------
    app : FastAPI
    """
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return internal_error()
    if isinstance(error, Refusal):
        request.app.state.services.metrics.refused(error.code)
    elif error.status_code == 404:
        return problem(404, "there is nothing at this address")
    elif error.status_code == 405:
        allowed = ", ".join(sorted(_methods(request)))
        return problem(405, f"this address takes {allowed}, not {request.method}", {"Allow": allowed})
    return problem(error.status_code, error.detail, error.headers)


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes at the address of a request."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return {method for route in matching if isinstance(route, Route) for method in route.methods or ()}


async def _on_invalid(request: Request, error: Exception) -> Response:
    """Name the first value that is not valid."""
    if not isinstance(error, RequestValidationError):
        return internal_error()
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("query", "body", "path"))
    return problem(422, f"{place}: {first['msg']}" if place else str(first["msg"]))
