"""Reads and checks an .npz file of ink lines."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.reading.arrays import read_npz
from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.limits import MOST_CORPUS, require_file
from vrnn_engine.base.reading.rates import PEN_RATES
from vrnn_engine.data.batches import SPLITS
from vrnn_engine.errors import DataError

REQUIRED = {"dxy", "eos", "offsets", "ids"}
PER_LINE = {"contributor", "points_per_inch", "points_per_second", "split", "texts"}


def load_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file of ink lines, and check them.

    Parameters
    ----------
    path : Path
        The file, with the arrays `dxy` [N, 2] (moves in tablet units, y growing downwards), `eos` [N] (1 where the pen
        is lifted after the point), `offsets` [lines + 1] (where each line begins, and where the last one ends) and
        `ids` [lines].  Optional, all [lines]: `contributor`, `points_per_inch`, `points_per_second`, `split`,
        `texts`.

    Returns
    -------
    dict
        The arrays by name.

    Raises
    ------
    DataError
        The file cannot be read, lacks an array, or has one of the wrong shape or with impossible values.
    """
    try:
        require_file(path)
        if not zipfile.is_zipfile(path):
            raise DataError(
                f"{path}: not an .npz of ink lines; convert SVG, InkML, CSV or stroke-3 with "
                f"vrnn-engine ink convert {path} lines.npz"
            )
        table = read_npz(path, MOST_CORPUS)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable .npz of ink lines: {one_line(error)}") from None
    if missing := REQUIRED - set(table):
        raise DataError(f"{path}: lacks {', '.join(sorted(missing))}; is it an .npz of ink lines?")
    if scalars := [name for name in REQUIRED if not table[name].ndim]:
        raise DataError(f"{path}: {scalars[0]} is a single value; is it an .npz of ink lines?")
    _check_points(path, table)
    _check_lines(path, table)
    return table


def require_arrays(table: dict[str, NDArray[Any]], names: set[str], purpose: str, path: Path) -> None:
    """Raise `DataError` if a table lacks arrays.

    Parameters
    ----------
    table : dict
        As `load_npz` returns it.
    names : set of str
        The arrays that are needed.
    purpose : str
        The operation that needs the arrays, for the message.
    path : Path
        The corpus, for the message.
    """
    if missing := names - set(table):
        raise DataError(f"{path}: lacks {', '.join(sorted(missing))}, which {purpose} needs")


def _check_points(path: Path, table: dict[str, NDArray[Any]]) -> None:
    points, ends, lines = len(table["dxy"]), table["offsets"], len(table["ids"])
    if table["dxy"].shape != (points, 2) or table["eos"].shape != (points,):
        raise DataError(f"{path}: dxy must be [N, 2] and eos [N], not {table['dxy'].shape} and {table['eos'].shape}")
    if ends.shape != (lines + 1,) or ends.dtype.kind not in "iu" or ends[0] != 0 or ends[-1] != points:
        raise DataError(f"{path}: offsets must be {lines + 1} integers, from 0 to the number of points, {points}")
    if (np.diff(ends.astype(np.int64)) <= 0).any():
        raise DataError(f"{path}: offsets must increase: every line has at least one point")
    if table["dxy"].dtype.kind not in "iuf" or not np.isfinite(table["dxy"]).all():
        raise DataError(f"{path}: dxy must be finite numbers")
    if not np.isin(table["eos"], (0, 1)).all():
        raise DataError(f"{path}: eos must be 0 or 1: whether the pen is lifted after a point")


def _check_lines(path: Path, table: dict[str, NDArray[Any]]) -> None:
    lines = len(table["ids"])
    for name in PER_LINE & set(table):
        if table[name].shape != (lines,):
            raise DataError(f"{path}: {name} must have one value for each of the {lines} lines")
    for name in {"points_per_inch", "points_per_second"} & set(table):
        values = table[name]
        if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values > 0)).all():
            raise DataError(f"{path}: {name} must be finite numbers above 0")
        if name == "points_per_second" and not ((values >= PEN_RATES[0]) & (values <= PEN_RATES[1])).all():
            raise DataError(f"{path}: {name} must be from {PEN_RATES[0]} to {PEN_RATES[1]}")
    if unknown := set(np.unique(table.get("split", [])).tolist()) - set(SPLITS):
        raise DataError(f"{path}: split must be {', '.join(SPLITS)}, not {unknown.pop()!r}")
