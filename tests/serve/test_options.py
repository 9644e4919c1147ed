"""Options of the server are checked where they are made, for the command and for a cluster."""

import pytest

from vrnn_engine.errors import ServerError
from vrnn_engine.serve.options import ServeOptions


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rows", -5, "rows is -5; give a number from 1 to 4096"),
        ("idle", -1.0, "idle is -1.0"),
        ("share", float("nan"), "share is nan"),
        ("max_sessions", 0, "max_sessions is 0"),
        ("token", "", "ASCII characters without spaces"),
        ("token", "a b", "ASCII characters without spaces"),
        ("key", b"short", "has 5 bytes; give at least 16"),
        ("voices", (), "no voice is given"),
        ("origins", ("example.org",), "'example.org' is not an origin"),
        ("origins", ("https://example.org/page",), "is not an origin"),
        ("origins", ("https://example.org:port",), "is not an origin"),
        ("origins", ("*",), "is not an origin"),
    ],
)
def test_an_option_that_is_not_possible_is_one_line(name: str, value: object, message: str) -> None:
    with pytest.raises(ServerError) as refused:
        ServeOptions(**{name: value})
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_origins_are_kept_as_browsers_send_them() -> None:
    given = ("https://Example.org/", "HTTP://a.org:80", "https://b.org:8443", "http://[::1]:8080", "https://c.org:443")
    expected = ("https://example.org", "http://a.org", "https://b.org:8443", "http://[::1]:8080", "https://c.org")
    assert ServeOptions(origins=given).origins == expected


def test_secrets_are_not_shown() -> None:
    shown = repr(ServeOptions(token="secret-token", key=b"a secret key of bytes"))
    assert "secret" not in shown
