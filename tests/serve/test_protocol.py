"""The messages of a session: what is read, what is refused, and that they survive a round trip."""

import subprocess
import sys

import pytest
from support.command import ROOT

from vrnn_engine.serve import codec
from vrnn_engine.serve.codec import decode_client, decode_server, encode
from vrnn_engine.serve.protocol import Applied, Credit, Open, Opened, SendEvent

DEEP = 20_000
"""Levels of nesting that no supported version of Python decodes: 3.11 decodes about 1,000, 3.13 about 10,000."""


def test_messages_survive_a_round_trip() -> None:
    given = Open(seed=7, controls={"latent.shift": (0.5, 1.0), "output.temperature": 0.9}, frames=2, credit=40)
    assert decode_client(encode(given)) == given
    event = SendEvent(event={"do": "set", "control": "latent.temperature", "value": 0.5})
    assert decode_client(encode(event)) == event
    applied = Applied(frame=8, event={"do": "reset", "frame": 8})
    assert decode_server(encode(applied)) == applied


def test_every_field_but_the_type_is_optional_when_a_session_opens() -> None:
    found = decode_client('{"type":"open"}')
    assert found == Open()
    assert found.tokens == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open",
        "[]",
        "{}",
        '{"type":"opened"}',
        '{"type":"open","sed":7}',
        '{"type":"open","seed":-1}',
        '{"type":"open","seed":"7a"}',
        '{"type":"open","frames":0}',
        '{"type":"open","frames":51}',
        '{"type":"open","format":"mp3"}',
        '{"type":"open","reports":["voices"]}',
        '{"type":"credit"}',
        '{"type":"credit","frames":0}',
        '{"type":"credit","frames":1e99}',
        '{"type":"event","event":[1]}',
        '{"type":"event","event":' + '{"a":' * DEEP + "1" + "}" * (DEEP + 1),
        b'{"type":"\xff"}',
    ],
)
def test_what_is_not_a_message_of_a_client_is_refused_in_one_line(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        decode_client(text)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) <= 200


def test_a_seed_of_64_bits_passes_through_languages_with_53() -> None:
    seed = 2**64 - 1
    assert codec.seed_field(seed) == "18446744073709551615"
    assert codec.seed_number(codec.seed_field(seed)) == seed
    assert codec.seed_field(7) == 7
    assert codec.seed_number(None) is None
    assert decode_client(encode(Open(seed=str(seed)))).seed == str(seed)


def test_frames_survive_a_round_trip() -> None:
    message = codec.pack_frames(2**40, b"\x01\x02")
    assert message == b"\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02"
    assert codec.unpack_frames(message) == (2**40, b"\x01\x02")
    with pytest.raises(ValueError, match="at least 8 bytes, not 3"):
        codec.unpack_frames(b"abc")


def test_the_protocol_needs_neither_numpy_nor_the_engine() -> None:
    """A client may be a small program."""
    code = "import sys, vrnn_engine.serve.codec; print({'numpy', 'onnxruntime', 'fastapi'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"


def test_an_answer_names_the_stream() -> None:
    opened = Opened(
        session="a",
        voice="toy",
        seed=7,
        frame=0,
        rate=16000,
        frame_size=200,
        frames_per_second=80.0,
        frames=2,
        format="s16le",
        manifest={},
    )
    assert '"type":"opened","protocol":1,"session":"a"' in encode(opened)
    assert encode(Credit(frames=3)) == '{"type":"credit","frames":3}'
