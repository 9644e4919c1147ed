"""Hands: taken from a stream, applied to another one, saved, listed and deleted."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.command import run_command

from vrnn_engine import Engine, RecordingError, Stream, StreamError
from vrnn_engine.runtime.hands.hand import Hand
from vrnn_engine.runtime.hands.saved_hands import SavedHands, voices_with_hands


@pytest.fixture(scope="module")
def writer(text_voice: Path) -> Engine:
    """The tiny text voice."""
    return Engine.load(text_voice, "cpu")


@pytest.fixture
def written(writer: Engine) -> Stream:
    """A stream that has written something."""
    stream = writer.stream(seed=1)
    stream.read(30)
    return stream


def kept(stream: Stream) -> dict[str, np.ndarray]:
    restart = stream.voice.manifest.text.restart
    return {name: value for name, value in stream.state.arrays.items() if name not in restart}


def test_a_hand_has_the_states_that_are_kept_over_lines(written: Stream) -> None:
    hand = Hand.of(written)
    assert set(hand.state) == {"latent", "past", "summary", "style"}
    assert hand.voice == "text"


def test_another_seed_writes_in_the_hand(writer: Engine, written: Stream) -> None:
    own, copy = writer.stream(seed=2), writer.stream(seed=2)
    Hand.of(written).apply(copy)
    mine, theirs = own.read(30), copy.read(30)
    assert not np.array_equal(mine, theirs)
    assert np.array_equal(copy.latent, written.latent)
    assert not np.array_equal(own.latent, written.latent)
    assert all(np.array_equal(value, kept(copy)[name]) for name, value in kept(written).items())


def test_the_hand_of_primed_ink_is_applied(writer: Engine) -> None:
    ink = np.random.default_rng(0).normal(0, 1, (40, 3)).astype(np.float32)
    ink[:, 2] = ink[:, 2] > 1
    primed, stream = writer.stream(seed=1), writer.stream(seed=1)
    primed.prime(ink)
    Hand.of(primed).apply(stream)
    assert stream.state.arrays["summary"][0, 0] == 40  # frames that the posterior of the latent has seen
    assert not stream.state.arrays["h"].any()


def test_a_text_is_written_in_the_hand_of_primed_ink(writer: Engine, tmp_path: Path) -> None:
    ink = np.random.default_rng(0).normal(0, 1, (40, 3)).astype(np.float32)
    ink[:, 2] = ink[:, 2] > 1
    primed = writer.stream(seed=1)
    primed.prime(ink, text="Dear Anna,")
    SavedHands("text").save("anna", Hand.of(primed))
    blocks = {}
    for name, size in (("whole", 10_000), ("parts", 7)):
        stream = writer.stream(seed=2, text="thank you")
        SavedHands("text").load("anna").apply(stream)
        blocks[name] = np.concatenate([stream.read(size) for _ in range(10_000 // size + 1)])[:10_000]
        assert stream.pending == 0
        assert np.array_equal(stream.state.arrays["summary"], primed.state.arrays["summary"])
    assert np.array_equal(blocks["whole"], blocks["parts"])
    other = writer.stream(seed=2, text="thank you")
    assert not np.array_equal(other.read(50), blocks["whole"][:50])


def test_priming_takes_the_text_from_the_file(writer: Engine, tmp_path: Path) -> None:
    points = [{"dx": 0.5, "dy": 0.1 * k, "pen_up": int(k == 19)} for k in range(20)]
    lines = {"with.jsonl": [{"text": "ab"}, *points], "plain.jsonl": points, "odd.jsonl": [{"text": "\u20ac"}, *points]}
    for name, rows in lines.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    streams = {}
    for key, name, text in (
        ("file", "with.jsonl", None),
        ("given", "plain.jsonl", "ab"),
        ("none", "plain.jsonl", None),
    ):
        streams[key] = writer.stream(seed=1)
        streams[key].prime(str(tmp_path / name), text=text)
    arrays = {key: stream.state.arrays["h"] for key, stream in streams.items()}
    assert np.array_equal(arrays["file"], arrays["given"])
    assert not np.array_equal(arrays["file"], arrays["none"])
    with pytest.raises(StreamError, match="\u20ac"):
        writer.stream(seed=1).prime(tmp_path / "odd.jsonl")
    with pytest.raises(RecordingError, match=r"none\.jsonl"):
        writer.stream(seed=1).prime(tmp_path / "none.jsonl")


def test_a_saved_hand_is_the_same_bit_for_bit(writer: Engine, written: Stream) -> None:
    saved = SavedHands("text")
    path = saved.save("anna", Hand.of(written))
    assert path.stat().st_size < 10_000
    streams = [writer.stream(seed=3) for _ in range(2)]
    Hand.of(written).apply(streams[0])
    saved.load("anna").apply(streams[1])
    assert np.array_equal(streams[0].read(20), streams[1].read(20))


def test_a_hand_survives_a_snapshot(writer: Engine, written: Stream) -> None:
    stream = writer.stream(seed=4)
    Hand.of(written).apply(stream)
    snapshot, expected = stream.snapshot(), stream.read(10)
    other = writer.stream(seed=5)
    other.restore(snapshot)
    assert np.array_equal(other.read(10), expected)


def test_hands_are_named_listed_and_deleted(written: Stream) -> None:
    saved = SavedHands("text")
    for name in ("ben", "anna"):
        saved.save(name, Hand.of(written))
    assert saved.names() == ["anna", "ben"]
    assert voices_with_hands() == ["text"]
    saved.delete("ben")
    assert saved.names() == ["anna"]
    for forget in (saved.load, saved.delete):
        with pytest.raises(StreamError, match=r"no hand 'ana' in .*; did you mean 'anna'\? hands here: anna"):
            forget("ana")
    with pytest.raises(StreamError, match=r"a hand cannot be named .\.\./anna.; use up to 64 letters"):
        saved.save("../anna", Hand.of(written))


def test_a_stream_without_a_hand_is_refused(writer: Engine, toy_pen: Path) -> None:
    with pytest.raises(StreamError, match="this stream has no hand yet; prime it with ink"):
        Hand.of(writer.stream(seed=1))
    plain = Engine.load(toy_pen, "cpu").stream(seed=1)
    with pytest.raises(StreamError, match="reads no text, so it has no hands"):
        Hand.of(plain)


def test_a_hand_of_another_version_of_the_voice_is_refused(writer: Engine, written: Stream) -> None:
    stream = writer.stream(seed=1)
    hand = Hand.of(written)
    before = stream.state
    with pytest.raises(
        StreamError, match=r"this hand is of another voice or another version of it \('old', not 'text'\)"
    ):
        Hand("old", "0" * 64, hand.state).apply(stream)
    with pytest.raises(StreamError, match="the states of this hand do not fit voice 'text'"):
        Hand(hand.voice, hand.fingerprint, {"latent": np.zeros(3, np.float32)}).apply(stream)
    assert stream.state is before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[: len(data) // 2], "not a readable hand"),
        (lambda data: b"\xff" + data, "not a readable hand"),
        (lambda data: data.replace(b"vrnn-engine hand", b"another"), "its format is 'another', not 'vrnn-engine hand'"),
        (lambda data: data.replace(b'"version":1', b'"version":2'), "version 2 is newer than this vrnn-engine"),
        (
            lambda data: data.replace(b'"latent":[', b'"latent":["a",'),
            "not a readable hand: Expected `float`, got `str`",
        ),
    ],
)
def test_a_damaged_file_is_named(written: Stream, change, message) -> None:
    saved = SavedHands("text")
    path = saved.save("anna", Hand.of(written))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StreamError) as caught:
        saved.load("anna")
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_lists_and_deletes_hands(written: Stream, homes: Path) -> None:
    assert run_command("hands", cwd=homes).stderr == "no hands saved\n"
    SavedHands("text").save("anna", Hand.of(written))
    assert "anna" in run_command("hands", cwd=homes).stdout
    (entry,) = json.loads(run_command("hands", "list", "--json", cwd=homes).stdout)
    assert entry == {"name": "anna", "voice": "text", "path": str(homes / "hands" / "text" / "anna.json")}
    missing = run_command("hands", "delete", "anna", cwd=homes)
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: no hand 'anna' in ")
    deleted = run_command("hands", "delete", "anna", "--voice", "text", cwd=homes)
    assert deleted.stdout == f"deleted {entry['path']}\n"
    assert run_command("hands", "list", cwd=homes).stdout == ""
