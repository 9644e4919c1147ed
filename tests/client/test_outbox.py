"""Events are kept until they have taken effect, and sent again over a new connection."""

import numpy as np
import pytest

from vrnn_engine import RemoteError
from vrnn_engine.client.outbox import AHEAD, PIECE, Outbox, send_event
from vrnn_engine.runtime.live.events import Erase, Follow, Fork, Morph, Prime, Restore, Rewind, Save, Set, Trace
from vrnn_engine.runtime.snapshot import Tensor
from vrnn_engine.serve.protocol import RestoreToken, SaveToken, SendEvent


def setting(value):
    return Set(control="latent.temperature", value=value)


def applied(frame, value):
    return {"do": "set", "control": "latent.temperature", "value": value, "frame": frame}


@pytest.fixture
def outbox():
    outbox = Outbox()
    for value in (0.1, 0.2, 0.3):
        outbox.add(send_event(setting(value)))
    return outbox


def values(messages):
    return [message.event["value"] for message in messages if isinstance(message, SendEvent)]


def test_only_what_has_not_taken_effect_is_sent_again(outbox):
    assert values(outbox.take(0)) == [0.1, 0.2, 0.3]
    assert outbox.applied(applied(7, 0.1))
    outbox.add(send_event(setting(0.4)))
    outbox.send_again()
    assert values(outbox.take(0)) == [0.2, 0.3, 0.4]
    assert values(outbox.take(0)) == []


def test_an_event_before_one_that_took_effect_was_refused(outbox):
    outbox.take(0)
    assert outbox.applied(applied(7, 0.3))
    outbox.send_again()
    assert values(outbox.take(0)) == []


def test_an_event_of_the_timeline_is_not_taken_for_one_that_was_sent(outbox):
    outbox.take(0)
    assert not outbox.applied(applied(7, 0.9))
    outbox.send_again()
    assert values(outbox.take(0)) == [0.1, 0.2, 0.3]


def test_requests_for_tokens_are_sent_again_until_one_arrives(outbox):
    outbox.add(SaveToken())
    outbox.add(RestoreToken(token="t"))
    outbox.take(0)
    assert outbox.applied(applied(7, 0.3))
    outbox.send_again()
    assert outbox.take(0) == [SaveToken(), RestoreToken(token="t")]
    outbox.saved()
    assert outbox.applied({"do": "restore", "frame": 9, "token": "another"})
    outbox.send_again()
    assert outbox.take(0) == []


def test_a_long_text_is_sent_in_pieces_while_the_server_needs_more():
    outbox = Outbox()
    outbox.write("abc" * 5000)
    pieces = []
    while messages := outbox.take(0):
        pieces += [message.event["text"] for message in messages]
    assert [len(piece) for piece in pieces] == [PIECE] * (AHEAD // PIECE)
    assert outbox.unwritten == 15000
    assert outbox.applied({"do": "write", "text": pieces[0], "frame": 1})
    assert outbox.take(AHEAD) == []
    assert outbox.unwritten == 15000 - PIECE
    (message,) = outbox.take(AHEAD - PIECE - 1)
    assert "".join([*pieces, message.event["text"]]) == ("abc" * 5000)[: 3 * PIECE]


def test_erasing_begins_with_what_was_not_sent():
    outbox = Outbox()
    outbox.write("abc")
    outbox.erase(2)
    outbox.take(0)
    outbox.write("xy")
    outbox.erase(3)
    assert outbox.take(0) == [send_event(Erase(count=1))]


@pytest.mark.parametrize(
    "event",
    [
        Save(name="1"),
        Restore(name="1"),
        Trace(name="1", seconds=1),
        Prime(file="a.wav"),
        Fork(to="a.wav", seconds=1),
        Rewind(seconds=1),
        Morph(to="1", seconds=1),
        Follow(path="a.npy"),
    ],
)
def test_events_that_need_files_of_the_server_are_refused(event):
    with pytest.raises(RemoteError, match=r"does not take the event '\w+', because it needs files or the memory"):
        send_event(event)


def test_the_time_of_an_event_that_is_sent_is_left_out():
    assert "frame" not in send_event(Set(control="latent.temperature", value=1, frame=7)).event


def test_an_event_that_is_too_long_is_refused():
    latents = Tensor.of(np.zeros((3000, 16), np.float32))
    with pytest.raises(RemoteError, match=r"bytes, more than a server takes \(65,536\)"):
        Outbox().add(send_event(Follow(path="given", latents=latents)))
