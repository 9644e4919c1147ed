"""Handwriting corpora: lines of ink as sequences of pen points (dx, dy, pen-up)."""

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.strokes import resample_strokes
from vrnn_engine.data.batches import SPLITS, Batch, Floats, line_chunks, splits_by_hash
from vrnn_engine.data.line_files import load_lines, writers
from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen_files import require_arrays
from vrnn_engine.data.strokes import millimetre_scales
from vrnn_engine.data.style import plain
from vrnn_engine.errors import DataError

JUMP = 100
"""A warning is logged if a move exceeds the 99 % quantile of all moves by this factor."""

_log = logging.getLogger(__name__)


class PenCorpus:
    """Lines of ink, normalised by the training split.

    Lines of one point, of more than `max_points` points or with a move above `max_move` are left out; a logged warning
    counts them.

    Parameters
    ----------
    path : Path
        An .npz or .jsonl file of lines, or a folder of IAM-OnDB as its owners distribute it; see
        `vrnn_engine.data.line_files.load_lines`.
    options : PenData
        How to scale, select and batch the lines.  With a style, the batches, the mean and the sd are those of lines
        transformed to the usual style (see `vrnn_engine.data.style`); the attribute `lines` is not transformed.
    strict : bool
        Raise an error if a file of a folder cannot be read, instead of leaving it out with a logged warning.

    Attributes
    ----------
    lines : dict of lists of float32 arrays [n, 3]
        Each split's lines as (dx, dy, pen-up), in millimetres or tablet units; y grows downwards.
    writers : dict of lists of str
        Writer of each line: the id of the line up to its last `#`, if it has one; else its `contributor`; else the key
        that lines are split by (the form or the id).
    skipped : list of str
        For each skipped file, its path and the reason.
    mean, std : tuple of float
        Of dx and dy over the training split.
    rate : int
        Points per second.

    Raises
    ------
    DataError
        There are no lines of ink at the path, or a split has no lines.
    """

    def __init__(self, path: Path, options: PenData, strict: bool = False):
        self.options, self.rate = options, options.rate
        table, self.skipped = load_lines(path, strict)
        self.lines: dict[str, list[Floats]] = {split: [] for split in SPLITS}
        self.quanta: dict[str, list[float]] = {split: [] for split in SPLITS}
        self.writers: dict[str, list[str]] = {split: [] for split in SPLITS}
        self._sort_lines(path, table)
        self.mean: tuple[float, ...]
        self.std: tuple[float, ...]
        self.mean, self.std = self._normalisation()
        if not min(self.std) > 0:
            raise DataError(f"{path}: all moves of its train split are equal in x or in y; use another corpus")

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Yield the batches of one pass over a split, with lines of similar length in one batch.

        Parameters
        ----------
        split : str
            `train`, `valid` or `test`.
        rng : Generator or None
            Shuffles the batches and adds uniform dequantisation noise of one tablet unit; None gives every pass the
            same batches.
        """
        lines, quanta, rows = self.lines[split], self.quanta[split], self.options.rows
        length = np.array([len(line) for line in lines], np.float64)
        if rng is not None:
            length *= rng.uniform(0.8, 1.2, len(lines))
        order = np.argsort(length, kind="stable")
        groups = [order[i : i + rows] for i in range(0, len(order), rows)]
        if rng is not None:
            groups = [groups[i] for i in rng.permutation(len(groups))]
        for group in groups:
            ready = [self._normalised(lines[i], quanta[i], rng) for i in group]
            yield from line_chunks(ready, rows, self.options.chunk)

    def fitting_signal(self) -> Floats:
        """Return the normalised points [T, 3] of the training split."""
        return np.concatenate([self._normalised(line, 0.0, None) for line in self.lines["train"]])

    def _sort_lines(self, path: Path, table: dict[str, NDArray[Any]]) -> None:
        """Scale the lines, leave out the unfit ones, and sort the others into splits."""
        options = self.options
        lines, scales = _scaled_lines(path, table, options)
        keys = [str(name).rsplit("-", 1)[0] if options.split_by_form else str(name) for name in table["ids"]]
        names = writers(table["ids"], table.get("contributor", keys))
        reasons = [_unfit(line, options) for line in lines]
        unfit = Counter(why for why in reasons if why)
        fit = [i for i, why in enumerate(reasons) if not why]
        by_key = splits_by_hash(keys[i] for i in fit)
        for i in fit:
            split = str(table["split"][i]) if "split" in table else by_key[keys[i]]
            self.lines[split].append(lines[i])
            self.quanta[split].append(float(scales[i]))
            self.writers[split].append(names[i])
        left_out = ", ".join(f"{count:,} {why}" for why, count in unfit.items())
        if unfit:
            _log.warning("%s: left out %s of %s lines: %s", path, f"{unfit.total():,}", f"{len(lines):,}", left_out)
        for split in SPLITS:
            if not self.lines[split]:
                raise DataError(_empty_split(path, split, table, options, len(set(keys)), left_out))
        _warn_of_jumps(path, [lines[i] for i in fit], [str(table["ids"][i]) for i in fit])

    def _normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        moves = np.concatenate([self._plain(line) for line in self.lines["train"]])[:, :2].astype(np.float64)
        if self.options.authors_normalisation:
            mean = moves.sum() / len(moves)
            std = float(np.sqrt(((moves - mean) ** 2).sum() / len(moves)))
            return (float(mean),) * 2, (std,) * 2
        return tuple(map(float, moves.mean(0))), tuple(map(float, moves.std(0)))

    def _plain(self, line: Floats) -> Floats:
        return plain(line, self.options.style, self.rate) if self.options.style else line

    def _normalised(self, line: Floats, quantum: float, rng: np.random.Generator | None) -> Floats:
        line = line.copy()
        if rng is not None:
            line[:, :2] += quantum * (rng.random((len(line), 2), dtype=np.float32) - 0.5)
        line = self._plain(line)
        line[:, :2] = (line[:, :2] - self.mean) / self.std
        return line


def _scaled_lines(
    path: Path, table: dict[str, NDArray[Any]], options: PenData
) -> tuple[list[Floats], NDArray[np.float64]]:
    """Return the lines [n, 3] in the corpus' unit and rate, and the size of each line's tablet unit in it."""
    ends = table["offsets"]
    raw = [np.column_stack([table["dxy"][a:b], table["eos"][a:b]]).astype(np.float32) for a, b in pairwise(ends)]
    scales = np.ones(len(raw))
    if options.height_mm is not None:
        require_arrays(table, {"contributor", "points_per_inch"}, "scaling to millimetres", path)
        scales = millimetre_scales(raw, table["contributor"], table["points_per_inch"], options.height_mm)
    if options.resample:
        require_arrays(table, {"points_per_second"}, "resampling", path)
    lines = []
    for i, line in enumerate(raw):
        if options.resample:
            line = resample_strokes(line, options.rate / float(table["points_per_second"][i]))
        line[:, :2] *= scales[i]
        lines.append(line)
    return lines, scales


def _unfit(line: Floats, options: PenData) -> str:
    """Return the reason to leave a line out, or an empty string if it is used."""
    if len(line) < 2:
        return "of fewer than 2 points"
    if len(line) > options.max_points:
        return f"of more than {options.max_points:,} points"
    if options.max_move is not None and np.abs(line[:, :2]).max() > options.max_move:
        return f"with a move of more than {options.max_move:g}"
    return ""


def _warn_of_jumps(path: Path, lines: list[Floats], ids: list[str]) -> None:
    """Log a warning if lines have moves far longer than the others: one such move dominates the mean and sd."""
    moves = [np.abs(line[:, :2]).max(axis=1) for line in lines]
    limit = JUMP * float(np.quantile(np.concatenate(moves), 0.99))
    longest = np.array([move.max() for move in moves])
    if not (limit > 0 and (count := int((longest > limit).sum()))):
        return
    worst = int(longest.argmax())
    _log.warning(
        "%s: %d of %s lines have a move over %d times as long as 99 %% of all moves, the longest is %.4g in line %s; "
        "correct them, or leave them out with max_move in the [data] table of the recipe",
        *(path, count, f"{len(lines):,}", JUMP, longest[worst], ids[worst]),
    )


def _empty_split(
    path: Path, split: str, table: dict[str, NDArray[Any]], options: PenData, keys: int, left_out: str
) -> str:
    """Return the error message for a split without lines: how lines are split, and what to do."""
    if "split" in table:
        rule = "the array `split` of the file, or the lists of the corpus, decide the split of a line"
    else:
        key = "form (the id up to its last dash)" if options.split_by_form else "id"
        rule = (
            f"lines are split by a hash of their {key}, and there are {keys:,} of these; give more, or an array `split`"
        )
    message = f"{path}: its {split} split has no lines; {rule}"
    return f"{message}; left out were {left_out}" if left_out else message
