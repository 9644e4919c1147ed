"""Rate limits: what an address may do in a second, and that many addresses need no memory."""

from pathlib import Path

import pytest
from support.http_server import serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from vrnn_engine.serve.addresses import client_key
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.web.limits import ADDRESSES, RateLimiter


def test_a_client_may_use_two_seconds_of_its_rate_at_once_and_then_waits() -> None:
    now = [0.0]
    limiter = RateLimiter(5.0, lambda: now[0])
    assert [limiter.use("a") for _ in range(10)] == [0.0] * 10
    assert limiter.use("a") == pytest.approx(0.2)
    assert limiter.use("b") == 0
    now[0] = 0.3
    assert [limiter.use("a"), limiter.use("a")] == [0, pytest.approx(0.1)]
    now[0] = 1000.0
    assert [limiter.use("a") for _ in range(11)] == [0.0] * 10 + [pytest.approx(0.2)]


def test_a_limiter_remembers_a_bounded_number_of_addresses_and_forgets_the_oldest() -> None:
    limiter = RateLimiter(0.5, lambda: 0.0)
    assert limiter.use("first") == 0
    for number in range(ADDRESSES - 1):
        limiter.use(str(number))
    assert limiter.use("first") > 0
    for number in range(ADDRESSES, 2 * ADDRESSES - 1):
        limiter.use(str(number))
    assert len(limiter) == ADDRESSES
    assert limiter.use("first") > 0  # it was seen after the others
    limiter.use("another")
    for number in range(ADDRESSES):
        limiter.use(f"new {number}")
    assert limiter.use("first") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("", "", True),
    ],
)
def test_addresses_of_one_network_count_as_one_client(one: str, other: str, same: bool) -> None:
    assert (client_key(one) == client_key(other)) is same


def test_requests_beyond_the_rate_are_429_and_probes_are_not_counted(toy_audio: Path) -> None:
    with serving(ServeOptions((str(toy_audio),), device="cpu", requests_per_second=0.01)) as running:
        assert running.client.get("/api/voices").status_code == 200
        answer = running.client.get("/api/voices")
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert {running.client.get("/health").status_code for _ in range(20)} == {200}


def test_sessions_opened_beyond_the_rate_are_429(toy_audio: Path) -> None:
    options = ServeOptions((str(toy_audio),), device="cpu", opens_per_second=0.01)
    with serving(options) as running:
        address = f"ws://127.0.0.1:{running.port}/toy-audio"
        with connect(address, proxy=None):
            pass
        with pytest.raises(InvalidStatus) as refused, connect(address, proxy=None):
            pass
        assert refused.value.response.status_code == 429
        assert running.client.get("/api/voices").status_code == 200


def test_only_a_trusted_proxy_may_name_the_client(toy_audio: Path) -> None:
    def statuses(proxies: tuple[str, ...]) -> list[int]:
        options = ServeOptions((str(toy_audio),), device="cpu", requests_per_second=0.01, proxies=proxies)
        with serving(options) as running:
            clients = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(3)]
            return [running.client.get("/api/voices", headers=headers).status_code for headers in clients]

    assert statuses(()) == [200, 429, 429]
    assert statuses(("127.0.0.1",)) == [200, 200, 200]
