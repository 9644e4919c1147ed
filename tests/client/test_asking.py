"""A client asks a real server over HTTP, and sends the secret that the server wants."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from support.http_server import serving

from vrnn_engine import RemoteError, client
from vrnn_engine.serve.options import ServeOptions

SECRET = "the secret of a test"


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
