"""Snapshots restore what was saved, and damaged or foreign ones are refused."""

from pathlib import Path

import numpy as np
import pytest
from support import toy_voice
from support.snapshots import seal

import vrnn_engine as vrnn
from vrnn_engine.runtime import snapshot as snapshots


@pytest.fixture
def stream(toy_audio: Path) -> vrnn.Stream:
    stream = vrnn.Engine.load(toy_audio, device="cpu").stream(seed=3)
    stream.controls["latent.shift"] = [0.1, 0.2, 0.3, 0.4]
    stream.read(70)
    return stream


def test_restored_stream_yields_the_same_frames(stream: vrnn.Stream) -> None:
    saved = stream.snapshot()
    ahead = stream.read(90)
    stream.controls.reset()
    stream.restore(saved)
    assert (stream.frame, stream.seed) == (70, 3)
    np.testing.assert_array_equal(stream.controls["latent.shift"], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(stream.read(90), ahead)
    stream.restore(saved)
    assert stream.snapshot() == saved


def test_snapshot_restores_into_a_stream_of_another_seed(stream: vrnn.Stream, toy_audio: Path) -> None:
    saved, ahead = stream.snapshot(), stream.read(20)
    other = vrnn.Engine.load(toy_audio, device="cpu").stream(seed=99)
    other.controls["output.temperature"] = 0.0  # not in the snapshot: must return to its default
    other.read(5)
    other.restore(bytearray(saved))  # type: ignore[arg-type]
    assert other.seed == 3
    np.testing.assert_array_equal(other.read(20), ahead)


def test_damaged_snapshots_are_refused(stream: vrnn.Stream) -> None:
    saved = stream.snapshot()
    where = [0, 7, 8, 9, 10, 25, 26, 60, len(saved) // 2, len(saved) - 1]
    damaged = [saved[:at] + bytes([saved[at] ^ 1]) + saved[at + 1 :] for at in where]
    damaged += [saved[:length] for length in (0, 5, 10, 20, 26, len(saved) - 1)] + [saved + b"x"]
    for bad in damaged:
        with pytest.raises(vrnn.StreamError) as caught:
            stream.restore(bad)
        assert "\n" not in str(caught.value)
    assert stream.snapshot() == saved, "a refused snapshot changed the stream"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"RIFF....", "not a snapshot"),
        ("text", "bytes, not str"),
        (seal(b"whatever a later version holds", 2), "version 2, newer than this vrnn-engine understands"),
        (seal(b"\x93\x01"), "cannot be read"),
        (seal(b"\xa1\xff"), "cannot be read"),
    ],
)
def test_bytes_that_are_not_a_snapshot_are_refused(stream: vrnn.Stream, bad: bytes, message: str) -> None:
    with pytest.raises(vrnn.StreamError, match=message):
        stream.restore(bad)


def test_snapshot_of_another_voice_is_refused_but_not_of_another_card(
    stream: vrnn.Stream, toy_pen: Path, tmp_path: Path
) -> None:
    saved = stream.snapshot()
    with pytest.raises(vrnn.StreamError, match="of another voice or another version of it"):
        vrnn.Engine.load(toy_pen, device="cpu").stream().restore(saved)
    twin = toy_voice.build(tmp_path / "twin")
    (twin / "CARD.md").write_text("# A new card\n")
    toy_voice.reseal(twin)
    vrnn.Engine.load(twin, device="cpu").stream().restore(saved)


def test_controls_and_state_that_do_not_fit_are_refused(stream: vrnn.Stream) -> None:
    def forged(**changes: object) -> bytes:
        fields = {
            "voice": "toy-audio",
            "fingerprint": stream.voice.fingerprint(),
            "seed": 1,
            "frame": 0,
            "state": {"h": snapshots.Tensor((6,), b"\0" * 24), "tail": snapshots.Tensor((2,), b"\0" * 8)},
            "controls": {},
        }
        return snapshots.encode(snapshots.Snapshot(**(fields | changes)))  # type: ignore[arg-type]

    before = stream.snapshot()
    for bad in (
        forged(controls={"latent.shift": [9.0] * 4}),
        forged(controls={"volume": [1.0]}),
        forged(state={"h": snapshots.Tensor((6,), b"\0" * 24)}),
        forged(state={"h": snapshots.Tensor((6,), b"\0" * 20), "tail": snapshots.Tensor((2,), b"\0" * 8)}),
        forged(frame=-1),
        forged(seed=-1),
    ):
        with pytest.raises(vrnn.StreamError):
            stream.restore(bad)
    assert stream.snapshot() == before
    stream.restore(forged())
