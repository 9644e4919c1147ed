"""The HTTP side of a running server: what it tells of its voices, its page, its probes and its renderings."""

import http.client
import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import Run
from support.http_server import Served, serving

from vrnn_engine import RemoteError, client
from vrnn_engine.runtime.voice.manifest import decode_manifest
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web.page_files import page_files

FAST = {"device": "cpu", "requests_per_second": 1e6, "opens_per_second": 1e6}


@pytest.fixture(scope="module")
def served(toy_audio: Path, toy_pen: Path) -> Iterator[Served]:
    options = ServeOptions((str(toy_audio), str(toy_pen), "handwriting"), max_seconds=5, max_text=200, **FAST)
    with serving(options) as running:
        yield running


def test_the_served_voices_are_listed_in_the_given_order(served: Served) -> None:
    found = served.client.get("/api/voices").json()["voices"]
    assert [voice["name"] for voice in found] == ["toy-audio", "toy-pen", "handwriting"]
    assert [voice["formats"][0] for voice in found] == ["wav", "svg", "svg"]
    assert [voice["reads_text"] for voice in found] == [False, False, True]


def test_a_manifest_is_that_of_the_voice(served: Served, toy_audio: Path) -> None:
    answer = served.client.get("/api/voices/toy-audio")
    wanted = decode_manifest((toy_audio / "voice.json").read_bytes(), "voice.json")
    assert decode_manifest(answer.content, "answer") == wanted


def test_a_card_is_that_of_the_voice(served: Served) -> None:
    answer = served.client.get("/api/voices/toy-audio/card")
    assert answer.text == "# A toy\n"
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"


def test_an_unknown_voice_is_404_and_suggests_one(served: Served) -> None:
    for path in ("", "/card", "/render"):
        answer = served.client.get(f"/api/voices/toy-adio{path}")
        assert answer.status_code == 404
        assert "did you mean 'toy-audio'" in answer.json()["error"]


def test_a_wav_file_has_one_header_of_known_length(served: Served) -> None:
    wav = served.client.get("/api/voices/toy-audio/render", params={"seconds": 0.25, "seed": 1}).content
    assert wav.count(b"RIFF") == wav.count(b"WAVE") == wav.count(b"fmt ") == wav.count(b"data") == 1
    assert struct.unpack_from("<4sI", wav) == (b"RIFF", len(wav) - 8)
    assert struct.unpack_from("<4sI", wav, 36) == (b"data", 2 * 4000)
    assert len(wav) == 44 + 2 * 4000


@pytest.mark.parametrize(
    ("voice", "format", "query", "options"),
    [
        ("toy-audio", "wav", {"seconds": 0.31}, ["--seconds", "0.31"]),
        ("toy-audio", "flac", {"seconds": 0.2}, ["--seconds", "0.2"]),
        ("toy-audio", "jsonl", {"controls": "latent.shift=1,0,0,0"}, ["--set", "latent.shift=1,0,0,0"]),
        ("toy-pen", "svg", {"seconds": 3, "width": 90}, ["--seconds", "3", "--width", "90"]),
        ("toy-pen", "hpgl", {"seconds": 3}, ["--seconds", "3"]),
        ("toy-pen", "gcode", {"seconds": 3}, ["--seconds", "3"]),
        ("handwriting", "svg", {"text": "Two words", "seconds": 5}, ["--text", "Two words", "--seconds", "5"]),
    ],
)
def test_a_rendering_has_the_bits_of_the_command_line(
    served: Served,
    run: Run,
    work: Path,
    voice: str,
    format: str,
    query: dict,
    options: list[str],
    toy_audio: Path,
    toy_pen: Path,
) -> None:
    place = {"toy-audio": toy_audio, "toy-pen": toy_pen}.get(voice, voice)
    options = [*options, *([] if "seconds" in query else ["--seconds", "5"])]
    done = run("stream", "--voice", place, "--seed", 7, "--to", f"out.{format}", "--device", "cpu", *options)
    assert done.returncode == 0, done.stderr
    answer = served.client.get(f"/api/voices/{voice}/render", params={"format": format, "seed": 7, **query})
    assert answer.status_code == 200, answer.text
    assert answer.content == (work / f"out.{format}").read_bytes()


def test_a_post_renders_what_a_get_renders(served: Served) -> None:
    query = {"seconds": 0.2, "seed": 2**64 - 1, "controls": ["latent.temperature=0.5", "latent.shift/2=1.5"]}
    body = {"seconds": 0.2, "seed": 2**64 - 1, "controls": {"latent.temperature": 0.5, "latent.shift/2": 1.5}}
    got = served.client.get("/api/voices/toy-audio/render", params=query)
    posted = served.client.post("/api/voices/toy-audio/render", json=body)
    other = served.client.get("/api/voices/toy-audio/render", params={"seconds": 0.2, "seed": 2**64 - 1})
    assert got.status_code == posted.status_code == 200
    assert got.content == posted.content != other.content


def test_the_python_client_lists_and_renders(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}"
    assert [voice["name"] for voice in client.voices(url)] == ["toy-audio", "toy-pen", "handwriting"]
    controls = ["latent.temperature=0.5", "latent.shift=1"]
    query = {"seconds": 0.1, "seed": 3, "controls": controls}
    wanted = served.client.get("/api/voices/toy-audio/render", params=query)
    assert wanted.status_code == 200
    assert client.render(url, "toy-audio", "wav", seconds=0.1, seed=3, controls=controls) == wanted.content
    with pytest.raises(RemoteError, match="did you mean 'toy-audio'"):
        client.render(url, "toy-adio", "wav")


def test_a_random_seed_is_told_and_gives_the_same_file_again(served: Served) -> None:
    first = served.client.get("/api/voices/toy-audio/render", params={"seconds": 0.1})
    again = served.client.get("/api/voices/toy-audio/render", params={"seconds": 0.1, "seed": first.headers["X-Seed"]})
    other = served.client.get("/api/voices/toy-audio/render", params={"seconds": 0.1})
    assert first.content == again.content != other.content
    assert soundfile.read(io.BytesIO(first.content))[0].shape == (1600,)
    assert np.abs(soundfile.read(io.BytesIO(first.content))[0]).max() > 0


@pytest.mark.parametrize(
    ("voice", "query", "words"),
    [
        ("toy-audio", {"seconds": 5.1}, "seconds"),
        ("toy-audio", {"seconds": 0}, "seconds"),
        ("toy-audio", {"seconds": "nan"}, "seconds"),
        ("toy-audio", {"seed": 2**64}, "seed"),
        ("toy-audio", {"seed": -1}, "seed"),
        ("toy-audio", {"format": "svg"}, "wav, flac or jsonl"),
        ("toy-audio", {"text": "hello"}, "text"),
        ("toy-audio", {"width": 100}, "width"),
        ("toy-audio", {"controls": "latent.temperatur=1"}, "did you mean 'latent.temperature'"),
        ("toy-audio", {"controls": "latent.temperature=3"}, "latent.temperature"),
        ("toy-audio", {"controls": "latent.temperature=warm"}, "NAME=NUMBER"),
        ("toy-audio", {"controls": f"latent.shift/{'9' * 5000}=1"}, "unknown control 'latent.shift/9999"),
        ("toy-audio", {"seed": "9" * 5000}, "seed"),
        ("toy-audio", {"second": 1}, "second"),
        ("toy-audio", {"sec\nond": 1}, "sec ond"),
        ("toy-pen", {"format": "wav"}, "svg, hpgl, gcode or jsonl"),
        ("toy-pen", {"width": 3}, "voice.svg: a page 3 mm wide"),
        ("handwriting", {"text": "x" * 201}, "text"),
        ("handwriting", {"text": "日"}, "日"),
    ],
)
def test_a_value_that_is_not_possible_is_422_with_one_line(served: Served, voice: str, query: dict, words: str) -> None:
    answer = served.client.get(f"/api/voices/{voice}/render", params=query)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert words in error
    assert "\n" not in error
    assert "/tmp" not in error


def test_no_file_of_a_rendering_stays_behind(toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    with serving(ServeOptions((str(toy_audio),), **FAST)) as running:
        assert running.client.get("/api/voices/toy-audio/render?seconds=1").status_code == 200
        assert running.client.get("/api/voices/toy-audio/render?controls=a=1").status_code == 422
        with running.client.stream("GET", "/api/voices/toy-audio/render?seconds=300") as answer:
            answer.close()
    assert set(tmp_path.iterdir()) == before


def test_metrics_count_renderings_and_refusals(served: Served) -> None:
    served.client.get("/api/voices/toy-audio/render?seconds=0.1&format=flac")
    served.client.get("/health", headers={"Host": "evil.example"})
    answer = served.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(values['vrnn_engine_render_seconds_count{format="flac",voice="toy-audio"}']) >= 1
    assert float(values['vrnn_engine_refused_total{reason="host"}']) >= 1


def test_the_page_gets_each_of_its_files_with_an_entity_tag(served: Served) -> None:
    for name in page_files():
        if name == "config.json":
            continue
        answer = served.client.get(f"/{name}")
        assert answer.status_code == 200, name
        assert answer.content == page_files()[name].read_bytes()
        again = served.client.get(f"/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        changed = served.client.get(f"/{name}", headers={"If-None-Match": '"other"'})
        assert changed.content == answer.content


def test_the_page_is_told_which_voices_there_are(served: Served) -> None:
    config = served.client.get("/config.json").json()
    assert config == {"mode": "remote", "voices": ["toy-audio", "toy-pen", "handwriting"], "token": False}


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/static/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/player/../../app.py",
        "/player/..%5c..%5capp.py",
        "//etc/passwd",
        "/%2Fetc%2Fpasswd",
        "/etc/passwd",
        "/player/player.js%00.html",
        "/player",
        "/player/",
        "/app.py",
        "/.git/config",
        "/api/voices/..%2f..%2fetc/card",
        "/api/voices/%2e%2e/card",
        "/vendor/VERSION",
    ],
)
def test_nothing_outside_the_list_of_files_is_served(served: Served, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port)  # httpx would clean the path
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status in (400, 404)
    assert json.loads(answer.read())["error"] if answer.status == 404 else True
    connection.close()


def test_the_openapi_describes_every_route_and_the_limits(served: Served) -> None:
    found = served.client.get("/openapi.json").json()
    assert set(found["paths"]) == {
        "/api/voices",
        "/api/voices/{name}",
        "/api/voices/{name}/card",
        "/api/voices/{name}/render",
        "/config.json",
        "/health",
        "/metrics",
        "/ready",
    }
    body = found["components"]["schemas"]["RenderBody"]["properties"]
    assert body["seconds"]["anyOf"][0] == {"type": "number", "exclusiveMinimum": 0, "maximum": 5}
    assert "Manifest" in found["components"]["schemas"]
    for path in found["paths"].values():
        for operation in path.values():
            assert all(answer.get("description") for answer in operation["responses"].values())


def test_an_error_of_the_program_is_one_line_without_a_traceback(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ServeOptions((str(toy_audio),), **FAST)) as running:
        monkeypatch.setattr(running.services.metrics, "expose", lambda: 1 / 0)
        answer = running.client.get("/metrics")
        assert answer.status_code == 500
        assert answer.json() == {"error": "the server failed; its log says why"}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert running.client.get("/health").status_code == 200
