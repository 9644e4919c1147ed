"""A client asks a real server over HTTP, and sends the secret that the server wants."""

import http.server
import io
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from support.http_server import serving

from vrnn_engine import RemoteError, client
from vrnn_engine.client import server
from vrnn_engine.serve.options import ServeOptions

SECRET = "the-secret-of-a-test"


@pytest.fixture(scope="module")
def address(toy_audio, toy_pen) -> Iterator[str]:
    options = ServeOptions(
        voices=(str(toy_audio), str(toy_pen)), device="cpu", token=SECRET, key=b"a key for tests only"
    )
    with serving(options) as running:
        yield f"127.0.0.1:{running.port}"


def test_the_voices_are_listed(address):
    listed = client.voices(f"http://{address}", token=SECRET)
    assert [voice["name"] for voice in listed] == ["toy-audio", "toy-pen"]
    assert client.voices(f"ws://{address}/", token=SECRET) == listed


def test_a_rendering_is_a_file_of_the_local_stream(address, engine):
    wav = client.render(f"http://{address}", "toy-audio", "wav", seconds=0.5, seed=7, token=SECRET)
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    assert rate == 16000
    assert np.allclose(samples, engine.stream(7).read(40), atol=1 / 32768)
    assert client.render(f"http://{address}", "toy-pen", "svg", seconds=0.5, token=SECRET).startswith(b"<")


def test_a_session_needs_the_secret(address, engine):
    with client.connect(f"ws://{address}/toy-audio", seed=7, token=SECRET) as remote:
        assert np.array_equal(remote.read(10), engine.stream(7).read(10))
    with pytest.raises(RemoteError, match=r"toy-audio was refused: this server needs its token"):
        client.connect(f"ws://{address}/toy-audio", token="another")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda url: client.voices(url), "refused the request: this server needs its token"),
        (lambda url: client.render(url, "toy-adio", "wav", token=SECRET), "did you mean 'toy-audio'"),
        (lambda url: client.render(url, "toy-audio", "wav", seconds=1e6, token=SECRET), "refused the request: "),
        (lambda url: client.render(url, "toy-audio", "mp4", token=SECRET), "refused the request: "),
        (lambda url: client.voices("http://127.0.0.1:1"), "cannot be reached: Connection refused"),
        (lambda url: client.voices("127.0.0.1:1"), "is no address of a server"),
    ],
)
def test_what_the_server_refuses_is_one_line(address, ask, words):
    with pytest.raises(RemoteError, match=words) as caught:
        ask(f"http://{address}")
    assert "\n" not in str(caught.value)


@contextmanager
def answering(status: int, headers: list[tuple[str, str]], body: bytes, secrets: list[str | None]) -> Iterator[int]:
    """Give one answer to all requests, and keep the secrets that they bring; yield the port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            secrets.append(self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        protocol_version = "HTTP/1.1"  # that of a WebSocket's handshake

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "ask",
    [lambda server: client.voices(server), lambda server: client.connect(f"{server}/a", token=SECRET, timeout=2)],
    ids=["over HTTP", "over a WebSocket"],
)
@pytest.mark.parametrize(("scheme", "times"), [("http", 1), ("ws", 1), ("ws", 2)])
def test_a_redirect_is_not_followed(ask, scheme, times):
    here, there = [], []
    with answering(200, [], b'{"voices": [{"name": "a"}]}', there) as other:
        place = f"{scheme}://localhost:{other}/b"
        with answering(302, [("Location", place)] * times, b"", here) as port, pytest.raises(RemoteError) as caught:
            ask(f"http://127.0.0.1:{port}")
    assert len(here) == 1
    assert not there
    assert f"sends its clients on to {scheme}://localhost:{other}/b; if you trust it" in str(caught.value)


def test_an_answer_with_a_header_twice_and_a_place_is_tried_again():
    headers = [("Retry-After", "0.1"), ("Retry-After", "0.2"), ("Location", "http://localhost:1")]
    with answering(503, headers, b"", asked := []) as port, pytest.raises(RemoteError) as caught:
        client.connect(f"ws://127.0.0.1:{port}/a", timeout=1)
    assert len(asked) > 1
    assert "sends its clients on" not in str(caught.value)


@pytest.mark.parametrize("body", [b"[]", b'["a"]', b'{"voices": ["a"]}', b"\xff", b""])
def test_an_answer_that_is_no_list_of_voices_is_one_line(body):
    with (
        answering(200, [], body, []) as port,
        pytest.raises(RemoteError, match=r"answers with something else than a list of voices; is it vrnn-engine\?"),
    ):
        client.voices(f"http://127.0.0.1:{port}")


def test_a_list_of_voices_without_end_is_one_line(monkeypatch):
    monkeypatch.setattr(server, "MAX_LIST", 100)
    body = b'{"voices": [' + b" " * 100 + b"]}"
    with answering(200, [], body, []) as port, pytest.raises(RemoteError, match="sent more than 100 bytes"):
        client.voices(f"http://127.0.0.1:{port}")


class Garbage(socketserver.BaseRequestHandler):
    """Answers with something else than HTTP."""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"garbage\r\n\r\n")


def test_an_answer_that_is_not_http_is_one_line():
    with socketserver.TCPServer(("127.0.0.1", 0), Garbage) as garbage:
        thread = threading.Thread(target=garbage.handle_request)
        thread.start()
        with pytest.raises(RemoteError, match="cannot be reached: garbage"):
            client.voices(f"http://127.0.0.1:{garbage.server_address[1]}")
        thread.join()
