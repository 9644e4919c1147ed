"""Error rates of recognised lines by class of character, and lines with missing or stray strokes.

Errors are those of an alignment with the fewest insertions, deletions and substitutions.  A character of the text is
wrong if another one or none stands for it.  The rate of all characters contains the inserted ones as well; that of a
class does not, because an inserted character belongs to no character of the text.  Some capitals differ from their
small letters only in size, so there is also a rate that ignores case.
"""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vrnn_engine.evaluation.legibility.alignment import Pairs, align, distance
from vrnn_engine.evaluation.legibility.recogniser import Reading

CLASSES = {"lower case": string.ascii_lowercase, "capitals": string.ascii_uppercase, "digits": string.digits}
"""Characters of each class; all others but the space are punctuation."""
COUNTS = ("all", "case ignored", *CLASSES, "punctuation")
"""What is counted of each line: wrong characters and characters."""
RUN = 3
"""Smallest number of successive characters, missing or inserted, that is a fault of the line."""
UNREAD = 90
"""Smallest number of points of ink between two characters that follow each other in the text that is stray: 30 heights
of the ink."""
SAMPLES = 2000
"""Samples of the bootstrap."""


@dataclass(frozen=True)
class LineErrors:
    """Errors of one line, or of a page."""

    group: str
    """Lines of one group are not independent: those of a writer, or of one text in several hands."""
    wrong: tuple[int, ...]
    """Number of errors, for each of `COUNTS`."""
    characters: tuple[int, ...]
    """Number of characters of the text, for each of `COUNTS`."""
    incomplete: bool
    """At least 3 successive characters are missing in the ink, or the last word is."""
    stray: bool
    """The ink has at least 3 successive characters that the text does not have, or ink that is no character."""


@dataclass(frozen=True)
class Rate:
    """A rate with its uncertainty."""

    rate: float
    """NaN if nothing was counted."""
    low: float
    high: float
    """Limits of the 95 % confidence interval."""
    count: int
    """Number of characters, or of lines."""


def line_errors(text: str, read: Reading, group: str) -> LineErrors:
    """Compare what was read with the text.

    Parameters
    ----------
    text : str
        The text of the line.
    read : Reading
        What the recogniser reads.
    group : str
        Name of the group of the line; see `LineErrors`.
    """
    pairs = align(text, read.text)
    right = {i for i, j in pairs if i is not None and j is not None and text[i] == read.text[j]}
    inserted = sum(i is None for i, _ in pairs)
    kinds = [_kind(character) for character in text]
    wrong = [kind for place, kind in enumerate(kinds) if place not in right]
    return LineErrors(
        group,
        (len(wrong) + inserted, distance(text.lower(), read.text.lower()), *(wrong.count(kind) for kind in COUNTS[2:])),
        (len(kinds), len(kinds), *(kinds.count(kind) for kind in COUNTS[2:])),
        _is_incomplete(text, pairs),
        _has_stray_ink(read, pairs),
    )


def rates(lines: Sequence[LineErrors], seed: int = 0) -> dict[str, Rate]:
    """Return the rates of some lines with bootstrap intervals.

    The bootstrap draws groups, so that lines that are not independent do not narrow the intervals.

    Parameters
    ----------
    lines : sequence of LineErrors
        At least one.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        The error rates of `COUNTS`, and the shares of lines that are `incomplete`, `stray` and `faulty`: one of both.
    """
    names = {group: place for place, group in enumerate(sorted({line.group for line in lines}))}
    group = np.array([names[line.group] for line in lines])
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), SAMPLES)
    columns = {
        name: ([line.wrong[k] for line in lines], [line.characters[k] for line in lines])
        for k, name in enumerate(COUNTS)
    }
    ones = [1] * len(lines)
    columns["incomplete"] = [int(line.incomplete) for line in lines], ones
    columns["stray"] = [int(line.stray) for line in lines], ones
    columns["faulty"] = [int(line.incomplete or line.stray) for line in lines], ones
    found = {}
    for name, (wrong, total) in columns.items():
        above, below = (np.bincount(group, values, len(names)) for values in (wrong, total))
        found[name] = _rate(above, below, drawn)
    return found


def _rate(wrong: np.ndarray, total: np.ndarray, drawn: np.ndarray) -> Rate:
    """Return the ratio of two sums over groups, with the interval from drawn numbers [samples, groups] of them."""
    if not total.sum():
        return Rate(np.nan, np.nan, np.nan, 0)
    below = drawn @ total
    low, high = np.quantile((drawn @ wrong)[below > 0] / below[below > 0], (0.025, 0.975))
    return Rate(float(wrong.sum() / total.sum()), float(low), float(high), int(total.sum()))


def _kind(character: str) -> str:
    """Return the class of a character; that of the space is empty."""
    named = (name for name, members in CLASSES.items() if character in members)
    return next(named, "" if character == " " else "punctuation")


def _is_incomplete(text: str, pairs: Pairs) -> bool:
    """Return whether successive characters or the last word are missing."""
    missing = {i for i, j in pairs if i is not None and j is None}
    last_word = range(text.rstrip().rfind(" ") + 1, len(text.rstrip()))
    return missing.issuperset(last_word) or max(_runs([i in missing for i, c in enumerate(text) if c != " "])) >= RUN


def _has_stray_ink(read: Reading, pairs: Pairs) -> bool:
    """Return whether successive characters are inserted, or much ink is no character."""
    inserted = {j for i, j in pairs if i is None}
    if max(_runs([j in inserted for j, c in enumerate(read.text) if c != " "])) >= RUN:
        return True
    # Much ink before a character is stray if no character of the text is missing there.
    skipped = False
    for _, j in [*pairs, (None, len(read.text))]:
        if j is None:
            skipped = True
            continue
        if read.ink[j] >= UNREAD and not skipped:
            return True
        skipped = False
    return False


def _runs(flags: Sequence[bool]) -> Iterator[int]:
    """Yield the length of the run of true values that ends at each value, and first 0."""
    length = 0
    yield length
    for flag in flags:
        length = length + 1 if flag else 0
        yield length
