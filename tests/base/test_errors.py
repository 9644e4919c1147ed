"""Errors: the middle of a message that quotes much is left out."""

import pytest

from vrnn_engine import errors
from vrnn_engine.errors import StreamError, VRNNEngineError


@pytest.mark.parametrize("kind", [VRNNEngineError, StreamError])
def test_a_long_message_keeps_its_beginning_and_its_end(kind: type[VRNNEngineError]) -> None:
    message = str(kind(f"file.json: its unit is '{'a' * 5000}'; convert it"))
    assert message.startswith("file.json: its unit is 'aaaa")
    assert message.endswith("aaaa'; convert it")
    assert len(message) == errors.LONGEST + len(" ... ")


def test_other_messages_stay_as_they_are() -> None:
    assert str(StreamError("a" * errors.LONGEST, ("name",))) == "a" * errors.LONGEST
    assert StreamError("x", ("name",)).parameters == ("name",)
