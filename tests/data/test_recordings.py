"""Reading and caching of recordings: formats, corrupt files, and the cache on disk."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import run_command as run
from support.corpora import make_speech, speech_corpus, split_names
from support.recipes import speech_recipe, toml

from vrnn_engine.base.reading.sound_files import open_sound
from vrnn_engine.data import cache, recordings
from vrnn_engine.data.recordings import read_mono
from vrnn_engine.errors import DataError
from vrnn_engine.training.recipe import recipe_fields

NAMES = split_names(4, "flac")


def sphere(path: Path, samples, rate=16000, coding="pcm"):
    """Write NIST SPHERE as in TIMIT: a header of 1024 bytes, then 16-bit samples."""
    fields = {"channel_count": 1, "sample_count": len(samples), "sample_rate": rate, "sample_n_bytes": 2}
    lines = ["NIST_1A", "   1024", *(f"{name} -i {value}" for name, value in fields.items())]
    lines += ["sample_byte_format -s2 01", f"sample_coding -s{len(coding)} {coding}", "end_head"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join([*lines, ""]).encode().ljust(1024) + samples.astype("<i2").tobytes())


def spoil(path: Path) -> None:
    """Overwrite the second half of a recording with zeros, so that only its beginning can be read."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)


def test_sphere_is_read_and_shorten_is_refused(tmp_path):
    samples = np.random.default_rng(0).integers(-3000, 3000, 4000)
    sphere(tmp_path / "SX1.WAV", samples)
    assert np.array_equal(read_mono(tmp_path / "SX1.WAV", 16000), samples)
    sphere(tmp_path / "SX2.WAV", samples, coding="pcm,embedded-shorten-v2.00")
    with pytest.raises(DataError, match=r"SX2\.WAV: .*compressed with Shorten.*decompress it"):
        read_mono(tmp_path / "SX2.WAV", 16000)


def test_timit_corpus_of_sphere_files_gives_batches(tmp_path):
    rng = np.random.default_rng(0)
    speakers = [f"{part}/DR1/F{i}" for part in ("TRAIN", "TEST") for i in range(3)]
    for name in ("SA1", "SA2", "SI1001", "SX11", "SX12"):
        for speaker in speakers:
            sphere(tmp_path / speaker / f"{name}.WAV", rng.integers(-3000, 3000, 4000))
    corpus = speech_corpus(tmp_path, 16000, layout="timit")
    assert {split: len(part.bounds) - 1 for split, part in corpus.parts.items()} == {"train": 6, "valid": 3, "test": 9}
    assert len(list(corpus.epoch("train", np.random.default_rng(0)))) == 119


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_blocks_join_to_the_whole_recording(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((30000, 2)), 44100)
    for rate in (16000, 44100):
        whole = read_mono(path, rate)
        monkeypatch.setattr(recordings, "BLOCK", 1000)
        assert np.array_equal(read_mono(path, rate), whole)
        monkeypatch.undo()
        assert abs(len(whole) - 30000 * rate / 44100) < 2


def test_a_recording_at_an_implausible_rate_is_refused_and_a_slow_one_comes_in_parts(tmp_path):
    soundfile.write(tmp_path / "wrong.wav", np.zeros(1000), 1)
    with pytest.raises(DataError, match=r"wrong\.wav: its rate, 1, is less than 1/1000 of the wanted 16000"):
        read_mono(tmp_path / "wrong.wav", 16000)
    soundfile.write(tmp_path / "slow.wav", np.zeros(60_000), 100)
    blocks = list(recordings.sample_blocks(tmp_path / "slow.wav", 16000))
    assert sum(map(len, blocks)) == 9_600_000
    assert max(map(len, blocks)) < 1_000_000


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_copy_of_macos_beside_a_recording_changes_nothing(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(30000), 16000)
    alone = read_mono(path, 16000)
    fork = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "
    path.with_name(f"._{path.name}").write_bytes(fork + bytes(4000))
    assert np.array_equal(read_mono(path, 16000), alone)
    with open_sound(path) as file:
        assert file.frames == len(alone)


def test_corrupt_recording_is_left_out_with_a_warning(tmp_path, logged, monkeypatch):
    monkeypatch.setattr(recordings, "BLOCK", 500)
    folder = make_speech(tmp_path / "speech", NAMES, seconds=4)  # several frames of FLAC
    for name in ("train/1.flac", "valid/2.flac"):
        spoil(folder / name)
    again = [speech_corpus(folder, 8000) for _ in range(2)]  # decoded, then from the cache
    for corpus, line in zip(again, logged, strict=True):
        assert line.startswith(f"{folder}: skipped 2 of 12 recordings: {folder}/train/1.flac: not a readable recording")
        assert f"; {folder}/valid/2.flac: " in line
        assert "\n" not in line
        assert len(corpus.skipped) == 2
        kept = np.concatenate([read_mono(folder / f"train/{i}.flac", 8000) for i in (0, 2, 3)])
        assert np.array_equal(corpus.parts["train"].samples, kept)
        assert corpus.mean[0] == pytest.approx(kept.mean() / 32768)
        assert corpus.std[0] == pytest.approx(kept.std() / 32768)
    for message in (r"train/1\.flac: not a readable", r"train/1\.flac: not a readable"):
        with pytest.raises(DataError, match=message):
            speech_corpus(folder, 8000, strict=True)


def test_strict_refuses_a_corrupt_recording_before_caching(tmp_path):
    folder = make_speech(tmp_path / "speech", NAMES)
    speech_corpus(folder, 8000, strict=True)
    spoil(folder / "test/0.flac")
    with pytest.raises(DataError, match=r"test/0\.flac: not a readable"):
        speech_corpus(folder, 8000, strict=True)
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 1


def test_many_corrupt_recordings_give_one_warning(tmp_path, logged):
    folder = make_speech(tmp_path / "speech", split_names(12, "flac"))
    for i in range(8):
        (folder / f"train/{i}.flac").write_bytes(b"no sound")
    speech_corpus(folder, 8000)
    assert logged[0].endswith("; and 3 more")
    assert logged[0].count("not a readable recording") == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "not a readable recording"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda path: soundfile.write(path, np.zeros(0), 8000), "has no samples"),
        (lambda path: soundfile.write(path, np.full(9, np.nan), 8000, subtype="FLOAT"), "not finite"),
        (lambda path: soundfile.write(path, np.array([[np.inf, -np.inf]]), 8000, subtype="FLOAT"), "not finite"),
    ],
    ids=["empty", "folder", "dangling", "no samples", "nan", "infinities"],
)
def test_unreadable_file_is_skipped_with_its_reason(tmp_path, make, message):
    folder = make_speech(tmp_path / "speech", NAMES)
    make(folder / "train" / "odd.wav")
    corpus = speech_corpus(folder, 8000)
    assert len(corpus.skipped) == 1
    assert "train/odd.wav: " in corpus.skipped[0]
    assert message in corpus.skipped[0]


def test_mixed_rates_and_channels_are_converted(tmp_path):
    folder = make_speech(tmp_path / "speech", NAMES)
    make_speech(folder, ["train/1.wav"], rate=44100)
    make_speech(folder, ["train/2.wav"], rate=16000, channels=2)
    corpus = speech_corpus(folder, 8000)
    assert np.diff(corpus.parts["train"].bounds).tolist() == [4000] * 6


def test_recordings_are_decoded_once_and_again_when_they_change(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)
    decoded = []

    def counted(path, rate, channels):
        decoded.append(path.name)
        return recordings.sample_blocks(path, rate, channels)

    monkeypatch.setattr(cache, "sample_blocks", counted)
    first, second = (speech_corpus(folder, 8000) for _ in range(2))
    assert len(decoded) == 12
    assert isinstance(second.parts["train"].samples, np.memmap)
    assert np.array_equal(first.fitting_signal(), second.fitting_signal())
    make_speech(folder, ["train/0.flac"], seconds=0.4)
    changed = speech_corpus(folder, 8000)
    assert len(decoded) == 24
    assert len(changed.parts["train"].samples) == len(first.parts["train"].samples) - 800
    os.utime(folder / "train/0.flac", (0, 0))
    speech_corpus(folder, 8000)
    speech_corpus(folder, 4000)
    assert len(decoded) == 48


def test_unwritable_or_damaged_cache_raises_one_line(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)
    speech_corpus(folder, 8000)
    (kept,) = (tmp_path / "cache" / "corpora").iterdir()
    (kept / "train.int16").write_bytes(b"short")
    with pytest.raises(DataError, match=r"cache of decoded recordings is damaged; delete it"):
        speech_corpus(folder, 8000)
    (kept / "index.json").write_text("{}")
    with pytest.raises(DataError, match=r"cache of decoded recordings is damaged; delete it"):
        speech_corpus(folder, 8000)
    (tmp_path / "file").touch()
    monkeypatch.setenv("VRNN_ENGINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot write decoded recordings here .*VRNN_ENGINE_CACHE") as caught:
        speech_corpus(folder, 8000)
    assert "\n" not in str(caught.value)


def test_interrupted_decoding_leaves_no_cache(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)

    def interrupted(path, rate, channels):
        if path.parent.name == "valid":
            raise KeyboardInterrupt
        return recordings.sample_blocks(path, rate, channels)

    monkeypatch.setattr(cache, "sample_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        speech_corpus(folder, 8000)
    assert list((tmp_path / "cache" / "corpora").iterdir()) == []


def test_two_threads_decode_the_same_corpus_once(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)
    decoded, both = [], threading.Barrier(2)

    def counted(path, rate, channels):
        decoded.append(path.name)
        return recordings.sample_blocks(path, rate, channels)

    def read(_):
        both.wait()
        return speech_corpus(folder, 8000).std

    monkeypatch.setattr(cache, "sample_blocks", counted)
    with ThreadPoolExecutor(2) as two:
        one, other = two.map(read, range(2))
    assert one == other
    assert len(decoded) == 12
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 1


def test_command_line_warns_of_a_corrupt_recording_and_strict_fails(tmp_path):
    folder = make_speech(tmp_path / "speech", NAMES)
    spoil(folder / "train/2.flac")
    (tmp_path / "mine.toml").write_text(toml(recipe_fields(speech_recipe(updates=1))))
    words = ("train", "mine.toml", "--data", "speech")
    refused = run(*words, "--strict", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: speech/train/2.flac: not a readable recording")
    assert not (tmp_path / "runs").exists()
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "speech: skipped 1 of 12 recordings: speech/train/2.flac: not a readable" in done.stderr
