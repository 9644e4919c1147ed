"""A client continues its session with the newest token that is old enough, and with the events after it."""

import msgspec
import pytest

from vrnn_engine import RemoteError
from vrnn_engine.client import session_log
from vrnn_engine.client.session_log import Continuation, SessionLog
from vrnn_engine.serve.protocol import Open


def event(frame, value=0.5):
    return {"do": "set", "control": "latent.temperature", "value": value, "frame": frame}


@pytest.fixture
def log():
    log = SessionLog()
    for frame in (0, 80, 160):
        log.add_token(frame, f"token {frame}")
    for frame in (3, 80, 90, 165):
        log.add_event(event(frame))
    return log


@pytest.mark.parametrize(("reached", "token"), [(0, 0), (79, 0), (80, 80), (159, 80), (160, 160), (500, 160)])
def test_it_continues_with_the_newest_token_that_is_old_enough(log, reached, token):
    again = log.continue_at(reached)
    events = tuple(event(frame) for frame in (3, 80, 90, 165) if frame >= token)
    assert again == Open(token=f"token {token}", frame=reached, events=events)


def test_without_a_token_that_is_old_enough_it_cannot_continue():
    log = SessionLog()
    assert log.continue_at(5) is None
    log.add_token(6, "late")
    assert log.continue_at(5) is None


def test_events_that_are_reported_again_after_a_new_connection_are_not_doubled(log):
    log.continue_at(85)
    assert [log.add_event(event(frame)) for frame in (80, 90, 165)] == [False] * 3
    assert log.add_event(event(90))  # the same event a second time
    assert [one["frame"] for one in log.continue_at(85).events] == [80, 90, 165, 90]


def test_what_is_older_than_the_frame_that_was_read_is_forgotten(log):
    log.forget(100)
    assert log.continue_at(79) is None
    assert [one["frame"] for one in log.continue_at(100).events] == [80, 90, 165]


def test_a_token_replaces_those_that_were_made_after_its_frame(log):
    log.add_token(100, "after a new connection")
    assert log.continue_at(500).token == "after a new connection"
    assert log.continue_at(99).token == "token 80"


def test_of_too_many_tokens_the_oldest_are_forgotten(log, monkeypatch):
    monkeypatch.setattr(session_log, "MOST_TOKENS", 3)
    log.add_token(240, "token 240")
    assert log.continue_at(79) is None
    again = log.continue_at(80)
    assert (again.token, [one["frame"] for one in again.events]) == ("token 80", [80, 90, 165])


@pytest.mark.parametrize(
    ("limit", "most"), [("MOST_EVENTS", 4), ("MOST_EVENT_BYTES", 4 * len(msgspec.json.encode(event(100))))]
)
def test_of_too_many_events_the_oldest_are_forgotten_with_their_tokens(log, monkeypatch, limit, most):
    monkeypatch.setattr(session_log, limit, most)
    log.add_event(event(170))
    assert log.continue_at(79) is None
    assert [one["frame"] for one in log.continue_at(85).events] == [80, 90, 165, 170]
    for frame in (171, 172, 173):  # five events since the newest token
        log.add_event(event(frame))
    assert log.continue_at(500) is None
    log.add_token(240, "token 240")
    log.add_event(event(250))
    again = log.continue_at(500)
    assert (again.token, [one["frame"] for one in again.events]) == ("token 240", [250])


def test_another_process_continues_where_this_one_has_read_to(log):
    saved = Continuation.decode(log.continuation("blizzard", 2**63, 100).encode())
    assert (saved.voice, saved.seed, saved.frame) == ("blizzard", 2**63, 100)
    other = SessionLog()
    other.resume(saved)
    assert other.continue_at(100) == log.continue_at(100)


@pytest.mark.parametrize("data", [b"", b"nothing", msgspec.msgpack.encode({"frame": 1}), None, "text"])
def test_bytes_that_continue_nothing_are_refused(data):
    with pytest.raises(RemoteError, match=r"give the result of snapshot\(\)"):
        Continuation.decode(data)


def test_what_a_newer_version_has_saved_is_refused():
    saved = Continuation(version=2, voice="blizzard", seed=1, frame=0, token="", start=0)
    with pytest.raises(RemoteError, match="newer vrnn-engine"):
        Continuation.decode(saved.encode())


def restored(frame, token):
    return {"do": "restore", "frame": frame, "token": token}


def tokens(message):
    return [one.get("token", "an event") for one in message.events]


def test_only_the_last_restored_state_before_the_next_frame_is_sent_again():
    log = SessionLog()
    log.add_token(0, "first")
    for one in (event(3), restored(4, "a"), event(4), restored(6, "b"), restored(6, "c"), event(7)):
        log.add_event(one)
    assert tokens(log.continue_at(10)) == ["c", "an event"]
    assert tokens(log.continue_at(6)) == ["c", "an event"]
    assert tokens(log.continue_at(5)) == ["a", "an event", "c", "an event"]  # frame 5 is still to come
    assert tokens(log.continue_at(2)) == ["an event", "a", "an event", "c", "an event"]
    assert tokens(log.continuation("blizzard", 7, 10)) == ["c", "an event"]


def test_what_a_restored_state_has_replaced_is_not_doubled_when_it_is_reported_again(log):
    log.add_event(restored(170, "a"))
    assert tokens(log.continue_at(175)) == ["a"]
    assert [log.add_event(one) for one in (event(165), restored(170, "a"))] == [False, False]
