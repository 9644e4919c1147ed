"""Latent trajectories are saved and followed: by name, from a file, or from a recording."""

import msgspec
import numpy as np
import pytest
import soundfile

from vrnn_engine import RecordingError, StreamError
from vrnn_engine.runtime.live.events import Follow, Set, Trace
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder

HOLD, TARGET = "latent.hold", "latent.target"
SECONDS = 0.1  # eight frames


@pytest.fixture
def saved(tmp_path):
    return SavedFolder("toy", tmp_path / "moments")


@pytest.fixture
def performance(engine, saved):
    return Performance(engine.stream(3), saved=saved)


def latents(performance, count):
    """Return the latents of the next frames."""
    found = []
    for _ in range(count):
        performance.read(1)
        found.append(performance.stream.latent)
    return np.array(found)


def inside(path):
    """Return a trajectory limited to the range of the toy's latent.target."""
    return np.clip(path, -3, 3)


def test_a_saved_trajectory_is_followed_and_then_the_latent_is_free(engine, saved, performance):
    first = latents(performance, 20)
    performance.send(Set(control=HOLD, index=1, value=0.25))
    performance.send(Trace(name="way", seconds=SECONDS))
    performance.send(Follow(path="way", times=2))
    assert np.allclose(latents(performance, 16), inside(np.tile(first[-8:], (2, 1))), atol=1e-6)
    assert performance.controls[HOLD].tolist() == [1.0] * 4
    free = latents(performance, 4)
    assert performance.controls[HOLD].tolist() == [0, 0.25, 0, 0]  # the value from before
    assert not np.isclose(free, first[12:16]).any(axis=1).all()

    performance.close()  # the file is found in a later run
    later = Performance(engine.stream(4), saved=SavedFolder("toy", saved.folder.parent))
    later.send(Follow(path="way"))
    assert np.allclose(latents(later, 8), inside(first[-8:]), atol=1e-6)


@pytest.mark.parametrize("control", [HOLD, TARGET])
@pytest.mark.parametrize("by", ["an event", "a write"])
def test_setting_hold_or_target_ends_a_trajectory(performance, control, by):
    latents(performance, 10)
    performance.send(Trace(name="way", seconds=SECONDS))
    performance.send(Follow(path="way", times=0))
    latents(performance, 30)
    if by == "an event":
        performance.send(Set(control=control, value=0.5))
    else:
        performance.controls[control] = 0.5
    latents(performance, 1)
    held = performance.controls[TARGET]
    latents(performance, 30)
    assert np.array_equal(performance.controls[TARGET], held)
    assert np.all(performance.controls[HOLD] == (0.5 if control == HOLD else 1.0))


def test_a_trajectory_from_a_file_is_limited_to_the_range(performance, tmp_path):
    path = np.array([[0, 1, 2, 3], [99, 0, 0, -99]])
    np.save(tmp_path / "mine.npy", path)
    performance.send(Follow(path=str(tmp_path / "mine.npy"), times=0))
    assert np.allclose(latents(performance, 4), inside(np.tile(path, (2, 1))), atol=1e-6)


@pytest.mark.parametrize("planned", [True, False])
def test_the_trajectory_of_a_recording_is_followed(engine, saved, tmp_path, planned):
    clip = tmp_path / "clip.wav"
    rate = engine.voice.manifest.rate
    soundfile.write(clip, 0.1 * np.random.default_rng(0).standard_normal(rate // 4), rate)
    expected = engine.stream(0).prime(clip).latents
    event = Follow(path=str(clip), frame=2 if planned else None)
    performance = Performance(engine.stream(3), [event] if planned else [], saved=saved)
    latents(performance, 2)
    if not planned:
        assert performance.takes_long(event)
        performance.send(event)
    assert np.allclose(latents(performance, len(expected)), inside(expected), atol=1e-6)


def test_only_the_trajectory_of_a_recording_takes_long_to_find(performance):
    latents(performance, 3)
    performance.send(Trace(name="way", seconds=1.0))
    assert not performance.takes_long(Follow(path="way"))
    performance.read(1)
    assert not performance.takes_long(Follow(path="way"))
    performance.close()
    assert not performance.takes_long(Follow(path="way"))
    assert performance.takes_long(Follow(path="say.wav"))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.zeros((5, 3)), r"numbers \[frames, 4\], not float64 \[5, 3\]"),
        (np.zeros(4), r"not float64 \[4\]"),
        (np.zeros((0, 4)), r"not float64 \[0, 4\]"),
        (np.zeros((2, 4), complex), "not complex"),
        (np.full((2, 4), np.nan), "NaN or infinite"),
        (np.full((2, 4), None), "cannot be read as a trajectory"),
    ],
)
def test_a_file_that_is_not_a_trajectory_is_refused(performance, tmp_path, made, message):
    np.save(tmp_path / "odd.npy", made, allow_pickle=True)
    with pytest.raises(StreamError, match=message):
        performance.send(Follow(path=str(tmp_path / "odd.npy")))


def test_an_impossible_trajectory_is_refused(engine, saved, performance, tmp_path, said):
    saved.write_trajectory("swell", np.zeros((3, 4)))
    with pytest.raises(StreamError, match=r"no trajectory 'swel' and no such file; did you mean 'swell'\?.*\(in .*\)$"):
        performance.send(Follow(path="swel"))
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(RecordingError, match=r"text\.wav"):
        performance.send(Follow(path=str(tmp_path / "text.wav")))
    with pytest.raises(StreamError, match="no trajectory 'nothing'"):
        Performance(engine.stream(3), [Follow(frame=3, path="nothing")], saved=saved)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(StreamError, match="cannot be read as a trajectory"):
        performance.send(Follow(path=str(tmp_path / "cut.npy")))
    performance.send(Trace(name="none", seconds=1.0))
    performance.read(1)
    assert "no latent yet" in said[-1]
    alien = msgspec.convert({"path": "x", "latents": {"shape": [2, 3], "data": b"\0" * 24}}, Follow)
    with pytest.raises(StreamError, match=r"not float32 \[2, 3\]"):
        performance.send(alien)
    cut = msgspec.convert({"path": "x", "latents": {"shape": [2, 4], "data": b"\0" * 24}}, Follow)
    with pytest.raises(StreamError, match="cannot be read as a trajectory"):
        performance.send(cut)


def test_only_a_file_in_the_folder_itself_is_a_saved_trajectory(saved):
    saved.write_trajectory("way", np.zeros((2, 4)))
    (saved.folder / "deep").mkdir()
    (saved.folder / "deep" / "way.npy").touch()
    names = ("way", "wa", "way.npy", "deep/way", "deep", "../toy/way", "", "a" * 5000)
    assert [name for name in names if saved.has_trajectory(name)] == ["way"]
