"""A corpus of handwritten lines with their texts, for text-conditioned models."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import SPLITS, Batch, Floats, splits_by_hash
from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.style import plain
from vrnn_engine.data.text.lines import join_lines, random_gap, wraps
from vrnn_engine.data.text.prepared import TextLine, prepared_lines
from vrnn_engine.errors import DataError

NOISE_STD = 0.01
"""Sd of the noise on the moves of a line in training, in sds of all moves: without it, densities would grow without
bound where moves repeat."""
REST_STD = 0.1
"""Sd of the moves of a resting pen, in sds of all moves; exact zeros would have an infinite density."""
COMMON = 0.01
"""A character is rare if at most this share of lines contains it."""

_log = logging.getLogger(__name__)

Indices = NDArray[np.int64]


class TextCorpus:
    """Lines of ink with their texts: resampled, transformed to the usual style, normalised by the training split.

    Lines that do not fit are left out: without text, with characters outside the alphabet, with a text that is too
    short or too long, with too few or too many points for their text, or with a second row.  A logged warning counts
    them by reason.  A batch contains whole lines of similar length.

    Parameters
    ----------
    path : Path
        An .npz or .jsonl file of lines with texts, or a folder of IAM-OnDB with its transcripts; see
        `vrnn_engine.data.text.prepared.prepared_lines`.
    alphabet : str
        Characters that a text may have; their indices begin at 1.
    options : PenData
        How to scale, select and batch the lines; `options.text` must be set.  Every stroke is smoothed, and then
        resampled to `rate`.
    strict : bool
        Raise an error if a file of a folder cannot be read, instead of leaving it out with a logged warning.

    Attributes
    ----------
    lines : dict of lists of float32 arrays [n, 3]
        Each split's lines as (dx, dy, pen-up), in the usual style, not normalised.
    texts : dict of lists of str
        Text of each line.
    writers : dict of lists of str
        Writer of each line: its id up to the last `#`, if it has one; else its `contributor`.
    identities : dict of lists of str
        Id of each line.
    left_out : dict of str to int
        Number of lines left out, by reason.
    mean, std : tuple of float
        Of dx and dy over the training split.

    Raises
    ------
    DataError
        The file is not readable, lacks an array, or has no usable lines in a split.
    """

    def __init__(self, path: Path, alphabet: str, options: PenData, strict: bool = False):
        if options.text is None:
            raise DataError(f"{path}: the recipe has no table [data.text], which lines with texts need")
        self.alphabet, self.options, self.text_options = alphabet, options, options.text
        self.index = {character: place for place, character in enumerate(alphabet, 1)}
        self.end = len(alphabet) + 1
        self.lines: dict[str, list[Floats]] = {split: [] for split in SPLITS}
        self.texts: dict[str, list[str]] = {split: [] for split in SPLITS}
        self.writers: dict[str, list[str]] = {split: [] for split in SPLITS}
        self.identities: dict[str, list[str]] = {split: [] for split in SPLITS}
        self.left_out = self._sort_lines(path, strict)
        moves = np.concatenate(self.lines["train"])[:, :2].astype(np.float64)
        self.mean: tuple[float, ...] = tuple(map(float, moves.mean(0)))
        self.std: tuple[float, ...] = tuple(map(float, moves.std(0)))
        if not min(self.std) > 0:
            raise DataError(f"{path}: the ink of its train split never moves in x or in y; use another corpus")
        self._copies = _oversampling(self.texts["train"], self.text_options.oversample)
        self._partners: dict[str, list[int]] = {}
        for place, writer in enumerate(self.writers["train"]):
            self._partners.setdefault(writer, []).append(place)

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Yield the batches of one pass over a split, with lines of similar length in one batch.

        Parameters
        ----------
        split : str
            `train`, `valid` or `test`.
        rng : Generator or None
            Shuffles, joins and varies the lines, and drops texts; None gives every pass the same batches.
        """
        fixed = np.random.default_rng(0) if rng is None else rng
        items = [(place,) for place in range(len(self.lines[split]))] if rng is None else self._training_items(rng)
        length = np.array([sum(len(self.lines[split][place]) for place in item) for item in items], np.float64)
        if rng is not None:
            length *= rng.uniform(0.95, 1.05, len(items))
        order, rows = np.argsort(length, kind="stable"), self.options.rows
        groups = [order[i : i + rows] for i in range(0, len(order), rows)]
        if rng is not None:
            groups = [groups[i] for i in rng.permutation(len(groups))]
        for group in groups:
            yield self._batch([self._example(split, items[i], fixed, rng is not None) for i in group], rng)

    def fitting_signal(self) -> Floats:
        """Return the normalised points [T, 3] of one training line: the basis of a pen is not fitted."""
        return self._normalised(self.lines["train"][0])

    def text_lines(self, split: str) -> list[TextLine]:
        """Return the lines of a split with their ids, texts and writers; their ink is in the usual style.

        Parameters
        ----------
        split : str
            `train`, `valid` or `test`.
        """
        parts = (self.identities[split], self.lines[split], self.texts[split], self.writers[split])
        return [TextLine(*values, split) for values in zip(*parts, strict=True)]

    def indices(self, text: str) -> Indices:
        """Return the indices of the characters of a text, and that of the end, [U]."""
        return np.array([*(self.index[character] for character in text), self.end], np.int64)

    def _sort_lines(self, path: Path, strict: bool) -> dict[str, int]:
        """Read the lines, and sort those that fit into splits; return the numbers of the others by reason."""
        fit: list[TextLine] = []
        left_out: dict[str, list[str]] = {}
        for line in prepared_lines(path, self.options, strict):
            if why := _unfit(line.text, line.ink, self.options, self.text_options, set(self.index)):
                left_out.setdefault(why, []).append(line.id)
            else:
                fit.append(line)
        by_id = splits_by_hash((line.id for line in fit), self.text_options.parts)
        for line in fit:
            split = line.split or by_id[line.id]
            style, ink = self.options.style, line.ink
            self.lines[split].append(plain(ink, style, self.options.rate) if style else ink)
            self.texts[split].append(line.text)
            self.writers[split].append(line.writer)
            self.identities[split].append(line.id)
        counts = Counter({why: len(ids) for why, ids in left_out.items()})
        # The name of a line of a .jsonl has the number of its row, unless the file names the line.
        reasons = ", ".join(f"{count:,} {why} ({left_out[why][0]})" for why, count in counts.most_common())
        if counts:
            total = f"{len(fit) + counts.total():,}"
            message = "%s: left out %s of %s lines, with the first one of each kind in parentheses: %s"
            _log.warning(message, path, f"{counts.total():,}", total, reasons)
        for split in SPLITS:
            if not self.lines[split]:
                message = f"{path}: its {split} split has no lines with a text that fits; give more lines with `texts`"
                raise DataError(f"{message}; left out were {reasons}" if reasons else message)
        return dict(counts)

    def _training_items(self, rng: np.random.Generator) -> list[tuple[int, ...]]:
        """Return the places of the lines of a training epoch: rare ones several times, and some in pairs to join."""
        copies = np.floor(self._copies + rng.random(len(self._copies))).astype(int)
        items: list[tuple[int, ...]] = []
        for place in np.repeat(np.arange(len(copies)), copies).tolist():
            item: tuple[int, ...] = (place,)
            if rng.random() < self.text_options.join:
                others = self._partners[self.writers["train"][place]]
                pair = place, others[rng.integers(len(others))]
                if self._may_be_joined(*pair):
                    item = pair
            items.append(item)
        return items

    def _may_be_joined(self, place: int, other: int) -> bool:
        points = sum(len(self.lines["train"][one]) for one in (place, other))
        characters = 1 + sum(len(self.texts["train"][one]) for one in (place, other))
        fit = points <= self.options.max_points and characters <= self.text_options.max_characters
        return other != place and fit

    def _example(
        self, split: str, item: tuple[int, ...], rng: np.random.Generator, vary: bool
    ) -> tuple[Floats, Indices]:
        """Return a normalised line with the resting pen after it, and the indices of its text."""
        ink, *more = (self.lines[split][place] for place in item)
        for line in more:
            ink = join_lines(ink, line, self.options.height * random_gap(rng))
        text = " ".join(self.texts[split][place] for place in item)
        if vary and self.text_options.jitter:
            size, aspect, slant = self.text_options.jitter * rng.standard_normal(3)
            ink = ink.copy()
            ink[:, 0] = np.exp(size + aspect / 2) * (ink[:, 0] + slant * ink[:, 1])
            ink[:, 1] *= np.exp(size - aspect / 2)
        ready = self._normalised(ink)
        if vary:
            ready[:, :2] += NOISE_STD * rng.standard_normal((len(ready), 2)).astype(np.float32)
        still = rng.standard_normal((self.text_options.rest, 3)).astype(np.float32) * REST_STD
        still[:, 2] = 1
        return np.concatenate([ready, still]), self.indices(text)

    def _batch(self, examples: Sequence[tuple[Floats, Indices]], rng: np.random.Generator | None) -> Batch:
        longest, widest = max(len(ink) for ink, _ in examples), max(len(text) for _, text in examples)
        signal = np.zeros((longest, len(examples), 3), np.float32)
        mask = np.zeros((longest, len(examples)), np.float32)
        texts = np.zeros((len(examples), widest), np.int64)
        for row, (ink, text) in enumerate(examples):
            signal[: len(ink), row], mask[: len(ink), row] = ink, 1
            if rng is None or rng.random() >= self.text_options.drop:
                texts[row, : len(text)] = text
        return Batch(signal, mask, True, texts)

    def _normalised(self, ink: Floats) -> Floats:
        ready = ink.copy()
        ready[:, :2] = (ready[:, :2] - self.mean) / self.std
        return ready


def _unfit(text: str, ink: Floats, options: PenData, lines: TextLines, alphabet: set[str]) -> str:
    """Return the reason to leave a line out, or an empty string if it is used."""
    if not text:
        return "without text"
    if not set(text) <= alphabet:
        return "with characters outside the alphabet"
    if not lines.min_characters <= len(text) <= lines.max_characters:
        return "whose text is too short or too long"
    if len(ink) > options.max_points:
        return f"of more than {options.max_points:,} points"
    if not lines.min_points <= len(ink) / len(text) <= lines.max_points:
        return "whose points do not fit their text"
    if wraps(ink):
        return "with a second row"
    if options.max_move is not None and np.abs(ink[:, :2]).max() > options.max_move:
        return f"with a move of more than {options.max_move:g}"
    return ""


def _oversampling(texts: Sequence[str], most: float) -> NDArray[np.float64]:
    """Return how many copies of each line an epoch contains on average, at least 1 and at most `most`."""
    having = Counter(character for text in texts for character in set(text))
    rarest = np.array([min(having[character] for character in text) for text in texts])
    return np.clip(COMMON * len(texts) / rarest, 1, most)
