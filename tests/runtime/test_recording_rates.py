"""A rate that a file states cannot turn a small recording into more than the memory holds."""

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.memory import begin_peak, peak_bytes

from vrnn_engine import RecordingError
from vrnn_engine.base.resampler import Resampler
from vrnn_engine.base.strokes import StrokeResampler, resample_strokes
from vrnn_engine.runtime.recording import open_recording, piped_ink, read_recording
from vrnn_engine.runtime.recording.ink import points_per_second
from vrnn_engine.runtime.recording.pipe import Pipe
from vrnn_engine.runtime.recording.piped_ink import PipedInk
from vrnn_engine.runtime.voice.manifest import Manifest


@pytest.fixture
def pipe() -> Iterator[tuple[Pipe, int]]:
    out, into = os.pipe()
    opened = Pipe(out, "a pipe", owned=True)
    yield opened, into
    opened.close()


def ink_file(path: Path, count: int, rate: float) -> Path:
    """Write evenly spaced points at a rate."""
    moves = np.full(count, 0.1)
    if path.suffix == ".npz":
        np.savez_compressed(path, dx=moves, dy=moves, pen_up=np.arange(count) == count - 1, rate=rate)
    else:
        rows = [{"t": i / rate, "dx": 0.1, "dy": 0.1, "pen_up": int(i == count - 1)} for i in range(count)]
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("rate", [1e-300, 1e-12, 1e-7, 0.5, 1e8])
def test_ink_at_an_implausible_rate_is_refused(pen: Manifest, tmp_path: Path, rate: float) -> None:
    with pytest.raises(RecordingError, match=r"ink\.npz: rate=.* is not a number from 1 to 10000000"):
        read_recording(ink_file(tmp_path / "ink.npz", 3, rate), pen)


@pytest.mark.parametrize("rate", [1 / 3e11, 1e-7, 0.5])
def test_ink_with_times_that_are_far_apart_is_refused(pen: Manifest, tmp_path: Path, rate: float) -> None:
    with pytest.raises(RecordingError, match=r"ink\.jsonl: rate=.* is not a number from 1 to 10000000"):
        read_recording(ink_file(tmp_path / "ink.jsonl", 3, rate), pen)


def test_piped_ink_with_times_that_are_far_apart_is_refused(pen: Manifest, pipe: tuple[Pipe, int]) -> None:
    rows = [{"t": 3e11 * i, "dx": 0.1, "dy": 0.1, "pen_up": int(i == 2)} for i in range(3)]
    with os.fdopen(pipe[1], "w") as file:
        file.write("\n".join(map(json.dumps, rows)))
    with pytest.raises(RecordingError, match=r"a pipe: rate=.* is not a number from 1 to 10000000"):
        list(PipedInk(pipe[0], pen))


def test_ink_that_would_have_too_many_points_is_refused(pen: Manifest, tmp_path: Path) -> None:
    path = ink_file(tmp_path / "ink.npz", 1_000_000, 1)
    with pytest.raises(RecordingError, match=r"ink\.npz: would have more than 4000000 points"):
        read_recording(path, pen)


def test_a_stroke_without_an_end_does_not_fill_the_memory(
    pen: Manifest, pipe: tuple[Pipe, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(piped_ink, "LONGEST_STROKE", 500)
    rows = b"".join(b'{"t": %.6f, "dx": 0.1, "dy": 0.1, "pen_up": 0}\n' % (number / 60) for number in range(600))
    os.write(pipe[1], rows)
    os.close(pipe[1])
    with pytest.raises(RecordingError, match="a stroke has more than 500 points"):
        list(PipedInk(pipe[0], pen))


def test_a_unit_that_overflows_is_refused(pen: Manifest, tmp_path: Path) -> None:
    far = np.full(3, 1e38)
    np.savez(tmp_path / "far.npz", dx=far, dy=far, pen_up=[0, 0, 1], unit="m")
    with pytest.raises(RecordingError, match="point 1 moves by inf mm"):
        read_recording(tmp_path / "far.npz", pen)


def test_resampled_strokes_do_not_depend_on_blocks() -> None:
    rng = np.random.default_rng(0)
    line = np.column_stack([rng.standard_normal((150_000, 2)), rng.random(150_000) < 0.01])
    whole = StrokeResampler(0.7)
    expected = np.concatenate([whole.push(line), whole.finish()])
    np.testing.assert_array_equal(resample_strokes(line, 0.7), expected)
    parts = StrokeResampler(0.7)
    few = [parts.push(line[first : first + 7]) for first in range(0, 7000, 7)]
    few.append(parts.push(line[7000:]))
    np.testing.assert_array_equal(np.concatenate([*few, parts.finish()]), expected)


@pytest.mark.parametrize("rate", [1, 7])
def test_sound_at_an_implausible_rate_is_refused(audio: Manifest, tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(1000), rate)
    with pytest.raises(RecordingError, match=rf"slow\.wav: its rate, {rate}, is less than 1/1000 of the wanted 16000"):
        open_recording(tmp_path / "slow.wav", audio)
    with pytest.raises(RecordingError, match="the array given: its rate"):
        open_recording(np.zeros(1000), audio, rate)


def test_a_wav_stream_at_an_implausible_rate_is_refused(audio: Manifest, tmp_path: Path) -> None:
    described = struct.pack("<HHIIHH", 1, 1, 4_000_000_000, 0, 2, 16)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    keep = os.open(fifo, os.O_RDWR)
    os.write(keep, b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + described + b"data\0\0\0\0" + bytes(64))
    try:
        with pytest.raises(RecordingError, match="fifo: rate=4000000000 is not a number from 1 to 10000000"):
            open_recording(fifo, audio)
    finally:
        os.close(keep)


@pytest.mark.parametrize(("rate", "count"), [(16, 5000), (100, 60_000), (10_000_000, 60_000)])
def test_sound_at_an_extreme_rate_takes_a_fixed_amount_of_memory(
    audio: Manifest, tmp_path: Path, rate: int, count: int
) -> None:
    soundfile.write(tmp_path / "odd.wav", np.tile([0.1, -0.1], count // 2), rate)
    opened = open_recording(tmp_path / "odd.wav", audio)
    before = begin_peak()
    largest, frames = 0, 0
    for block in opened:
        largest, frames = max(largest, block.nbytes), frames + len(block)
    assert frames == opened.length
    assert largest < 8 << 20
    assert peak_bytes() - before < 64 << 20


def test_samples_of_a_slow_sound_do_not_depend_on_the_blocks(audio: Manifest) -> None:
    samples = np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    resampler = Resampler(100, audio.rate)
    expected = np.concatenate([resampler.push(samples), resampler.finish()])
    found = read_recording(samples, audio, rate=100).frames.ravel()
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert not found[len(expected) :].any()


def test_times_that_are_closer_than_a_rate_can_say_have_no_rate() -> None:
    assert points_per_second([0.0, 5e-324]) is None
    assert points_per_second([0.0, 0.25, 0.5]) == 4
