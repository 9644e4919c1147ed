"""Finds the recordings of a corpus and splits them: one function for each layout of files."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from vrnn_engine.data.batches import SPLITS, splits_by_hash
from vrnn_engine.errors import DataError

SUFFIXES = {".flac", ".wav", ".ogg", ".mp3"}
Layout = Literal["folders", "recordings", "blizzard", "timit", "onomatopoeia", "accent"]
Splits = dict[Path, str]
"""Split of each recording."""


class Rule(NamedTuple):
    """How the recordings of a layout are split."""

    split: Callable[[Path], Splits]
    """Maps a folder to the split of each recording."""
    key: str
    """The unit that stays in one split, for messages."""


SHARED_SENTENCES = {"sa1", "sa2"}
CHAPTER = re.compile(r"(.+-\d+)-\d+")
SPEAKER_CLASS_TRIAL = re.compile(r"([^_]+)_\d+_\d+_")


def find_recordings(folder: Path, layout: Layout = "folders") -> dict[str, list[Path]]:
    """Return the recordings of each split, sorted by path.

    Parameters
    ----------
    folder : Path
        If it contains folders `train/`, `valid/` and `test/`, these are the splits, and `layout` has no effect.
    layout : str
        A name in `LAYOUTS`: how to split the recordings if there are no such folders.

    Returns
    -------
    dict
        Paths by `train`, `valid` and `test`; none of them is empty.

    Raises
    ------
    DataError
        The folder does not exist, or a split has no recordings.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such recording or folder of recordings")
    sorted_already = all((folder / split).is_dir() for split in SPLITS)
    if sorted_already:
        files = {split: recordings_in(folder / split) for split in SPLITS}
    else:
        where = LAYOUTS[layout].split(folder)
        files = {split: [path for path in where if where[path] == split] for split in SPLITS}
    for split, found in files.items():
        if found:
            continue
        what = f"recordings ({', '.join(sorted(SUFFIXES))})"
        if sorted_already:
            raise DataError(f"{folder / split}: no {what} in this folder; put some there")
        if not any(files.values()):
            raise DataError(f"{folder}: no {what} in the layout {layout!r}; is it the right folder?")
        raise DataError(
            f"{folder}: its {split} split has no recordings in the layout {layout!r}, "
            f"which splits by {LAYOUTS[layout].key}; "
            "add recordings, or sort them into train/, valid/ and test/; a single long recording is given as a file"
        )
    return files


def recordings_in(folder: Path) -> list[Path]:
    """Return the recordings of a folder and its sub-folders, sorted by path.

    Parameters
    ----------
    folder : Path
        Hidden files in it (such as the ._ copies of macOS) are ignored.
    """
    return sorted(path for path in visible(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)


def visible(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the paths that are not hidden: macOS copies metadata of FILE to ._FILE on other file systems.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders.
    """
    return (path for path in paths if not path.name.startswith("."))


def ranked_splits(keys: Iterable[str]) -> dict[str, str]:
    """Return the split of each key: keys are sorted by a hash; the first 5 % are `test`, the next 5 % `valid`.

    The rest are `train`.  `test` and `valid` have at least one key each, so with three or more keys (speakers) no split
    is empty.

    Parameters
    ----------
    keys : iterable of str
        Names of the units that must each stay in one split; duplicates count once.
    """
    ranked = sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).digest())
    count = max(1, round(len(ranked) / 20))
    return {key: "test" if i < count else "valid" if i < 2 * count else "train" for i, key in enumerate(ranked)}


def _folders(folder: Path) -> Splits:
    """Split by prompt (the file name up to its second underscore), so that all takes of a prompt stay together."""
    return _by_key(folder, lambda path: "_".join(path.stem.split("_")[:2]), splits_by_hash)


def _recordings(folder: Path) -> Splits:
    """Split by recording; `vrnn_engine.data.speech.SpeechCorpus` splits each of only a few recordings in time."""
    return _by_key(folder, lambda path: path.relative_to(folder).as_posix())


def _blizzard(folder: Path) -> Splits:
    """Split Blizzard 2013, which has one reader, by chapter.

    A chapter is one file BOOK/NN.mp3 of the unsegmented set, or all sentences BOOK/CB-XX-NN-SENTENCE.wav of the
    segmented set.  Copies of a recording in several formats stay together.
    """

    def chapter(path: Path) -> str:
        sentence = CHAPTER.fullmatch(path.stem)
        return path.relative_to(folder).with_name(sentence[1] if sentence else path.stem).as_posix()

    return _by_key(folder, chapter)


def _timit(folder: Path) -> Splits:
    """Split TIMIT, ...TRAIN|TEST/DRn/SPEAKER/SENTENCE.WAV: official test speakers, and 5 % of the others as `valid`.

    If there are no folders TRAIN and TEST (as in the TIMIT sample of nltk), speakers are split 0.9/0.05/0.05.
    SA1 and SA2 are left out: every speaker reads these two sentences, so their text would be in all splits.
    Some copies have each recording twice, as SPHERE (SX1.WAV) and as RIFF (SX1.WAV.wav); the SPHERE file is used.
    """
    recordings = {(path.parent, path.name.lower().split(".")[0]): path for path in reversed(recordings_in(folder))}
    kept = {path: speaker for (speaker, sentence), path in recordings.items() if sentence not in SHARED_SENTENCES}
    official = {speaker: _train_or_test(speaker.relative_to(folder)) for speaker in kept.values()}
    ranked = ranked_splits(speaker.name.lower() for speaker, part in official.items() if part != "test")

    def split(speaker: Path) -> str:
        part = official[speaker] or ranked[speaker.name.lower()]
        return "valid" if part == "train" and ranked[speaker.name.lower()] == "valid" else part

    return {path: split(speaker) for path, speaker in sorted(kept.items())}


def _train_or_test(path: Path) -> str:
    return next((part.lower() for part in path.parts if part.lower() in {"train", "test"}), "")


def _onomatopoeia(folder: Path) -> Splits:
    """Split human sounds without words by actor.

    The actor is the first part of a name SPEAKER_CLASS_TRIAL_... whose other parts are numbers (as in the Nonverbal
    Vocalization set); else the first sub-folder; else, in a flat folder, the name up to its first underscore or dash.
    """

    def actor(path: Path) -> str:
        if named := SPEAKER_CLASS_TRIAL.match(path.stem):
            return named[1]
        first, *rest = path.relative_to(folder).parts
        return first if rest else re.split("[_-]", path.stem)[0]

    return _by_key(folder, actor)


def _accent(folder: Path) -> Splits:
    """Split the Speech Accent Archive by speaker; each has a file (english1.mp3), in one folder or several."""
    return _by_key(folder, lambda path: path.stem.lower())


def _by_key(
    folder: Path,
    key: Callable[[Path], str],
    split: Callable[[Iterable[str]], dict[str, str]] = ranked_splits,
) -> Splits:
    keys = {path: key(path) for path in recordings_in(folder)}
    splits = split(keys.values())
    return {path: splits[key] for path, key in keys.items()}


LAYOUTS: dict[Layout, Rule] = {
    "folders": Rule(_folders, "a hash of the prompt (the file name up to its second _)"),
    "recordings": Rule(_recordings, "recording"),
    "blizzard": Rule(_blizzard, "chapter"),
    "timit": Rule(_timit, "speaker"),
    "onomatopoeia": Rule(_onomatopoeia, "actor"),
    "accent": Rule(_accent, "speaker (the file name)"),
}
