"""Reads ink from tables: CSV files, and arrays of stroke-3 or stroke-5."""

import csv
import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vrnn_engine.base.reading.arrays import read_header, read_values
from vrnn_engine.base.reading.decoding import guard_damage, one_line
from vrnn_engine.base.reading.limits import MOST_CORPUS, require_file
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.ink.strokes import Points, Strokes, cut
from vrnn_engine.errors import DataError

SEPARATORS = ",;\t "
TIMES = ("t", "time")
LIFTS = ("pen_up", "eos", "lift")
ARRAY_PARTS = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}


def read_csv(path: Path) -> Strokes:
    """Read a CSV file whose header names its columns.

    Parameters
    ----------
    path : Path
        The file.  Columns: `x` and `y`, or `dx` and `dy`; `pen_up` (1 after the last point of a stroke) or `stroke` (a
        number for each stroke); optionally `t`, seconds.  Other columns are ignored.

    Raises
    ------
    DataError
        It is not such a table.
    """
    try:
        text = read_text_bytes(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable CSV file: {one_line(error)}") from None
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    try:
        # Not a DictReader, which gives each line an entry for each name of the first one.
        head, *rows = list(csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)) or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: not a readable CSV file: {error}") from None
    rows = [row for row in rows if row]
    names = {name.strip().lower(): index for index, name in enumerate(head if rows else [])}
    places = ("x", "y") if {"x", "y"} <= names.keys() else ("dx", "dy")
    if not set(places) <= names.keys():
        raise DataError(f"{path}: its first line must name the columns: x and y, or dx and dy, and pen_up or stroke")

    def column(name: str) -> Points:
        try:
            return np.array([float(row[names[name]]) for row in rows])
        except (IndexError, ValueError):
            raise DataError(f"{path}: column {name} must have a number in every line") from None

    points = np.column_stack([column(name) for name in places])
    if places == ("dx", "dy"):
        points = np.cumsum(points, axis=0)
    lift = next((name for name in LIFTS if name in names), None)
    if lift is not None:
        ends = np.flatnonzero(column(lift)) + 1
    elif "stroke" in names:
        ends = np.flatnonzero(np.diff(column("stroke"))) + 1
    else:
        raise DataError(f"{path}: has neither a column pen_up nor stroke, so where the pen is lifted is not known")
    time = next((name for name in TIMES if name in names), None)
    paths = cut(points, ends)
    return Strokes(paths, times=cut(column(time), ends) if time else None)


def read_arrays(path: Path) -> dict[str, Strokes]:
    """Read the drawings of an .npy or .npz file of stroke-3 [n, 3] or stroke-5 [n, 5] arrays, by name.

    A file may contain arrays of objects, as those of Sketch-RNN do.  They are unpickled with nothing but numpy's
    arrays allowed, so that a file cannot run code.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        It cannot be read, or has an array of another shape.
    """
    try:
        require_file(path)
        tables = guard_damage(lambda: _tables(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable file of stroke-3 arrays: {one_line(error)}") from None
    drawings: dict[str, Strokes] = {}
    for name, table in tables.items():
        many = list(table) if table.ndim == 3 or (table.dtype == object and table.ndim) else [table]
        for number, one in enumerate(many):
            label = f"{name}-{number}" if len(many) > 1 else name
            drawings[label] = _strokes(path, label, np.asarray(one))
    if not drawings:
        raise DataError(f"{path}: has no arrays")
    return drawings


def _tables(path: Path) -> dict[str, np.ndarray]:
    if path.suffix.lower() != ".npz":
        if (size := path.stat().st_size) > MOST_CORPUS:
            raise ValueError(f"it has more than {MOST_CORPUS >> 30} GiB")
        with path.open("rb") as file:
            return {path.stem: _read_array(file, size)}
    tables = {}
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
        if sum(entry.file_size for entry in entries) > MOST_CORPUS:
            raise ValueError(f"its arrays have more than {MOST_CORPUS >> 30} GiB")
        for entry in entries:
            with archive.open(entry) as member:
                tables[entry.filename.removesuffix(".npy")] = _read_array(member, entry.file_size)  # type: ignore[arg-type]
    return tables


def _read_array(file: BinaryIO, size: int) -> np.ndarray:
    """Return an array of at most `size` bytes, which may have objects."""
    shape, fortran, dtype = read_header(file)
    if not dtype.hasobject:
        return read_values(file, size, shape, fortran, dtype)
    data = file.read(size)
    _check_pickle(data)
    found = _ArraysOnly(io.BytesIO(data), encoding="latin1").load()
    if not isinstance(found, np.ndarray):
        raise ValueError("its objects are not an array")
    drawings = found.ravel().tolist() if found.dtype == object else [found]
    left = len(data)
    for one in drawings:  # the same object may be in it many times, and takes memory each time
        left -= _count_numbers(one)
        if left < 0:
            raise ValueError("its arrays have more numbers than the file has bytes")
    return found


def _count_numbers(drawing: Any) -> int:
    """Return the number of values of an array, or of a list of rows; raise `ValueError` for something else."""
    if isinstance(drawing, np.ndarray):
        return drawing.size
    rows = drawing if isinstance(drawing, list | tuple) else [None]
    if all(isinstance(row, list | tuple) and all(isinstance(one, int | float) for one in row) for row in rows):
        return sum(map(len, rows))
    raise ValueError("its array has objects that are neither arrays nor lists of rows")


def _check_pickle(data: bytes) -> None:
    """Raise `ValueError` if an object has a number that is too large: pickle makes room for all numbers below it."""
    for code, number, place in pickletools.genops(data):
        if "PUT" in code.name and isinstance(number, int) and number > (place or 0):
            raise ValueError("its objects are numbered in a way that takes too much memory")


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy's arrays, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in ARRAY_PARTS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it contains {module}.{name}, which is not an array")


def _strokes(path: Path, label: str, table: np.ndarray) -> Strokes:
    if table.ndim != 2 or table.shape[1] not in (3, 5) or table.dtype.kind not in "biuf":
        raise DataError(f"{path}: {label} must be numbers [n, 3] or [n, 5], not {table.dtype} {list(table.shape)}")
    numbers = table.astype(np.float64)
    if table.shape[1] == 5:  # dx, dy, pen down, pen lifted after the point, end of the drawing
        numbers = numbers[numbers[:, 4] < 0.5][:, [0, 1, 3]]
    return Strokes(cut(np.cumsum(numbers[:, :2], axis=0), np.flatnonzero(numbers[:, 2] > 0.5) + 1))
