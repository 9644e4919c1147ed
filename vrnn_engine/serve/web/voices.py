"""Routes that describe the served voices: their list, manifests and cards."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.voice.manifest import encode_manifest
from vrnn_engine.serve.web.openapi import MANIFEST_SCHEMA
from vrnn_engine.serve.web.render import FORMATS
from vrnn_engine.serve.web.replies import NOT_FOUND, PROBLEMS, Refusal

voices = APIRouter(prefix="/api/voices", tags=["voices"], responses=PROBLEMS)
"""The routes below `/api/voices` that describe voices."""


class VoiceSummary(BaseModel):
    """A served voice."""

    name: str
    modality: Annotated[Literal["audio", "pen"], Field(description="What it generates: sound or ink.")]
    rate: Annotated[int, Field(description="Samples or points per second.")]
    frames_per_second: Annotated[float, Field(description="Frames per second.")]
    reads_text: Annotated[bool, Field(description="Whether it writes a text that it is given.")]
    precision: Annotated[str, Field(description="Precision of the weights in use.")]
    formats: Annotated[list[str], Field(description="Formats in which it can be rendered; the first is the default.")]


class VoiceList(BaseModel):
    """The served voices, in the order in which the server was given them."""

    voices: list[VoiceSummary]


def find_engine(request: Request, name: Annotated[str, Path(description="Name of a served voice.")]) -> Engine:
    """Return the engine of the voice that a path names.

    Parameters
    ----------
    request : Request
    name : str
        Name of the voice.

    Raises
    ------
    Refusal
        The voice is not served.
    """
    try:
        engine: Engine = request.app.state.services.voices.engine(name)
    except VoiceError as error:
        raise Refusal(404, "voice", str(error)) from None
    return engine


ServedEngine = Annotated[Engine, Depends(find_engine)]
"""Parameter of a route below `/api/voices/{name}`."""


@voices.get("", summary="The served voices")
def list_voices(request: Request) -> VoiceList:
    """List the served voices."""
    served = request.app.state.services.voices
    return VoiceList(voices=[_summary(name, served.engine(name)) for name in served.names])


@voices.get(
    "/{name}",
    summary="The manifest of a voice",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": MANIFEST_SCHEMA}}}, **NOT_FOUND},
)
def manifest(engine: ServedEngine) -> Response:
    """Return `voice.json`: rate, controls with their ranges, provenance and so on."""
    return Response(encode_manifest(engine.voice.manifest), media_type="application/json")


@voices.get(
    "/{name}/card",
    summary="The card of a voice",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}, **NOT_FOUND},
)
def card(engine: ServedEngine) -> Response:
    """Return `CARD.md`: what one should know about the voice before one uses it."""
    if (found := engine.voice.card()) is None:
        raise Refusal(404, "card", f"voice {engine.voice.name!r} has no card")
    return Response(found, media_type="text/markdown; charset=utf-8")


def _summary(name: str, engine: Engine) -> VoiceSummary:
    found = engine.voice.manifest
    return VoiceSummary(
        name=name,
        modality=found.modality,
        rate=found.rate,
        frames_per_second=found.frames_per_second,
        reads_text=found.text is not None,
        precision=engine.precision,
        formats=list(FORMATS[found.modality]),
    )
