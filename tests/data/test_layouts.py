"""Layouts of speech corpora: the splits, with no speaker, actor or chapter in two of them."""

from itertools import combinations
from pathlib import Path

import pytest
from support.corpora import make_speech

from vrnn_engine.data.batches import split_by_hash, splits_by_hash
from vrnn_engine.data.layouts import LAYOUTS, find_recordings, ranked_splits
from vrnn_engine.errors import DataError


def touch(folder: Path, names) -> Path:
    """Make empty files: a layout looks at names only."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder: Path, layout):
    """Return the paths in each split, relative to the folder."""
    files = find_recordings(folder, layout)
    return {split: [path.relative_to(folder).as_posix() for path in paths] for split, paths in files.items()}


def assert_no_leak(splits, key):
    keys = [{key(name) for name in names} for names in splits.values()]
    assert all(keys)
    assert not any(one & two for one, two in combinations(keys, 2))


def timit(speakers, sentences=("SA1", "SA2", "SI1001", "SX11", "SX12"), suffix=".WAV"):
    return [f"{speaker}/{sentence}{suffix}" for speaker in speakers for sentence in sentences]


def test_timit_keeps_official_test_speakers_and_validates_on_5_percent_of_the_others(tmp_path):
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


def test_timit_sentence_present_twice_is_used_once(tmp_path):
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
def test_train_valid_test_folders_are_the_splits_and_hidden_files_are_ignored(tmp_path, layout):
    names = [f"{split}/english{i}.wav" for i, split in enumerate(("train", "valid", "test"))]
    splits = found(touch(tmp_path, [*names, "train/._english0.wav"]), layout)
    assert splits == {"train": [names[0]], "valid": [names[1]], "test": [names[2]]}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_empty_folder_raises_one_line(tmp_path, layout):
    with pytest.raises(DataError, match=f"no recordings .* in the layout '{layout}'; is it") as caught:
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
def test_empty_split_error_says_how_recordings_are_split(tmp_path, layout, key):
    with pytest.raises(
        DataError, match=f"its .* split has no recordings in the layout .*, which splits by {key}.*; add"
    ) as caught:
        find_recordings(touch(tmp_path, ["one-1.wav", "one-2.wav"][: 1 if layout == "accent" else 2]), layout)
    assert "\n" not in str(caught.value)


def test_ranked_splits_are_stable_and_not_empty():
    assert sorted(ranked_splits("abc").values()) == ["test", "train", "valid"]
    counts = list(ranked_splits(f"speaker{i}" for i in range(100)).values())
    assert [counts.count(split) for split in ("train", "valid", "test")] == [90, 5, 5]
    # A later version of this package must not test on speakers that an earlier version trained on.
    assert ranked_splits(["b", "a", "b", "c"]) == ranked_splits("cba") == {"c": "test", "b": "valid", "a": "train"}


def test_takes_of_one_prompt_stay_in_one_split(tmp_path):
    names = [f"arctic_a{i:04d}_take{k}.wav" for i in range(60) for k in range(3)]
    files = find_recordings(make_speech(tmp_path, names, seconds=0.01))
    where = {}
    for split, paths in files.items():
        for path in paths:
            where.setdefault(path.stem.rsplit("_", 1)[0], set()).add(split)
    assert sum(map(len, files.values())) == 180
    assert all(len(splits) == 1 for splits in where.values())
    assert all(files.values())


@pytest.mark.parametrize("layout", ["folders", "blizzard", "onomatopoeia", "accent"])
@pytest.mark.parametrize("count", [3, 4, 9])
def test_three_recordings_are_enough_for_every_split(tmp_path, layout, count):
    names = [f"english{i}.wav" for i in range(count)]
    splits = found(touch(tmp_path, names), layout)
    assert sorted(name for part in splits.values() for name in part) == names
    assert len(splits["train"]) == count - 2
    assert len(splits["valid"]) == len(splits["test"]) == 1


def test_two_recordings_do_not_make_a_corpus(tmp_path):
    with pytest.raises(DataError, match=r"split has no recordings in the layout 'folders', .* is given as a file"):
        find_recordings(touch(tmp_path, ["a.wav", "b.wav"]))


def test_key_keeps_the_split_of_its_hash_unless_a_split_would_be_empty():
    many = [f"prompt{i}" for i in range(200)]
    assert splits_by_hash(many) == {key: split_by_hash(key) for key in many}
    few = splits_by_hash(many[:9])
    assert sorted(few.values()) == ["test", *["train"] * 7, "valid"]
    assert splits_by_hash(reversed(many[:9])) == few
