"""Recordings of any rate, channels and type become frames of a voice, and report the conversions."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vrnn_engine import RecordingError
from vrnn_engine.runtime.recording import read_recording
from vrnn_engine.runtime.voice.manifest import Manifest


def tone(rate: int, seconds: float = 0.5, hertz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def test_samples_that_fit_are_not_converted(audio: Manifest) -> None:
    samples = tone(16000).astype(np.float32)
    found = read_recording(samples, audio)
    assert found.conversions == ()
    assert found.frames.shape == (40, 200)
    assert found.frames.dtype == np.float32
    np.testing.assert_array_equal(found.frames.reshape(-1), samples)


def test_file_of_another_rate_and_channels_is_converted(audio: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([tone(44100), np.zeros(22050)], axis=1), 44100)
    found = read_recording(str(path), audio)
    assert found.conversions == ("2 channels to mono", "44100 Hz to 16000 Hz")
    mixed = found.frames.reshape(-1)
    assert mixed.size == 8000
    np.testing.assert_allclose(mixed[400:-400], 0.5 * tone(16000)[400:-400], atol=1e-3)


def test_last_frame_is_filled_with_zeros(audio: Manifest) -> None:
    found = read_recording(np.ones(450, np.float32), audio)
    assert found.conversions == ("last frame filled up with 150 zeros",)
    np.testing.assert_array_equal(found.frames[2], [1.0] * 50 + [0.0] * 150)


@pytest.mark.parametrize(("kind", "full"), [(np.int16, 2**15), (np.int32, 2**31)])
def test_integers_are_scaled_to_full_scale(audio: Manifest, kind: type, full: int) -> None:
    found = read_recording(np.full(200, -full // 2, kind), audio)
    np.testing.assert_array_equal(found.frames, np.full((1, 200), -0.5, np.float32))
    assert found.conversions == (f"{np.dtype(kind)} to full scale +-1",)


def test_array_of_another_rate_is_resampled(audio: Manifest) -> None:
    found = read_recording(tone(8000), audio, rate=8000)
    assert found.conversions == ("8000 Hz to 16000 Hz",)
    assert found.frames.shape == (40, 200)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0), "empty"),
        (np.zeros((0, 2)), "empty"),
        (np.zeros((2, 2, 2)), r"not of shape \[2, 2, 2\]"),
        (np.zeros((2, 16000)), r"looks like \[channels, n\]"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array(["a"]), "float, int16 or int32"),
        ([[1.0], [1.0, 2.0]], "array of numbers"),
    ],
)
def test_unfit_arrays_are_refused(audio: Manifest, samples: np.ndarray, message: str) -> None:
    with pytest.raises(RecordingError, match=message) as caught:
        read_recording(samples, audio)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_refused(audio: Manifest, tmp_path: Path) -> None:
    text, empty, silent = tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path / "silent.wav"
    text.write_text("this is no sound\n" * 50)
    empty.touch()
    soundfile.write(silent, np.zeros(0), 16000)
    for path, message in (
        (tmp_path / "none.wav", "no such file"),
        (tmp_path, "is a folder, not a file"),
        ("n" * 5000, "^n{300}: cannot be read: File name too long$"),
        ("n\0", "cannot be read: "),
        ("/dev/null", "is a device, not a file"),
        (text, r"text\.wav: cannot be read as sound \(Format not recognised\); use WAV, FLAC, OGG or MP3$"),
        (empty, "cannot be read as sound"),
        (silent, "empty"),
    ):
        with pytest.raises(RecordingError, match=message) as caught:
            read_recording(path, audio)
        assert str(path)[:300] in str(caught.value)
        assert "\n" not in str(caught.value)


INK = np.array([[1.0, 2.0, 0.0], [0.5, -1.0, 0.0], [3.0, 0.0, 1.0]], np.float32)


def test_ink_is_read_from_array_npz_and_jsonl(pen: Manifest, tmp_path: Path) -> None:
    np.savez(tmp_path / "ink.npz", dx=INK[:, 0], dy=INK[:, 1], pen_up=INK[:, 2] > 0)
    lines = [json.dumps({"t": 0.0, "dx": float(x), "dy": float(y), "pen_up": int(up)}) for x, y, up in INK]
    (tmp_path / "ink.jsonl").write_text("\n".join(lines) + "\n")
    for source in (INK, INK.tolist(), tmp_path / "ink.npz", tmp_path / "ink.jsonl"):
        found = read_recording(source, pen)
        np.testing.assert_array_equal(found.frames, INK)
        assert found.conversions == ()


def test_unfit_ink_is_refused(pen: Manifest, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=INK, dx=INK[:, 0])
    np.savez(tmp_path / "corpus.npz", dxy=INK[:, :2], eos=INK[:, 2], offsets=[0, 3], ids=["a"])
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04junk")
    (tmp_path / "bad.jsonl").write_text('{"dx": 1}\n')
    (tmp_path / "words.jsonl").write_text("hello\n")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "ink.txt").touch()
    half = INK.copy()
    half[0, 2] = 0.5
    for source, message in (
        (tmp_path / "other.npz", r"has the arrays dx, dy and pen_up, .*; this one lacks dy, pen_up"),
        (tmp_path / "corpus.npz", "is a corpus of many lines; save one line, .* dx, dy and pen_up"),
        (tmp_path / "broken.npz", "cannot be read as ink"),
        (tmp_path / "bad.jsonl", "cannot be read as ink"),
        (tmp_path / "words.jsonl", "cannot be read as ink"),
        (tmp_path / "empty.jsonl", "empty"),
        (tmp_path / "ink.txt", r"read from \.npz or \.jsonl"),
        (INK[:, :2], r"shape \[T, 3\]"),
        (INK * np.nan, "NaN"),
        (half, "pen_up, the third column, must be 0 or 1"),
        ("nowhere.npz", "no such file"),
    ):
        with pytest.raises(RecordingError, match=message) as caught:
            read_recording(source, pen)
        assert "\n" not in str(caught.value)


RATES = ["44100", b"44100", [44100], True, 0, -1, 0.5, float("nan"), float("inf"), 10**400, 1e12, 44100j, object()]
RATES += [np.array([8000])]


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate!r:.12}")
@pytest.mark.parametrize("modality", ["audio", "pen"])
def test_a_rate_that_is_not_a_sensible_number_is_refused(
    request: pytest.FixtureRequest, modality: str, rate: object
) -> None:
    manifest = request.getfixturevalue(modality)
    with pytest.raises(RecordingError, match=r"rate=.* is not a number from 1 to 10000000") as caught:
        read_recording(tone(16000) if modality == "audio" else INK, manifest, rate=rate)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("rate", [np.float32(8000), np.int16(8000), 8000.0])
def test_a_rate_may_be_any_kind_of_number(audio: Manifest, rate: float) -> None:
    expected = read_recording(tone(8000), audio, rate=8000).frames
    np.testing.assert_array_equal(read_recording(tone(8000), audio, rate=rate).frames, expected)


NOT_RECORDINGS = [
    None,
    {},
    {"a": 1},
    b"abc",
    bytearray(b"1234"),
    ["a", "b"],
    3,
    [[1], [2, 3]],
    10**400,
    [10**400],
    object(),
]
NOT_RECORDINGS += [(x for x in [1, 2]), np.zeros(8, complex), np.array([1, "a", None], object), np.zeros((2, 3, 4))]


@pytest.mark.parametrize("source", NOT_RECORDINGS, ids=lambda source: f"{source!r:.12}")
@pytest.mark.parametrize("modality", ["audio", "pen"])
def test_what_is_no_recording_is_refused_in_one_line(
    request: pytest.FixtureRequest, modality: str, source: object
) -> None:
    with pytest.raises(RecordingError, match="the array given: ") as caught:
        read_recording(source, request.getfixturevalue(modality))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("modality", ["audio", "pen"])
@pytest.mark.parametrize("kind", ["memory", "binary", "text"])
def test_an_open_file_is_refused_in_one_line(
    request: pytest.FixtureRequest, modality: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with (
        io.BytesIO(b"RIFF")
        if kind == "memory"
        else (tmp_path / "a.wav").open("rb" if kind == "binary" else "r") as file,
        pytest.raises(RecordingError, match="is an open file; give the path of a recording, or an array") as caught,
    ):
        read_recording(file, request.getfixturevalue(modality))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def circle(size: float, points: int = 101) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, points)
    path = size * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.column_stack([np.diff(path, axis=0, prepend=path[:1]), np.arange(points) == points - 1])


def write_ink(path: Path, ink: np.ndarray, unit: str, rate: float) -> Path:
    if path.suffix == ".npz":
        np.savez(path, dx=ink[:, 0], dy=ink[:, 1], pen_up=ink[:, 2], unit=unit, rate=rate)
    else:
        lines = [
            {"t": round(i / rate, 6), "dx": x, "dy": y, "pen_up": int(up)} for i, (x, y, up) in enumerate(ink.tolist())
        ]
        path.write_text("\n".join(map(json.dumps, [{"unit": unit}, *lines])))
    return path


@pytest.mark.parametrize("suffix", [".npz", ".jsonl"])
def test_ink_of_another_unit_and_rate_is_converted_and_said(pen: Manifest, tmp_path: Path, suffix: str) -> None:
    usual = pen.normalisation.std[0]
    ink = circle(20 * usual)
    same = read_recording(write_ink(tmp_path / f"same{suffix}", ink, pen.unit, pen.rate), pen)
    assert same.conversions == ()
    np.testing.assert_allclose(same.frames, ink, rtol=1e-6)
    centimetres = read_recording(write_ink(tmp_path / f"cm{suffix}", ink * [0.1, 0.1, 1], "cm", pen.rate), pen)
    assert centimetres.conversions == ("cm to mm",)
    np.testing.assert_allclose(centimetres.frames, ink, rtol=1e-5, atol=1e-6)
    slow = read_recording(write_ink(tmp_path / f"slow{suffix}", ink, "mm", 60), pen)
    assert slow.conversions == (f"60 to {pen.rate} points a second",)
    assert len(slow.frames) == round(100 * pen.rate / 60) + 1
    np.testing.assert_allclose(slow.frames.sum(0), ink.sum(0), atol=1e-4)
    for rate in (0, -5, np.nan):
        np.savez(tmp_path / "wrong.npz", dx=ink[:, 0], dy=ink[:, 1], pen_up=ink[:, 2], rate=rate)
        with pytest.raises(RecordingError, match=r"wrong\.npz: rate=.* is not a number from 1 to 10000000"):
            read_recording(tmp_path / "wrong.npz", pen)
    with pytest.raises(RecordingError, match=r"is ink in 'tablet units', and the voice's unit is 'mm'; convert it"):
        read_recording(write_ink(tmp_path / f"odd{suffix}", ink, "tablet units", pen.rate), pen)


def test_ink_of_another_size_is_pointed_out_and_a_jump_is_refused(pen: Manifest) -> None:
    usual = pen.normalisation.std[0]
    (said,) = read_recording(circle(20 * usual) * [40, 40, 1], pen).conversions
    assert said.startswith("taken as mm, though its moves are ")
    ink = circle(20 * usual)
    ink[50, 0] = 1e6
    with pytest.raises(RecordingError, match=r"point 51 moves by 1e\+06 mm, over 1000 times the usual move"):
        read_recording(ink, pen)


def test_mp3_beside_a_hidden_copy_of_macos_is_read(audio: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(30000), audio.rate)
    assert not path.read_bytes().startswith(b"ID3")
    alone = read_recording(path, audio).frames
    (tmp_path / "._a.mp3").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4000))
    np.testing.assert_array_equal(read_recording(path, audio).frames, alone)
