"""Handwriting corpora: an .npz of text lines as sequences of pen points (dx, dy, pen-up)."""

import logging
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import SPLITS, Batch, Floats, line_chunks, split_by_hash
from vrnn_engine.data.iam import load_line_strokes
from vrnn_engine.data.skipped import warn_of_skipped
from vrnn_engine.data.style import Style, plain
from vrnn_engine.errors import DataError

MM_PER_INCH = 25.4
PER_LINE = {"contributor", "points_per_inch", "points_per_second", "split"}

_log = logging.getLogger(__name__)


class PenCorpus:
    """Lines of ink, normalised by the training split.

    Parameters
    ----------
    path : Path
        .npz with `dxy` int16 [N, 2], `eos` [N], `offsets` [lines + 1], `ids` [lines]; where lines are
        to be rescaled also `contributor`, `points_per_inch` and `points_per_second` [lines]; where
        there is an official split also `split` [lines].  Or a folder with IAM-OnDB as it is shipped,
        see `vrnn_engine.data.iam`.
    rows, chunk : int
        Lines side by side in a batch, and points of one chunk; see `line_chunks`.
    points_per_second : int or None
        Every stroke is resampled to this rate (linearly, ends kept; a move between strokes stays one
        step).  None keeps the points as they are.
    height_mm : float or None
        Every contributor's lines are scaled to millimetres in which the sd of the ink about its
        baseline is this much (contributors wrote on differently scaled tablets).  None keeps
        tablet units.
    authors_normalisation : bool
        One scalar mean and sd for both columns, the sum over both divided by the number of points,
        as the paper's authors did; else a mean and sd per column.
    max_points : int
        Longer lines are left out.
    max_move : float or None
        Lines with a longer single move (mm, or tablet units) are left out: they are forms and tables,
        not running text.
    split_by_form : bool
        Lines whose id agrees up to its last dash (one form) stay in one split.
    style : Style or None
        What is given to train on, and its mean and sd, are of lines that were made plain, see `vrnn_engine.data.style`;
        `lines` are as they were written.
    rate : float
        Points a second that the lines then have; only a style asks.
    strict : bool
        Refuse a folder with files that cannot be read.  Else they are left out, with a logged warning.

    Lines of one point, too long or with too long a move are counted in a logged warning.

    Attributes
    ----------
    lines : dict of lists of float32 arrays [n, 3]
        Each split's lines as (dx, dy, pen-up), in millimetres or tablet units; y grows downwards.
    writers : dict of lists of str
        Who wrote each of them: the id up to its last `#`, where it has one; else the `contributor`; else whatever
        stays in one split (a form, a line).
    skipped : list of str
        A line (which, and why) for each file left out.

    Raises
    ------
    DataError
        Not such a file, or nothing left in a split.
    """

    def __init__(
        self,
        path: Path,
        rows: int,
        chunk: int,
        points_per_second: int | None,
        height_mm: float | None,
        authors_normalisation: bool,
        max_points: int,
        max_move: float | None,
        split_by_form: bool,
        style: Style | None = None,
        rate: float = 1.0,
        strict: bool = False,
    ):
        self.rows, self.chunk, self.style, self.rate = rows, chunk, style, rate
        self.skipped: list[str] = []
        if path.is_dir():
            table, self.skipped = load_line_strokes(path, strict)
            warn_of_skipped(path, self.skipped, len(table["ids"]) + len(self.skipped), "lines")
        else:
            table = load_npz(path)
        ends = table["offsets"]
        raw = [np.column_stack([table["dxy"][a:b], table["eos"][a:b]]).astype(np.float32) for a, b in pairwise(ends)]
        scales = np.ones(len(raw)) if height_mm is None else millimetres(table, raw, height_mm, path)
        if points_per_second is not None:
            need(table, {"points_per_second"}, "resampling", path)
        lines = []
        for i, line in enumerate(raw):
            if points_per_second is not None:
                line = resample_strokes(line, points_per_second / float(table["points_per_second"][i]))
            line[:, :2] *= scales[i]
            lines.append(line)
        self.lines: dict[str, list[Floats]] = {split: [] for split in SPLITS}
        self.quanta: dict[str, list[float]] = {split: [] for split in SPLITS}
        self.writers: dict[str, list[str]] = {split: [] for split in SPLITS}
        keys = [str(identity).rsplit("-", 1)[0] if split_by_form else str(identity) for identity in table["ids"]]
        splits = table["split"] if "split" in table else [split_by_hash(key) for key in keys]
        writers = _writers(table["ids"], table.get("contributor", keys))
        unfit: Counter[str] = Counter()
        for line, scale, split, writer in zip(lines, scales, splits, writers, strict=True):
            if why := _unfit(line, max_points, max_move):
                unfit[why] += 1
                continue
            self.lines[split].append(line)
            self.quanta[split].append(float(scale))
            self.writers[split].append(writer)
        left_out = ", ".join(f"{count:,} {why}" for why, count in unfit.items())
        if unfit:
            _log.warning("%s: left out %s of %s lines: %s", path, f"{unfit.total():,}", f"{len(lines):,}", left_out)
        for split in SPLITS:
            if not self.lines[split]:
                raise DataError(_empty(path, split, "split" in table, split_by_form, len(set(keys)), left_out))
        self.mean: tuple[float, ...]
        self.std: tuple[float, ...]
        moves = np.concatenate([self._plain(line) for line in self.lines["train"]])[:, :2].astype(np.float64)
        if authors_normalisation:
            mean = moves.sum() / len(moves)
            std = float(np.sqrt(((moves - mean) ** 2).sum() / len(moves)))
            self.mean, self.std = (float(mean),) * 2, (std,) * 2
        else:
            self.mean, self.std = tuple(map(float, moves.mean(0))), tuple(map(float, moves.std(0)))
        if not min(self.std) > 0:
            raise DataError(f"{path}: the ink of its train part never moves in one direction")

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """One pass over a split: lines of similar length together; `rng` shuffles and dequantises."""
        lines, quanta = self.lines[split], self.quanta[split]
        length = np.array([len(line) for line in lines], np.float64)
        if rng is not None:
            length *= rng.uniform(0.8, 1.2, len(lines))
        order = np.argsort(length, kind="stable")
        groups = [order[i : i + self.rows] for i in range(0, len(order), self.rows)]
        if rng is not None:
            groups = [groups[i] for i in rng.permutation(len(groups))]
        for group in groups:
            ready = [self._normalised(lines[i], quanta[i], rng) for i in group]
            yield from line_chunks(ready, self.rows, self.chunk)

    def fitting_signal(self) -> Floats:
        """Training points [T, 3]."""
        return np.concatenate([self._normalised(line, 0.0, None) for line in self.lines["train"]])

    def _plain(self, line: Floats) -> Floats:
        return plain(line, self.style, self.rate) if self.style else line

    def _normalised(self, line: Floats, quantum: float, rng: np.random.Generator | None) -> Floats:
        line = line.copy()
        if rng is not None:
            line[:, :2] += quantum * (rng.random((len(line), 2), dtype=np.float32) - 0.5)
        line = self._plain(line)
        line[:, :2] = (line[:, :2] - self.mean) / self.std
        return line


def _writers(ids: NDArray[Any], others: Iterable[object]) -> list[str]:
    """Return who wrote each line: the part of its id that says so, or else another name.

    UNIPEN's ids are `FILE#SEGMENTS`, a file is a session of one writer, and its contributors are institutions.
    """
    named = ((*str(identity).rpartition("#"), str(other)) for identity, other in zip(ids, others, strict=True))
    return [file if mark else other for file, mark, _, other in named]


def _unfit(line: Floats, max_points: int, max_move: float | None) -> str:
    """Say why a line is not to be trained on; nothing if it is."""
    if len(line) < 2:
        return "of fewer than 2 points"
    if len(line) > max_points:
        return f"of more than {max_points:,} points"
    if max_move is not None and np.abs(line[:, :2]).max() > max_move:
        return f"with a move of more than {max_move:g}"
    return ""


def _empty(path: Path, split: str, given: bool, by_form: bool, keys: int, left_out: str) -> str:
    """Say what the split goes by that left a part without lines, and what to do."""
    rule = (
        "the array `split` of the file or the corpus's own lists say where a line belongs"
        if given
        else f"lines go by a hash of {'their form (the id up to its last dash)' if by_form else 'their id'}, "
        f"{keys:,} of them: give more, or an array `split`"
    )
    return f"{path}: no lines for its {split} part; {rule}" + (f"; left out were {left_out}" if left_out else "")


def load_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file of lines, checked: their shapes, that lines follow one another, that ink is ink."""
    try:
        with np.load(path, allow_pickle=False) as file:
            table = dict(file)
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a readable .npz of ink lines: {error}") from None
    if missing := {"dxy", "eos", "offsets", "ids"} - set(table):
        raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; is it an .npz of ink lines?")
    points, ends, lines = len(table["dxy"]), table["offsets"], len(table["ids"])
    if table["dxy"].shape != (points, 2) or table["eos"].shape != (points,):
        raise DataError(f"{path}: dxy must be [N, 2] and eos [N], not {table['dxy'].shape} and {table['eos'].shape}")
    if ends.shape != (lines + 1,) or ends.dtype.kind not in "iu" or ends[0] != 0 or ends[-1] != points:
        raise DataError(f"{path}: offsets must be {lines + 1} integers, from 0 to the {points} points")
    if (np.diff(ends.astype(np.int64)) <= 0).any():
        raise DataError(f"{path}: offsets must rise: each line begins after the one before, and has a point")
    if table["dxy"].dtype.kind not in "iuf" or not np.isfinite(table["dxy"]).all():
        raise DataError(f"{path}: dxy must be finite numbers")
    if not np.isin(table["eos"], (0, 1)).all():
        raise DataError(f"{path}: eos must be 0 or 1: whether the pen is lifted after a point")
    for name in PER_LINE & set(table):
        if table[name].shape != (lines,):
            raise DataError(f"{path}: {name} must have one value for each of the {lines} lines")
    for name in {"points_per_inch", "points_per_second"} & set(table):
        values = table[name]
        if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values > 0)).all():
            raise DataError(f"{path}: {name} must be finite numbers above 0")
    if odd := set(np.unique(table.get("split", [])).tolist()) - set(SPLITS):
        raise DataError(f"{path}: split may be {', '.join(SPLITS)}, not {odd.pop()!r}")
    return table


def need(table: dict[str, NDArray[Any]], names: set[str], purpose: str, path: Path) -> None:
    """Raise `DataError` unless a table has the arrays that a purpose needs."""
    if missing := names - set(table):
        raise DataError(f"{path}: lacks {', '.join(sorted(missing))}, which {purpose} needs")


def millimetres(table: dict[str, NDArray[Any]], raw: list[Floats], height_mm: float, path: Path) -> NDArray[np.float64]:
    """Return the factor of each line from tablet units to millimetres of common height."""
    need(table, {"contributor", "points_per_inch"}, "scaling to millimetres", path)
    scales = MM_PER_INCH / table["points_per_inch"].astype(np.float64)
    heights = np.array([ink_height(line) for line in raw]) * scales
    for contributor in np.unique(table["contributor"]):
        theirs = table["contributor"] == contributor
        scales[theirs] *= height_mm / np.median(heights[theirs])
    return scales


def ink_height(line: Floats) -> float:
    """Sd of a line's ink about its baseline (a straight fit), in the line's units."""
    x, y = np.cumsum(line[:, :2], axis=0, dtype=np.float64).T
    if np.ptp(x) == 0:
        return float(y.std())
    return float((y - np.polyval(np.polyfit(x, y, 1), x)).std())


def resample_strokes(line: Floats, ratio: float) -> Floats:
    """Resample every stroke of a line [n, 3] to `ratio` times its points, ends kept."""
    position = np.cumsum(line[:, :2], axis=0, dtype=np.float64)
    ends = np.flatnonzero(line[:, 2]) + 1
    bounds = np.unique(np.concatenate([[0], ends, [len(line)]]))
    points, lifted = [], []
    for first, last in pairwise(bounds):
        count = max(2, round((last - first - 1) * ratio) + 1) if last - first > 1 else 1
        at = np.linspace(first, last - 1, count)
        points.append(np.column_stack([np.interp(at, np.arange(first, last), position[first:last, k]) for k in (0, 1)]))
        lifted.append(np.arange(count) == count - 1)
    path = np.concatenate(points)
    moves = np.diff(path, axis=0, prepend=path[:1])
    up = np.concatenate(lifted).astype(np.float32)
    up[-1] = line[-1, 2]
    return np.column_stack([moves, up]).astype(np.float32)
