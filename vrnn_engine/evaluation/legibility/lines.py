"""Real lines of ink with their texts, for the recogniser: those that a voice has seen are left out.

Of the corpus that the voice was trained on, the lines of its train split are left out, and those of its test split are
held out as a test of the recogniser.  All others train the recogniser: those of the valid split, and those that the
recipe leaves out.  Of a corpus of other writers, the split of a line is decided by a hash of its writer or form.
"""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import numpy as np

from vrnn_engine.data.batches import split_by_hash
from vrnn_engine.data.options import PenData
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.data.text.lines import wraps
from vrnn_engine.data.text.prepared import TextLine, prepared_lines
from vrnn_engine.errors import DataError

READING = PenData(rows=1, chunk=1, rate=30, resample=True, height_mm=1.8)
"""How lines are read; it determines how much strokes are smoothed.  The recogniser sees neither time nor size."""
LEAST, MOST = 2.0, 80.0
"""Limits of the number of points per character: outside, the text is not that of the ink."""
LONGEST = 90
"""Most characters of a text; longer lines make batches slow."""
STRUCK_OUT = "#"
"""Stands for a struck-out word in the texts of IAM-OnDB."""
NEW_WRITER_PARTS = 5
"""Of a session that a voice was not trained on, one line in this number is held out."""

Lines = dict[str, list[TextLine]]
"""Lines by the name of their split or corpus."""


def voice_lines(path: Path, alphabet: str, options: PenData, new: Set[str] = frozenset()) -> Lines:
    """Sort the lines of a voice's own corpus by whether the voice was trained on them.

    Parameters
    ----------
    path : Path
        The corpus, with texts.
    alphabet : str
        Characters that a text may have.
    options : PenData
        How the voice's recipe selects and splits the lines; `options.text` must be set.
    new : set of str
        Sessions without which the voice was trained.

    Returns
    -------
    dict
        `seen`: lines that the voice was trained on; `test`: its test split; `new`: held-out lines of the sessions in
        `new`, some of which are in `test` as well; `train`: all others.

    Raises
    ------
    DataError
        The corpus is not readable, or has no usable lines in a split.
    """
    corpus = TextCorpus(path, alphabet, options)
    seen, held_out = set(corpus.identities["train"]), set(corpus.identities["test"])
    found: Lines = {"seen": [], "train": [], "test": [], "new": []}
    for line in read_lines(path, alphabet):
        splits = []
        if line.writer in new and is_held_out_of_new(line.id):
            splits.append("new")
        if line.id in held_out:
            splits.append("test")
        if not splits:
            splits.append("seen" if line.id in seen and line.writer not in new else "train")
        for split in splits:
            found[split].append(line)
    return found


def is_held_out_of_new(line: str) -> bool:
    """Return whether a line of a session that a voice was not trained on is held out.

    A test line of the usual split, with 20 parts, is always held out.

    Parameters
    ----------
    line : str
        Id of the line.
    """
    return split_by_hash(line, NEW_WRITER_PARTS) == "test"


def other_lines(path: Path, alphabet: str) -> Lines:
    """Read the lines of a corpus of writers that the voice never saw; they are split by a hash of the writer or form.

    Parameters
    ----------
    path : Path
        The corpus, with texts.
    alphabet : str
        Characters that a text may have.

    Returns
    -------
    dict
        `train`, `valid` and `test`: lists of lines.

    Raises
    ------
    DataError
        The corpus is not readable, or has no texts.
    """
    found: Lines = {"train": [], "valid": [], "test": []}
    for line in read_lines(path, alphabet.replace(STRUCK_OUT, "")):
        found[split_by_hash(line.writer)].append(line)
    return found


def read_lines(path: Path, alphabet: str) -> Iterator[TextLine]:
    """Yield the lines of a corpus whose ink fits their text.

    Every stroke is smoothed and resampled as for the training of a voice.  Lines with a second row are left out.

    Parameters
    ----------
    path : Path
        The corpus, with texts.
    alphabet : str
        Characters that a text may have; lines with others are left out.

    Raises
    ------
    DataError
        The corpus is not readable, or has no texts.
    """
    known = set(alphabet)
    for line in prepared_lines(path, READING):
        if not 0 < len(line.text) <= LONGEST or not set(line.text) <= known:
            continue
        if LEAST <= len(line.ink) / len(line.text) <= MOST and not wraps(line.ink):
            yield line


def held_out_lines(paths: list[Path], identities: frozenset[str], alphabet: str) -> Lines:
    """Read the lines that were held out from the training of a recogniser.

    Parameters
    ----------
    paths : list of Path
        The corpora of its training.
    identities : frozenset of str
        Ids of the lines that were held out.
    alphabet : str
        Characters that a text may have.

    Returns
    -------
    dict
        The held-out lines of each corpus, by the name of its file without its ending.

    Raises
    ------
    DataError
        A corpus is not readable, has no texts, or has no line that was held out.
    """
    found: Lines = {}
    for path in paths:
        found[path.stem] = [line for line in read_lines(path, alphabet) if line.id in identities]
        if not found[path.stem]:
            raise DataError(f"{path}: none of its lines was held out when the recogniser was trained; give its corpora")
    return found


def sample(lines: Sequence[TextLine], most: int, alphabet: Set[str]) -> list[TextLine]:
    """Return some of the lines, always the same ones, without those with characters outside an alphabet.

    Parameters
    ----------
    lines : sequence of TextLine
        The lines.
    most : int
        Largest number of lines returned.
    alphabet : set of str
        Characters that a text may have.
    """
    fit = [line for line in lines if set(line.text) <= alphabet]
    places = np.random.default_rng(0).permutation(len(fit))[:most]
    return [fit[place] for place in sorted(places)]
