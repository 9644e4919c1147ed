"""The address of a served voice is read, or refused in one line."""

import pytest

from vrnn_engine import RemoteError
from vrnn_engine.client.address import parse_server, parse_voice


@pytest.mark.parametrize(
    ("url", "session"),
    [
        ("ws://host:8080/blizzard", "ws://host:8080/blizzard"),
        ("wss://host/under/a/path/blizzard", "wss://host/under/a/path/blizzard"),
        ("http://host:8080/blizzard/", "ws://host:8080/blizzard"),
        ("HTTPS://[::1]:9/my%20voice", "wss://[::1]:9/my%20voice"),
    ],
)
def test_a_session_is_opened_at_the_address_of_a_voice(url, session):
    assert parse_voice(url).session == session


def test_the_name_of_the_voice_and_the_addresses_over_http_are_found():
    address = parse_voice("wss://host/under/my%20voice")
    assert address.voice == "my voice"
    assert address.http("api/voices") == "https://host/under/api/voices"
    assert parse_server("ws://host:8080/").http("health") == "http://host:8080/health"


@pytest.mark.parametrize(
    "url", ["", "blizzard", "ftp://host/blizzard", "ws://", "ws:///blizzard", "ws://host:port/a", None, 7]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(RemoteError, match="is no address of a server; write ws://HOST:PORT/VOICE"):
        parse_voice(url)


@pytest.mark.parametrize("url", ["ws://host:8080", "ws://host:8080/"])
def test_an_address_without_a_voice_is_refused(url):
    with pytest.raises(RemoteError, match="names no voice"):
        parse_voice(url)


@pytest.mark.parametrize("url", ["ws://host/a?token=b", "ws://me:secret@host/a", "ws://host/a#b"])
def test_secrets_in_the_address_are_refused(url):
    with pytest.raises(RemoteError, match="give a token as an option, not in the address"):
        parse_voice(url)
