"""Hosts, origins, tokens and headers: what a page of another site, or a stranger, gets from a running server."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.http_server import Served, serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web import security
from vrnn_engine.serve.web.replies import Refusal

TOKEN = "a-secret+with&signs"
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def served(toy_audio: Path) -> Iterator[Served]:
    options = ServeOptions(
        (str(toy_audio),),
        device="cpu",
        origins=("https://friend.example",),
        hosts=("voices.example.org",),
        requests_per_second=1e6,
        opens_per_second=1e6,
    )
    with serving(options) as running:
        yield running


@pytest.fixture(scope="module")
def secret(toy_audio: Path) -> Iterator[Served]:
    options = ServeOptions((str(toy_audio),), device="cpu", token=TOKEN, requests_per_second=1e6, opens_per_second=1e6)
    with serving(options) as running:
        yield running


def handshake(served: Served, query: str = "", **headers: str) -> int:
    """Return the status of the answer to a handshake: 101 if it was accepted."""
    try:
        with connect(
            f"ws://127.0.0.1:{served.port}/toy-audio{query}", additional_headers=headers, proxy=None
        ) as accepted:
            assert accepted.response is not None
            return accepted.response.status_code
    except InvalidStatus as refused:
        assert b"Traceback" not in (refused.response.body or b"")
        return refused.response.status_code


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:{port}", True),
        ("localhost:{port}", True),
        ("LOCALHOST", True),
        ("localhost.", True),
        ("[::1]:1", True),
        ("voices.example.org", True),
        ("Voices.Example.org:443", True),
        ("evil.example", False),
        ("evil.example:{port}", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.5", False),
        ("localhost@evil.example", False),
        ("user@localhost", False),
        ("localhost/path", False),
        ("", False),
    ],
)
def test_the_server_answers_only_under_its_own_names(served: Served, host: str, allowed: bool) -> None:
    for path in ("/health", "/api/voices", "/metrics", "/config.json"):
        answer = served.client.get(path, headers={"Host": host.format(port=served.port)})
        assert answer.status_code == (200 if allowed else 403)
        assert ("error" in answer.json()) is not allowed if path != "/metrics" else True


def test_two_host_headers_are_refused(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    connection.putrequest("GET", "/health", skip_host=True)
    for host in ("localhost", "evil.example"):
        connection.putheader("Host", host)
    connection.endheaders()
    assert connection.getresponse().status in (400, 403)
    connection.close()


@pytest.mark.parametrize(
    ("bound", "host", "allowed"),
    [
        ("0.0.0.0", "192.168.1.5:8080", True),
        ("::", "[fe80::1]:8080", True),
        ("0.0.0.0", "evil.example", False),
        ("192.168.1.5", "192.168.1.5", True),
        ("192.168.1.5", "192.168.1.6", False),
    ],
)
def test_a_server_bound_to_all_addresses_answers_under_each_address_but_no_name(
    bound: str, host: str, allowed: bool
) -> None:
    options = ServeOptions(host=bound)
    if allowed:
        assert security.check_host([host], options) == host
    else:
        with pytest.raises(Refusal):
            security.check_host([host], options)
    assert security.check_host([host], ServeOptions(host=bound, hosts=("*",))) == host


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_origin_is_refused(served: Served, method: str) -> None:
    path = "/api/voices/toy-audio/render"
    given = {"json": {"seconds": 0.1}} if method == "POST" else {}
    for origin, status in [
        (None, 200),
        (f"http://127.0.0.1:{served.port}", 200),
        ("https://friend.example", 200),
        (EVIL, 403),
        ("null", 403),
        (f"http://127.0.0.1:{served.port + 1}", 403),
        (f"http://localhost:{served.port}", 403),  # not the host of this request
        ("http://friend.example", 403),
        ("https://friend.example.evil.example", 403),
    ]:
        headers = {} if origin is None else {"Origin": origin}
        assert served.client.request(method, path, headers=headers, **given).status_code == status, origin


def test_a_page_of_another_origin_cannot_open_a_session(served: Served) -> None:
    assert handshake(served) == 101
    assert handshake(served, Origin=f"http://127.0.0.1:{served.port}") == 101
    assert handshake(served, Origin="https://friend.example") == 101
    assert handshake(served, Origin=EVIL) == 403
    assert handshake(served, Origin="null") == 403


def test_a_session_cannot_be_opened_under_another_name(served: Served) -> None:
    def status(host: str) -> int:
        with socket.create_connection(("127.0.0.1", served.port)) as raw:
            try:
                with connect(f"ws://{host}/toy-audio", sock=raw, proxy=None):
                    return 101
            except InvalidStatus as refused:
                return refused.response.status_code

    assert status("voices.example.org") == 101
    assert status("evil.example") == 403


def test_a_file_that_another_site_embeds_is_refused_but_a_link_is_followed(served: Served) -> None:
    path = "/api/voices/toy-audio/render?seconds=0.1"
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "audio"}
    framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert served.client.get(path, headers=embedded).status_code == 403
    assert served.client.get(path, headers={**embedded, "Sec-Fetch-Site": "same-site"}).status_code == 403
    assert served.client.get(path, headers=framed).status_code == 403
    assert served.client.get(path, headers=followed).status_code == 200
    assert served.client.get(path, headers={**embedded, "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_an_allowed_origin_may_read_the_answers_and_no_other(served: Served) -> None:
    friend = {"Origin": "https://friend.example"}
    asked = {**friend, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = served.client.options("/api/voices/toy-audio/render", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    read = served.client.get("/api/voices", headers=friend)
    assert read.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    assert "Access-Control-Allow-Credentials" not in read.headers
    assert "Access-Control-Allow-Origin" not in served.client.get("/api/voices", headers={"Origin": EVIL}).headers


def test_the_guard_checks_what_a_browser_asks_before_a_request(toy_audio: Path) -> None:
    options = ServeOptions(
        (str(toy_audio),),
        device="cpu",
        token=TOKEN,
        origins=("HTTPS://Friend.example:443/",),
        requests_per_second=1.0,
    )
    asked = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST"}
    with serving(options) as running:
        answer = running.client.options("/api/voices", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://friend.example"
        wrong = running.client.options("/api/voices", headers={**asked, "Host": "evil.example"})
        assert (wrong.status_code, list(wrong.json())) == (403, ["error"])
        statuses = [running.client.options("/api/voices", headers=asked).status_code for _ in range(10)]
        assert 429 in statuses


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_all_but_the_page_and_the_probes_needs_the_token(secret: Served) -> None:
    for path in ("/api/voices", "/api/voices/toy-audio", "/api/voices/x/render", "/metrics", "/openapi.json", "/other"):
        for headers in (
            {},
            bearer("wrong"),
            bearer(TOKEN[:-1]),
            {"Authorization": "Basic x"},
            {"Authorization": "Bearer"},
        ):
            answer = secret.client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "token" in answer.json()["error"]
        assert secret.client.get(path, headers=bearer(TOKEN)).status_code in (200, 404)
        assert secret.client.get(path, params={"token": TOKEN}).status_code == 401  # it would be in logs
    for path in ("/health", "/ready", "/config.json"):
        assert secret.client.get(path).status_code == 200
    assert secret.client.get("/config.json").json()["token"] is True


def test_a_session_needs_the_token_as_a_header_or_in_the_query(secret: Served) -> None:
    assert handshake(secret) == 403
    assert handshake(secret, "?token=wrong") == 403
    assert handshake(secret, "?token=a-secret%2Bwith%26signs") == 101
    assert handshake(secret, **bearer(TOKEN)) == 101


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = security.hmac.compare_digest
    monkeypatch.setattr(security.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    security.check_token(TOKEN, TOKEN, socket=False)
    with pytest.raises(Refusal):
        security.check_token("t", TOKEN, socket=False)
    assert len(compared) == 2
    assert len({len(one) for pair in compared for one in pair}) == 1


def test_each_answer_has_the_headers_that_protect_it(served: Served, secret: Served) -> None:
    answers = [
        served.client.get("/health"),
        served.client.get("/nothing"),
        served.client.get("/api/voices/x"),
        served.client.get("/api/voices/toy-audio/render?seconds=0.1"),
        served.client.get("/health", headers={"Host": "evil.example"}),
        secret.client.get("/metrics"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 200, 403, 401]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert "microphone=()" in answer.headers["Permissions-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "server" not in answer.headers


def test_the_policy_of_the_page_allows_its_own_files_and_nothing_inline(served: Served) -> None:
    policy = served.client.get("/config.json").headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["style-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe-inline" not in policy
    assert "http" not in policy.replace("https://friend.example", "")


def test_a_large_body_is_refused_whether_or_not_its_length_is_declared(served: Served) -> None:
    path = "/api/voices/toy-audio/render"
    large = json.dumps({"text": "x" * 70_000}).encode()
    headers = {"Content-Type": "application/json"}
    assert served.client.post(path, content=large, headers=headers).status_code == 413
    answer = served.client.post(path, content=iter([large[:50_000], large[50_000:]]), headers=headers)
    assert answer.status_code == 413
    assert "65536 bytes" in answer.json()["error"]
    assert served.client.get("/health").status_code == 200
