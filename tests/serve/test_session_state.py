"""The state of a session continues it in another process, bit for bit."""

import subprocess
import sys

import msgspec
import numpy as np
import pytest
from support.command import environment

from vrnn_engine import Engine, TokenError
from vrnn_engine.runtime.live.events import Follow, Set, Walk, Write
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.snapshot import Tensor
from vrnn_engine.serve.sessions.session_state import SessionState
from vrnn_engine.serve.tokens import TokenKeys

SHIFT, HEAT = "latent.shift", "output.temperature"
KEY = b"a key that two servers share"

CONTINUE = """
import sys
import numpy as np
from vrnn_engine import Engine
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.serve.sessions.session_state import SessionState
from vrnn_engine.serve.tokens import TokenKeys, read_key
voice, token, count, out = sys.argv[1:]
engine = Engine.load(voice, "cpu")
state = SessionState.decode(TokenKeys(read_key(None)).open(token), engine.fingerprint)
performance = Performance(engine.stream(), state.timeline_with(()))
state.restore(performance)
assert performance.frame == state.frame
np.save(out, performance.read(int(count)))
"""


def timeline(latents):
    """Return a ramp, a walk and a trajectory, and a change after them."""
    size = latents.size
    trajectory = np.linspace(-1, 1, 7 * size, dtype=np.float32).reshape(7, size)
    return (
        Set(frame=2, control=HEAT, value=0.1, ramp=0.7),
        Walk(frame=3, control=SHIFT, speed=0.5, index=1, seed=4),
        Follow(frame=5, path="given", times=3, latents=Tensor.of(trajectory)),
        Set(frame=60, control=SHIFT, value=0.5),
    )


def continue_elsewhere(voice, token, count, folder):
    """Return the frames that another process generates after a token."""
    out = folder / "frames.npy"
    command = [sys.executable, "-c", CONTINUE, str(voice), token, str(count), str(out)]
    subprocess.run(command, env=environment() | {"VRNN_ENGINE_KEY": KEY.decode()}, check=True, timeout=120)
    return np.load(out)


@pytest.mark.parametrize("frame", [0, 6, 30])
def test_another_process_continues_with_movements_and_coming_events(engine, fragile, tmp_path, frame):
    events = timeline(engine.stream(3).latent)
    performance = Performance(engine.stream(3), events)
    performance.read(frame)
    token = TokenKeys(KEY).seal(SessionState.of(performance).encode())
    expected = performance.read(80)
    assert np.array_equal(continue_elsewhere(fragile, token, 80, tmp_path), expected)


def test_another_process_writes_the_rest_of_a_text(tmp_path):
    engine = Engine.load("handwriting", "cpu")
    performance = Performance(engine.stream(4, text="Dear Anna,\n"), [Write(frame=120, text="thank you.")])
    performance.read(70)
    token = TokenKeys(KEY).seal(SessionState.of(performance).encode())
    assert np.array_equal(continue_elsewhere("handwriting", token, 300, tmp_path), performance.read(300))


@pytest.mark.parametrize("voice", ["blizzard", "handwriting"])
def test_the_token_of_a_bundled_voice_is_a_few_kilobytes(voice):
    performance = Performance(Engine.load(voice, "cpu").stream(4))
    performance.read(50)
    assert len(TokenKeys(KEY).seal(SessionState.of(performance).encode())) < 9_500


def test_values_of_64_bits_survive(engine):
    """A walk leaves values that no 32 bits hold."""
    performance = Performance(
        engine.stream(3), [Walk(frame=0, control=SHIFT, speed=0.5), Set(frame=9, control=HEAT, value=0.1, ramp=1)]
    )
    performance.read(10)
    state = SessionState.decode(SessionState.of(performance).encode(), engine.fingerprint)
    values = [saved.move.value.array() for saved in state.moves if saved.control == SHIFT]
    assert np.array_equal(values, [performance.controls[SHIFT]])


def test_the_state_of_another_voice_is_refused(engine, toy_pen):
    state = SessionState.of(Performance(engine.stream(3))).encode()
    with pytest.raises(TokenError, match="of another voice, or of another version or precision"):
        SessionState.decode(state, Engine.load(toy_pen, "cpu").fingerprint)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93", msgspec.msgpack.encode({"frame": -1})])
def test_what_is_no_state_is_refused_in_one_line(engine, data):
    with pytest.raises(TokenError, match="holds no state of a session"):
        SessionState.decode(data, engine.fingerprint)


def test_a_damaged_part_of_a_state_is_refused(engine):
    performance = Performance(engine.stream(3), [Walk(frame=0, control=SHIFT, speed=0.5)])
    performance.read(1)
    state = SessionState.of(performance)
    walk = state.moves[0].move
    short = msgspec.structs.replace(walk, value=msgspec.structs.replace(walk.value, data=b"123"))
    moves = (msgspec.structs.replace(state.moves[0], move=short),)
    for damaged in ({"snapshot": b"no snapshot"}, {"moves": moves}):
        with pytest.raises(TokenError, match="does not fit the voice"):
            msgspec.structs.replace(state, **damaged).restore(Performance(engine.stream(3)))


def test_events_that_the_timeline_has_are_not_doubled(engine):
    twice, sent, early = (Set(frame=frame, control=HEAT, value=0.5) for frame in (7, 9, 3))
    state = SessionState.of(Performance(engine.stream(3), [early, twice]))
    assert state.timeline_with([early, twice, sent]) == (early, twice, sent)
    assert state.timeline_with([twice, twice]) == (early, twice, twice)
    assert state.timeline_with([Set(frame=3, control=SHIFT, value=0.5)])[0] == early


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"control": "no.control"}, "not one of a control"),
        ({"active": (True, True, True, True, True)}, "not one of a control"),
        ({"started": (False, False, False, False)}, "not one of a control"),
        ({"start": (0,)}, "not the shape of its control"),
        ({"start": (2,)}, "not the shape of its control"),
        ({"end": (2, 4)}, "not the shape of its control"),
        ({"end": (4,)}, None),
    ],
)
def test_a_movement_that_does_not_fit_the_voice_is_refused(engine, change, reason):
    stream = engine.stream(7)
    performance = Performance(stream, [Set(frame=0, control="latent.shift", value=0.5, ramp=1.0)])
    performance.read(4)
    fields = msgspec.msgpack.decode(SessionState.of(performance).encode())
    (move,) = fields["moves"]
    for name, value in change.items():
        if name in move:
            move[name] = value
        else:
            numbers = np.ones(value, "<f4")
            move["move"][name] = {"shape": value, "data": numbers.tobytes(), "type": "<f4"}
    state = SessionState.decode(msgspec.msgpack.encode(fields), stream.fingerprint)
    new = Performance(engine.stream(7), state.timeline_with([]))
    if reason is None:
        state.restore(new)
    else:
        with pytest.raises(TokenError, match=reason):
            state.restore(new)
