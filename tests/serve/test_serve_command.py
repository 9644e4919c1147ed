"""`vrnn-engine serve` as a process: what it prints, how it stops, and what it says if it cannot start."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.command import Run, environment
from support.http_server import serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from vrnn_engine.serve.codec import decode_server, encode
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.protocol import End, Open, Token


@contextlib.contextmanager
def started(*args: object, env: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command; yield the process and the address that it prints."""
    command = [sys.executable, "-m", "vrnn_engine", "serve", *map(str, args), "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(**env or {})) as process:
        assert process.stderr is not None
        lines = []
        try:
            for line in process.stderr:
                lines.append(line)
                if found := re.search(r"open (http://\S+)", line):
                    break
            else:
                pytest.fail("".join(lines))
            yield process, found[1]
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process; return what it has printed since it was started."""
    _, rest = process.communicate(timeout=60)
    return rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_each_session_with_its_token_and_the_process_with_0(toy_audio: Path, number: int) -> None:
    with started(toy_audio) as (process, address):
        assert httpx.get(f"{address}ready").json() == {"status": "ok"}
        with connect(f"ws{address[4:]}toy-audio", proxy=None) as session:
            session.send(encode(Open(seed=7, credit=4, tokens=0)))
            while isinstance(session.recv(), str):
                pass
            process.send_signal(number)
            last = [message for message in session if isinstance(message, str)][-2:]
        token, end = map(decode_server, last)
        assert isinstance(token, Token)
        assert token.reason == "end"
        assert isinstance(end, End)
        assert ended(process).splitlines()[-1] == "stopped"
        assert process.returncode == 0


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_second_signal_ends_the_server_without_a_traceback(toy_audio: Path, pause: float) -> None:
    with started(toy_audio) as (process, _):
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        said = ended(process)
        assert "Traceback" not in said
        assert said.splitlines()[-1] == "stopped"
        assert process.returncode == 0


@pytest.mark.parametrize("key", ["", "sixteen bytes or more"])
def test_a_server_without_a_key_says_that_sessions_end_with_it(toy_audio: Path, key: str) -> None:
    with started(toy_audio, env={"VRNN_ENGINE_KEY": key} if key else None) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        said = process.stderr.read()  # as `started` does, which may have read more than the first line
    line = "a restart ends the sessions of this server; with --key-file, or VRNN_ENGINE_KEY, they continue"
    assert (line in said.splitlines()) != bool(key)


def test_a_server_that_stops_is_not_ready_and_opens_no_session(toy_audio: Path) -> None:
    with serving(ServeOptions((str(toy_audio),), device="cpu")) as running:
        assert running.client.get("/ready").status_code == 200
        running.services.draining.set()
        answer = running.client.get("/ready")
        assert (answer.status_code, answer.json()["error"]) == (503, "the server stops, and accepts no session")
        assert running.client.get("/health").status_code == 200
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{running.port}/toy-audio", proxy=None):
            pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"]


def test_a_voice_that_has_failed_makes_the_server_not_ready(toy_audio: Path) -> None:
    with serving(ServeOptions((str(toy_audio),), device="cpu")) as running:
        running.services.voices.batch("toy-audio").failure = "the voice failed: no device"
        answer = running.client.get("/ready")
        assert (answer.status_code, answer.json()["error"]) == (
            503,
            "voice 'toy-audio': the voice failed: no device; start the server again",
        )


def test_requests_get_only_what_the_sessions_left_of_the_time_to_end(toy_audio: Path) -> None:
    with serving(ServeOptions((str(toy_audio),), device="cpu", drain=0.3)) as running:
        assert running.client.get("/health").status_code == 200
    assert running.server.config.timeout_graceful_shutdown < 0.3


def test_a_rendering_that_runs_does_not_keep_the_server_from_stopping(toy_audio: Path) -> None:
    with started(toy_audio, "--max-seconds", 1e6, "--renders", 1, "--drain", 0) as (process, address):
        host, port = re.findall(r"//(.+):(\d+)/", address)[0]
        with socket.create_connection((host, int(port))) as client:
            path = "/api/voices/toy-audio/render?seconds=900000"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            while httpx.get(f"{address}api/voices/toy-audio/render?seconds=0.1").status_code == 200:
                time.sleep(0.01)  # until the other one has begun
            process.send_signal(signal.SIGTERM)
            assert "Traceback" not in ended(process)
    assert process.returncode == 0


def test_a_port_in_use_is_one_line(toy_audio: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", toy_audio, "--port", port)
    assert done.returncode == 1
    assert done.stderr == f"error: port {port} of 127.0.0.1 is in use; give another one, or end its program (--port)\n"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["blizard"], 1, "did you mean 'blizzard'"),
        (["--token", ""], 1, "(--token)"),
        (["--token", "two words"], 1, "(--token)"),
        (["--port", "70000"], 2, "--port"),
        (["--host", "nowhere.invalid"], 1, "(--host)"),
        (["--key-file", "missing"], 1, "missing"),
        (["--rows", "0"], 2, "--rows"),
        (["--origin", "example.org"], 1, "(--origin)"),
        (["--idle", "nan"], 1, "(--idle)"),
    ],
)
def test_what_cannot_be_served_is_one_line(run: Run, options: list[str], code: int, words: str) -> None:
    done = run("serve", *options)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len([line for line in done.stderr.splitlines() if "error: " in line]) == 1


def test_a_server_for_all_addresses_without_a_token_warns(toy_audio: Path) -> None:
    command = [sys.executable, "-m", "vrnn_engine", "serve", str(toy_audio), "--host", "0.0.0.0", "--port", "0"]
    for variables, warns in [({}, True), ({"VRNN_ENGINE_TOKEN": "secret"}, False)]:
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(**variables)) as process:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if "open http" in line:
                    break
            process.kill()
        assert ("everyone who reaches 0.0.0.0" in said) is warns
        assert "secret" not in said  # stderr is no terminal here, but a log
        assert ("#token=TOKEN" in said) is not warns


def test_the_log_of_a_verbose_server_does_not_tell_the_token(toy_audio: Path) -> None:
    variables = {"VRNN_ENGINE_TOKEN": "secret-token"}
    with started(toy_audio, "--verbose", env=variables) as (process, address):
        url = f"ws{address.partition('#')[0][4:]}toy-audio?token=secret-token"
        with connect(url, proxy=None) as session:
            session.send(encode(Open()))
            session.recv()
        process.send_signal(signal.SIGTERM)
        log = ended(process)
    assert "/toy-audio?token=..." in log
    assert "secret-token" not in log


def test_without_the_extra_the_error_names_it(toy_audio: Path) -> None:
    code = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("fastapi", "uvicorn", "prometheus_client"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
sys.argv = ["vrnn-engine", "serve", {str(toy_audio)!r}]
from vrnn_engine.cli.main import run
run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'vrnn-engine[serve]'" in done.stderr


def test_other_commands_load_nothing_of_the_server() -> None:
    code = """
import sys
from vrnn_engine.cli.main import build_app
build_app()
print(*{"fastapi", "uvicorn", "starlette", "pydantic", "prometheus_client", "websockets"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert (done.stdout.strip(), done.stderr) == ("", "")
