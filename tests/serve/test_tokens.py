"""A token is opened only by a server with the same key, and a damaged one is one clear error."""

import base64
import zlib

import numpy as np
import pytest

from vrnn_engine import TokenError
from vrnn_engine.serve.protocol import MAX_TOKEN
from vrnn_engine.serve.tokens import MAX_PAYLOAD, TokenKeys, read_key

KEY = bytes(range(32))


@pytest.fixture
def keys():
    return TokenKeys(KEY)


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("payload", [b"", b"state", bytes(range(256)) * 40])
def test_another_server_with_the_same_key_opens_a_token(keys, payload):
    assert TokenKeys(bytes(KEY)).open(keys.seal(payload)) == payload


def test_every_changed_byte_is_found(keys):
    sealed = base64.urlsafe_b64decode(keys.seal(b"the state of a session") + "==")
    for place in range(1, len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(TokenError, match="damaged"):
            keys.open(packed(bytes(changed)))


def test_a_token_of_a_server_with_another_key_is_refused(keys):
    with pytest.raises(TokenError, match=r"another key; give all servers the same --key-file"):
        TokenKeys(b"another key, as long").open(keys.seal(b"state"))


def test_servers_without_a_key_have_different_ones():
    first, second = TokenKeys(), TokenKeys()
    with pytest.raises(TokenError):
        second.open(first.seal(b"state"))


def test_a_newer_token_is_named_as_such(keys):
    sealed = bytearray(base64.urlsafe_b64decode(keys.seal(b"state") + "=="))
    sealed[0] = 2
    with pytest.raises(TokenError, match=r"version 2, newer than this vrnn-engine understands \(1\); upgrade"):
        keys.open(packed(bytes(sealed)))


@pytest.mark.parametrize("token", ["", "A", "AA", "no token", "bäh", "\n" * 50, packed(b"\x01" * 33), "====", "A" * 61])
def test_what_is_no_token_is_refused_in_one_line(keys, token):
    with pytest.raises(TokenError) as caught:
        keys.open(token)
    assert "\n" not in str(caught.value)


def test_a_token_that_is_too_long_is_not_decoded(keys, monkeypatch):
    monkeypatch.setattr(base64, "b64decode", None)
    with pytest.raises(TokenError, match=f"has {MAX_TOKEN + 1} characters, more than {MAX_TOKEN}"):
        keys.open("A" * (MAX_TOKEN + 1))


def test_a_payload_that_inflates_beyond_its_limit_is_refused(keys, monkeypatch):
    monkeypatch.setattr("vrnn_engine.serve.tokens.MAX_PAYLOAD", 8 * MAX_PAYLOAD)
    token = keys.seal(bytes(2 * MAX_PAYLOAD))
    monkeypatch.undo()
    with pytest.raises(TokenError, match="damaged"):
        keys.open(token)


def test_a_payload_that_does_not_fit_is_refused_when_it_is_sealed(keys):
    with pytest.raises(TokenError, match="shorten the text or the timeline"):
        keys.seal(np.random.default_rng(1).bytes(100_000))
    with pytest.raises(TokenError, match="shorten the text or the timeline"):
        keys.seal(bytes(MAX_PAYLOAD + 1))


def test_a_payload_that_is_too_large_is_not_compressed(keys, monkeypatch):
    monkeypatch.setattr(zlib, "compress", None)
    with pytest.raises(TokenError, match=f"{MAX_PAYLOAD + 1} bytes, more than {MAX_PAYLOAD}"):
        keys.seal(bytes(MAX_PAYLOAD + 1))


def test_a_short_key_is_refused():
    with pytest.raises(TokenError, match="15 bytes; give at least 16"):
        TokenKeys(bytes(15))


def test_the_key_is_read_from_a_file_or_the_environment(tmp_path):
    (tmp_path / "key").write_bytes(KEY[:16] + b"end of the key\n")
    assert read_key(tmp_path / "key", {"VRNN_ENGINE_KEY": "another"}) == KEY[:16] + b"end of the key"
    assert read_key(None, {"VRNN_ENGINE_KEY": "from the environment\n"}) == b"from the environment"
    assert read_key(None, {}) is None
    binary = b" \t\x0b a key of bytes \n\n"
    (tmp_path / "key").write_bytes(binary + b"\r\n")
    assert read_key(tmp_path / "key", {}) == binary
    with pytest.raises(TokenError, match="absent"):
        read_key(tmp_path / "absent", {})
