"""Serves the page: a fixed list of files that is read when the server starts.

Each file has a route of its own, so that no path of a request ever reaches the disk.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.routing import Route

from vrnn_engine.serve.web.page_files import page_files
from vrnn_engine.serve.web.replies import PROBLEMS

INDEX, CONFIG = "/index.html", "/config.json"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
"""Media types by file ending; files with other endings are not served."""


@dataclass(frozen=True)
class PageFile:
    """A file of the page, in memory.

    Attributes
    ----------
    body : bytes
    media_type : str
    etag : str
        Strong entity tag.
    """

    body: bytes
    media_type: str
    etag: str


def read_page() -> dict[str, PageFile]:
    """Read the files of the page into memory.

    Returns
    -------
    dict of str to PageFile
        The files by the path of their address, such as `/ui/pad.js`; `/` is the index.
    """
    files = {}
    for name, path in page_files().items():
        if path.suffix in MEDIA_TYPES:
            body = path.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            files[f"/{name}"] = PageFile(body, MEDIA_TYPES[path.suffix], etag)
    files.pop(CONFIG, None)  # the server answers it itself
    if INDEX in files:
        files["/"] = files[INDEX]
    return files


class PageConfig(BaseModel):
    """The configuration that the page gets from the server."""

    mode: Annotated[Literal["remote"], Field(description="The voice is computed by the server.")] = "remote"
    voices: Annotated[list[str], Field(description="Names of the voices.")]
    token: Annotated[
        bool,
        Field(description="Whether clients must send a token; the page takes it from its address, `#token=TOKEN`."),
    ]


config_routes = APIRouter(tags=["page"], responses=PROBLEMS)
"""The route `/config.json`."""


@config_routes.get(CONFIG, summary="What the page is told about the server")
async def config(request: Request) -> PageConfig:
    """Return how the page plays, and which voices there are."""
    services = request.app.state.services
    return PageConfig(voices=list(services.voices.names), token=services.options.token is not None)


def file_routes(files: Mapping[str, PageFile]) -> list[Route]:
    """Return one route for each file of the page.

    Parameters
    ----------
    files : mapping of str to PageFile
        The files, as `read_page` returns them.
    """

    async def send(request: Request) -> Response:
        file = files[request.scope["path"]]
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if file.etag in known:
            return Response(status_code=304, headers=headers)
        return Response(file.body, media_type=file.media_type, headers=headers)

    return [Route(path, send, methods=["GET"], include_in_schema=False) for path in files]
