"""docs/serving.md tells of every message, limit, metric and address that the code has."""

import re
from pathlib import Path
from typing import get_args

import msgspec
from support.command import ROOT
from support.http_server import serving

from vrnn_engine.serve import protocol
from vrnn_engine.serve.metrics import Metrics
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.protocol import ClientMessage, Open, ServerMessage

PAGE = (ROOT / "docs" / "serving.md").read_text()


def test_every_message_and_field_of_the_protocol_is_specified() -> None:
    section = PAGE.partition("## Sessions: the protocol")[2]
    for kind in get_args(ClientMessage):
        assert f'"type": "{kind.__struct_config__.tag}"' in section
    for field in msgspec.structs.fields(Open):
        assert f"`{field.name}`" in section
    for kind in get_args(ServerMessage):
        (row,) = re.findall(rf"^\| `{kind.__struct_config__.tag}` \| (.*?) \|", section, re.M)
        fields = [field.name for field in msgspec.structs.fields(kind)]
        assert re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", row)) == fields


def test_every_limit_of_the_protocol_is_told() -> None:
    section = PAGE.partition("## Sessions: the protocol")[2]
    codes = re.findall(r"^\| (\d{4}) \|", section, re.M)
    named = (
        "DONE",
        "GOING_AWAY",
        "POLICY",
        "TOO_BIG",
        "FAILED",
        "TRY_LATER",
        "SLOW",
        "BAD_MESSAGES",
        "RUNAWAY",
        "IDLE",
    )
    assert sorted(codes) == sorted(str(vars(protocol)[name]) for name in named)
    for words in (
        f"{protocol.MAX_MESSAGE // 1024} KiB",
        f"{protocol.MAX_RATE} messages a second, {2 * protocol.MAX_RATE} at once",
        f"{protocol.MAX_RESTORES} restores a second, {2 * protocol.MAX_RESTORES} at once",
        f"{protocol.MAX_BAD} messages with an error",
        f"{protocol.MAX_WAITING} events",
        f"{protocol.MAX_TEXT:,} characters",
        f"{2 * protocol.MAX_TEXT:,} characters",
        f"{protocol.MAX_EVENTS:,} events",
        f"the first one {protocol.MAX_OPEN // 1024} KiB",
        f"at least {protocol.LEAST_TOKENS:g}",
        f"1 to {protocol.MAX_FRAMES};",
        f"{protocol.MESSAGE_SECONDS * 1000:g} ms of sound or {protocol.INK_MESSAGE_SECONDS * 1000:g} ms of ink",
        f"within {protocol.OPEN_SECONDS:g} seconds",
        f"{protocol.MAX_SKIPPED:g} seconds after the token",
    ):
        assert words in section, words


def test_every_metric_is_told() -> None:
    told = set(re.findall(r"^\| `(vrnn_engine_\w+)\{", PAGE, re.M))
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", Metrics().expose().decode(), re.M))
    assert told == set(kinds)


def test_every_address_and_parameter_of_the_openapi_is_told(toy_audio: Path) -> None:
    with serving(ServeOptions((str(toy_audio),), device="cpu")) as running:
        found = running.client.get("/openapi.json").json()
    rendering = PAGE.partition("### Rendering")[2].partition("\n## ")[0]
    for path in found["paths"]:
        assert f"{path.replace('{name}', 'NAME')}`" in PAGE
    assert set(found["components"]["schemas"]["RenderBody"]["properties"]) == set(
        re.findall(r"^\| `(\w+)` \|", rendering, re.M)
    )
