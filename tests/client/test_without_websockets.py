"""Without the extra `client`, a remote stream says which one to install; asking over HTTP needs none."""

import sys

import pytest

from vrnn_engine import MissingExtraError, RemoteError, client


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets", None)
    with pytest.raises(MissingExtraError, match=r"needs websockets, .*pip install 'vrnn-engine\[client\]'"):
        client.connect("ws://127.0.0.1:1/blizzard")
    with pytest.raises(RemoteError, match="cannot be reached"):
        client.voices("http://127.0.0.1:1")
