"""Speech corpora as their owners ship them: splits that do not leak, corrupt files, samples that stay on disk."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from support.command import run_command as run
from support.corpora import make_speech
from support.recipes import speech_recipe, toml

from vrnn_engine.data import cache, recordings, speech
from vrnn_engine.data.layouts import LAYOUTS, find_recordings, ranked_splits
from vrnn_engine.data.recordings import read_mono
from vrnn_engine.data.signal import Joined, Noise
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.errors import DataError
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.recipe import SpeechData, recipe_fields
from vrnn_engine.training.trainer import train

LANES = {"frame_size": 20, "lanes": 2, "chunk": 5, "carry": 2, "context": 1}


def touch(folder: Path, names) -> Path:
    """Empty files: a layout looks at names only."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder: Path, layout):
    """The names in each split, relative to the folder."""
    files = find_recordings(folder, layout)
    return {split: [path.relative_to(folder).as_posix() for path in paths] for split, paths in files.items()}


def assert_no_leak(splits, key):
    keys = [{key(name) for name in names} for names in splits.values()]
    assert all(keys)
    assert not any(one & two for one, two in combinations(keys, 2))


def timit(speakers, sentences=("SA1", "SA2", "SI1001", "SX11", "SX12"), suffix=".WAV"):
    return [f"{speaker}/{sentence}{suffix}" for speaker in speakers for sentence in sentences]


def test_timit_keeps_its_test_speakers_and_validates_on_a_twentieth_of_the_others(tmp_path):
    train = [f"TIMIT/TRAIN/DR{i % 8 + 1}/F{i:03}0" for i in range(60)]
    test = [f"TIMIT/TEST/DR{i % 8 + 1}/M{i:03}0" for i in range(20)]
    splits = found(touch(tmp_path, timit(train + test)), "timit")
    speakers = {split: {name.rpartition("/")[0] for name in names} for split, names in splits.items()}
    assert speakers["test"] == set(test)
    assert speakers["train"] | speakers["valid"] == set(train)
    assert len(speakers["valid"]) == 3
    assert_no_leak(splits, lambda name: name.rpartition("/")[0])
    assert sum(map(len, splits.values())) == 80 * 3
    assert not any("SA" in name for names in splits.values() for name in names)  # the same text for all speakers


def test_timit_in_lower_case_without_train_and_test_is_split_by_speaker(tmp_path):
    names = timit([f"dr{i % 8 + 1}-fab{i}" for i in range(16)], ("sa1", "si1001", "sx11"), ".wav")
    splits = found(touch(tmp_path, names), "timit")
    assert {split: len(names) for split, names in splits.items()} == {"train": 28, "valid": 2, "test": 2}
    assert_no_leak(splits, lambda name: name.split("/")[0])


def test_a_timit_sentence_that_is_there_twice_is_taken_once(tmp_path):
    names = timit([f"{part}/DR1/F{i}" for part in ("TRAIN", "TEST") for i in range(4)])
    splits = found(touch(tmp_path, [*names, *(f"{name}.wav" for name in names)]), "timit")
    taken = [name for names in splits.values() for name in names]
    assert sorted(taken) == sorted(name for name in names if "SA" not in name)


@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("dataset/{sound}/AB{i:02}_4_{k}_0_31_0_0_0.wav", lambda name: name.split("/")[-1].split("_")[0]),
        ("actor{i}/{sound}/{sound}_{k}.wav", lambda name: name.split("/")[0]),
        ("actor{i}-{sound}-{k}.wav", lambda name: name.split("-")[0]),
    ],
)
def test_onomatopoeia_keeps_an_actor_in_one_split(tmp_path, name, actor):
    names = [name.format(i=i, sound=sound, k=k) for i in range(40) for sound in ("cough", "sigh") for k in (1, 2)]
    splits = found(touch(tmp_path, names), "onomatopoeia")
    assert {split: len(names) for split, names in splits.items()} == {"train": 144, "valid": 8, "test": 8}
    assert_no_leak(splits, actor)


def test_accent_is_split_by_speaker(tmp_path):
    names = [f"{language}/{language}{i}.mp3" for language in ("english", "arabic") for i in range(1, 31)]
    splits = found(touch(tmp_path, [*names, "wav/english7.wav"]), "accent")
    assert {split: len(names) for split, names in splits.items()} == {"train": 55, "valid": 3, "test": 3}
    assert_no_leak(splits, lambda name: Path(name).stem)


def test_blizzard_is_split_by_chapter(tmp_path):
    segmented = [f"jane_eyre/CB-JE-{c:02}-{s:02}.wav" for c in range(1, 21) for s in range(1, 4)]
    books = [f"{book}/{c:02}.mp3" for book in ("emma", "black_beauty") for c in range(1, 21)]
    splits = found(touch(tmp_path / "segmented", segmented), "blizzard")
    assert {split: len(names) for split, names in splits.items()} == {"train": 54, "valid": 3, "test": 3}
    assert_no_leak(splits, lambda name: name.rpartition("-")[0])
    splits = found(touch(tmp_path / "unsegmented", [*books, "emma/01.flac"]), "blizzard")
    assert {split: len(names) for split, names in splits.items()} == {"train": 37, "valid": 2, "test": 2}
    assert_no_leak(splits, lambda name: name.rpartition(".")[0])
    where = {name: split for split, names in splits.items() for name in names}
    assert any(where[f"emma/{c:02}.mp3"] != where[f"black_beauty/{c:02}.mp3"] for c in range(1, 21))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_train_valid_and_test_folders_are_taken_as_they_are_and_hidden_files_as_none(tmp_path, layout):
    names = [f"{split}/english{i}.wav" for i, split in enumerate(("train", "valid", "test"))]
    splits = found(touch(tmp_path, [*names, "train/._english0.wav"]), layout)
    assert splits == {"train": [names[0]], "valid": [names[1]], "test": [names[2]]}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder_is_one_clear_line(tmp_path, layout):
    with pytest.raises(DataError, match=f"no recordings .* for any part in the layout '{layout}'; is it") as caught:
        find_recordings(touch(tmp_path, ["README.txt"]), layout)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "key"),
    [
        ("folders", r"a hash of the prompt \(the file name up to its second _\)"),
        ("blizzard", "chapter"),
        ("timit", "speaker"),
        ("onomatopoeia", "actor"),
        ("accent", "speaker"),
    ],
)
def test_a_part_without_recordings_says_what_the_split_goes_by(tmp_path, layout, key):
    with pytest.raises(DataError, match=f"no recordings for its .* part .* goes by {key}.*; give more") as caught:
        find_recordings(touch(tmp_path, ["one-1.wav", "one-2.wav"][: 1 if layout == "accent" else 2]), layout)
    assert "\n" not in str(caught.value)


def test_a_few_keys_leave_no_split_empty_and_the_split_is_stable():
    assert sorted(ranked_splits("abc").values()) == ["test", "train", "valid"]
    counts = list(ranked_splits(f"speaker{i}" for i in range(100)).values())
    assert [counts.count(split) for split in ("train", "valid", "test")] == [90, 5, 5]
    # Who trained with one version of this package should not test on training speakers with the next.
    assert ranked_splits(["b", "a", "b", "c"]) == ranked_splits("cba") == {"c": "test", "b": "valid", "a": "train"}


def sphere(path: Path, samples, rate=16000, coding="pcm"):
    """Write NIST SPHERE as TIMIT has it: a header of 1024 bytes, then 16-bit samples."""
    fields = {"channel_count": 1, "sample_count": len(samples), "sample_rate": rate, "sample_n_bytes": 2}
    lines = ["NIST_1A", "   1024", *(f"{name} -i {value}" for name, value in fields.items())]
    lines += ["sample_byte_format -s2 01", f"sample_coding -s{len(coding)} {coding}", "end_head"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join([*lines, ""]).encode().ljust(1024) + samples.astype("<i2").tobytes())


def test_sphere_is_read_and_shorten_is_named(tmp_path):
    samples = np.random.default_rng(0).integers(-3000, 3000, 4000)
    sphere(tmp_path / "SX1.WAV", samples)
    assert np.array_equal(read_mono(tmp_path / "SX1.WAV", 16000), samples)
    sphere(tmp_path / "SX2.WAV", samples, coding="pcm,embedded-shorten-v2.00")
    with pytest.raises(DataError, match=r"SX2\.WAV: .*compressed with Shorten.*decompress it"):
        read_mono(tmp_path / "SX2.WAV", 16000)


def test_timit_trains_from_sphere(tmp_path):
    rng = np.random.default_rng(0)
    for name in timit([f"{part}/DR1/F{i}" for part in ("TRAIN", "TEST") for i in range(3)]):
        sphere(tmp_path / name, rng.integers(-3000, 3000, 4000))
    corpus = SpeechCorpus(tmp_path, 16000, **LANES, layout="timit")
    assert {split: len(part.bounds) - 1 for split, part in corpus.parts.items()} == {"train": 6, "valid": 3, "test": 9}
    assert len(list(corpus.epoch("train", np.random.default_rng(0)))) == 119


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_recording_in_blocks_is_the_recording(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((30000, 2)), 44100)
    for rate in (16000, 44100):
        whole = read_mono(path, rate)
        monkeypatch.setattr(recordings, "BLOCK", 1000)
        assert np.array_equal(read_mono(path, rate), whole)
        monkeypatch.undo()
        assert abs(len(whole) - 30000 * rate / 44100) < 2


SPLITS = ("train", "valid", "test")
NAMES = [f"{split}/{i}.flac" for split in SPLITS for i in range(4)]


def spoil(path: Path) -> None:
    """Damage a recording in its middle, so that its beginning can be read."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)


def test_a_corrupt_recording_is_left_out_named_and_counted(tmp_path, logged, monkeypatch):
    monkeypatch.setattr(recordings, "BLOCK", 500)
    folder = make_speech(tmp_path / "speech", NAMES, seconds=4)  # several frames of FLAC
    for name in ("train/1.flac", "valid/2.flac"):
        spoil(folder / name)
    again = [SpeechCorpus(folder, 8000, **LANES) for _ in range(2)]  # decoded, then from the cache
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
            SpeechCorpus(folder, 8000, **LANES, strict=True)


def test_strict_refuses_before_anything_is_cached_and_accepts_what_is_whole(tmp_path):
    folder = make_speech(tmp_path / "speech", NAMES)
    SpeechCorpus(folder, 8000, **LANES, strict=True)
    spoil(folder / "test/0.flac")
    with pytest.raises(DataError, match=r"test/0\.flac: not a readable"):
        SpeechCorpus(folder, 8000, **LANES, strict=True)
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 1


def test_many_corrupt_recordings_are_one_line(tmp_path, logged):
    folder = make_speech(tmp_path / "speech", [f"{split}/{i}.flac" for split in SPLITS for i in range(12)])
    for i in range(8):
        (folder / f"train/{i}.flac").write_bytes(b"no sound")
    SpeechCorpus(folder, 8000, **LANES)
    assert logged[0].endswith("; and 3 more")
    assert logged[0].count("not a readable recording") == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "not a readable recording"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda path: soundfile.write(path, np.zeros(0), 8000), "without samples"),
        (lambda path: soundfile.write(path, np.full(9, np.nan), 8000, subtype="FLOAT"), "not finite"),
    ],
    ids=["empty", "folder", "dangling", "no samples", "nan"],
)
def test_what_is_no_recording_is_skipped_and_says_why(tmp_path, make, message):
    folder = make_speech(tmp_path / "speech", NAMES)
    make(folder / "train" / "odd.wav")
    corpus = SpeechCorpus(folder, 8000, **LANES)
    assert len(corpus.skipped) == 1
    assert "train/odd.wav: " in corpus.skipped[0]
    assert message in corpus.skipped[0]


def test_mixed_rates_and_channels_become_one(tmp_path):
    folder = make_speech(tmp_path / "speech", NAMES)
    make_speech(folder, ["train/1.wav"], rate=44100)
    make_speech(folder, ["train/2.wav"], rate=16000, channels=2)
    corpus = SpeechCorpus(folder, 8000, **LANES)
    assert np.diff(corpus.parts["train"].bounds).tolist() == [4000] * 6


def test_recordings_are_decoded_once_and_again_when_they_change(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)
    decoded = []

    def counted(path, rate):
        decoded.append(path.name)
        return recordings.mono_blocks(path, rate)

    monkeypatch.setattr(cache, "mono_blocks", counted)
    first, second = (SpeechCorpus(folder, 8000, **LANES) for _ in range(2))
    assert len(decoded) == 12
    assert isinstance(second.parts["train"].samples, np.memmap)
    assert np.array_equal(first.fitting_signal(), second.fitting_signal())
    make_speech(folder, ["train/0.flac"], seconds=0.4)
    changed = SpeechCorpus(folder, 8000, **LANES)
    assert len(decoded) == 24
    assert len(changed.parts["train"].samples) == len(first.parts["train"].samples) - 800
    os.utime(folder / "train/0.flac", (0, 0))
    SpeechCorpus(folder, 8000, **LANES)
    SpeechCorpus(folder, 4000, **LANES)
    assert len(decoded) == 48


def test_a_cache_that_cannot_be_written_or_is_damaged_is_one_clear_line(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)
    SpeechCorpus(folder, 8000, **LANES)
    (kept,) = (tmp_path / "cache" / "corpora").iterdir()
    (kept / "train.int16").write_bytes(b"short")
    with pytest.raises(DataError, match=r"damaged cache .* delete it"):
        SpeechCorpus(folder, 8000, **LANES)
    (kept / "index.json").write_text("{}")
    with pytest.raises(DataError, match=r"damaged cache .* delete it"):
        SpeechCorpus(folder, 8000, **LANES)
    (tmp_path / "file").touch()
    monkeypatch.setenv("VRNN_ENGINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot keep decoded recordings here .*VRNN_ENGINE_CACHE") as caught:
        SpeechCorpus(folder, 8000, **LANES)
    assert "\n" not in str(caught.value)


def test_what_is_interrupted_leaves_no_cache(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)

    def interrupted(path, rate):
        if path.parent.name == "valid":
            raise KeyboardInterrupt
        return recordings.mono_blocks(path, rate)

    monkeypatch.setattr(cache, "mono_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SpeechCorpus(folder, 8000, **LANES)
    assert list((tmp_path / "cache" / "corpora").iterdir()) == []


def test_of_two_who_want_the_same_cache_one_decodes_and_the_other_waits(tmp_path, monkeypatch):
    folder = make_speech(tmp_path / "speech", NAMES)
    decoded, both = [], threading.Barrier(2)

    def counted(path, rate):
        decoded.append(path.name)
        return recordings.mono_blocks(path, rate)

    def read(_):
        both.wait()
        return SpeechCorpus(folder, 8000, **LANES).std

    monkeypatch.setattr(cache, "mono_blocks", counted)
    with ThreadPoolExecutor(2) as two:
        one, other = two.map(read, range(2))
    assert one == other
    assert len(decoded) == 12
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 1


def materialised(corpus, split, rng, frame_size, lanes, chunk, carry, context):
    """An epoch as plain code says it: the whole signal in memory, one draw of noise for it."""
    part = corpus.parts[split]
    whole = [part.samples[a:b] for a, b in zip(part.bounds[:-1], part.bounds[1:], strict=True)]
    if rng is not None:
        whole = [whole[i] for i in rng.permutation(len(whole))]
        whole[0] = whole[0][int(rng.integers(frame_size)) :]
    signal = np.concatenate(whole).astype(np.float32)
    if rng is not None:
        signal += rng.random(len(signal), dtype=np.float32) - 0.5
    signal *= speech.QUANTUM / corpus.std[0]
    signal -= corpus.mean[0] / corpus.std[0]
    blocks = signal[: len(signal) // frame_size * frame_size].reshape(-1, frame_size)
    length = (len(blocks) - context) // lanes
    for position in range(0, length - chunk + 1, chunk):
        rows = (np.arange(lanes) * length)[None, :] + position + np.arange(context + chunk)[:, None]
        yield blocks[rows], position // chunk % carry == 0


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3])
def test_an_epoch_is_that_of_the_whole_signal(tmp_path, seed):
    lengths = [0.5, 0.01, 0.33, 0.0001, 0.21]
    folder = make_speech(tmp_path, [f"{split}/x.wav" for split in SPLITS])
    for i, seconds in enumerate(lengths):
        make_speech(folder, [f"train/{i}.wav"], seconds=seconds)
    lanes = LANES | {"frame_size": 7, "lanes": 3, "context": 2}
    corpus = SpeechCorpus(folder, 8000, **lanes)
    rng = lambda: None if seed is None else np.random.default_rng([9, seed])  # noqa: E731
    lazy = list(corpus.epoch("train", rng()))
    plain = list(materialised(corpus, "train", rng(), **lanes))
    assert len(lazy) == len(plain) > 50
    for batch, (signal, fresh) in zip(lazy, plain, strict=True):
        assert np.array_equal(batch.signal, signal)
        assert batch.fresh == fresh


@pytest.mark.parametrize("drawn", [0, 1, 2, 3])
def test_noise_is_the_same_wherever_one_begins_to_read(drawn):
    rng = np.random.default_rng(5)
    rng.random(drawn, dtype=np.float32)  # an odd number leaves half of a 64-bit draw
    noise = Noise(rng)
    whole = rng.random(100, dtype=np.float32)
    for first, count in ((0, 100), (0, 3), (1, 5), (2, 98), (51, 20), (99, 1), (7, 0)):
        assert np.array_equal(noise.read(first, count), whole[first : first + count])


def test_joined_recordings_are_read_across_their_joins():
    samples, bounds = np.arange(20, dtype=np.int16), np.array([0, 5, 5, 12, 20])
    part = cache.Decoded(samples, bounds, 0.0, 1.0)
    joined = Joined(part, np.array([2, 1, 3, 0]), 3)
    whole = np.concatenate([samples[8:12], samples[12:20], samples[0:5]])
    assert len(joined) == 17
    for first in range(17):
        for count in range(18 - first):
            assert np.array_equal(joined.read(first, count), whole[first : first + count])
    assert len(Joined(part, np.array([0, 1, 2, 3]), 6)) == 15  # the first is left out as a whole
    assert bounds.tolist() == [0, 5, 5, 12, 20]


def test_a_long_corpus_gives_a_fixed_part_of_it_for_fitting(tmp_path, monkeypatch):
    folder = make_speech(tmp_path, [f"{split}/{i}.wav" for split in SPLITS for i in range(4)])
    corpus = SpeechCorpus(folder, 8000, **LANES)
    whole = corpus.fitting_signal()
    assert whole.shape == (800, 20)
    monkeypatch.setattr(speech, "FITTING_FRAMES", 105)
    monkeypatch.setattr(speech, "FITTING_STRETCH", 10)
    part = corpus.fitting_signal()
    assert part.shape == (100, 20)
    assert np.array_equal(part, corpus.fitting_signal())
    rows = {row.tobytes(): i for i, row in enumerate(whole)}
    at = np.array([rows[row.tobytes()] for row in part]).reshape(10, 10)
    assert (np.diff(at, axis=1) == 1).all()  # stretches
    assert (np.diff(at[:, 0]) >= 10).all()
    assert np.ptp(at) > 400


def test_the_recipe_chooses_the_layout_and_strict_reaches_the_corpus(tmp_path):
    folder = make_speech(tmp_path / "speech", [f"english{i}.wav" for i in range(1, 10)])
    recipe = speech_recipe()
    assert recipe.data.layout == "folders"
    by_speaker = SpeechData(rate=8000, lanes=2, chunk=10, carry=2, layout="accent")
    recipe = msgspec.structs.replace(recipe, data=by_speaker)
    corpus = open_corpus(recipe, folder)
    assert {split: len(part.bounds) - 1 for split, part in corpus.parts.items()} == {"train": 7, "valid": 1, "test": 1}
    (folder / "english3.wav").write_bytes(b"no sound")
    assert len(open_corpus(recipe, folder).skipped) == 1
    with pytest.raises(DataError, match=r"english3\.wav: not a readable"):
        train(recipe, folder, tmp_path / "run", strict=True)
    assert not (tmp_path / "run").exists()


def test_the_command_line_warns_in_one_line_and_strict_fails(tmp_path):
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
