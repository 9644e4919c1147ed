"""Reads IAM-OnDB as its owners distribute it: `lineStrokes/**/FORM-LINE.xml`, and the lists of the official split.

The file of a line contains `<Stroke><Point x= y= time=/>...`, in tablet units; y grows downwards.
"""

from itertools import accumulate
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.layouts import visible
from vrnn_engine.errors import DataError

LINES = "lineStrokes"
"""Name of the folder of the lines; the corpus' other folders of XML files contain pages and transcriptions."""
PAGE = "strokes"
"""Prefix of the names of files that contain a whole page: `original/**/strokesz.xml`."""
LISTS = {"trainset.txt": "train", "testset_v.txt": "valid", "testset_t.txt": "valid", "testset_f.txt": "test"}
"""Split of the forms in each list of the corpus' benchmark task; its two validation sets are merged."""


def load_line_strokes(folder: Path, strict: bool = False) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Read every line of a copy of IAM-OnDB.

    Parameters
    ----------
    folder : Path
        Contains the XML files of the lines, and optionally the lists, at any depth.  If it contains folders
        `lineStrokes`, only the files in them are read as lines, because the corpus also has files of whole pages,
        `original/**/strokesz.xml`.
    strict : bool
        Raise an error if a file cannot be read, instead of leaving it out.

    Returns
    -------
    dict
        `dxy` int32 [N, 2], `eos` uint8 [N], `offsets` [lines + 1] and `ids` [lines].  If the four lists are present,
        also `split` [lines], and only the lines of forms that they name.
    list of str
        For each skipped file, its path and the reason.

    Raises
    ------
    DataError
        There are no lines; some of the four lists are missing; a list is not a text file; or, if strict, a line cannot
        be read.
    """
    parts = _official_split(folder)
    found: list[tuple[str, NDArray[np.int32], NDArray[np.uint8]]] = []
    skipped: list[str] = []
    for path in _line_files(folder):
        if parts and path.stem.rpartition("-")[0] not in parts:
            continue
        try:
            found.append((path.stem, *_read_line(path)))
        except (ElementTree.ParseError, KeyError, OSError, OverflowError, ValueError) as error:
            if strict:
                raise DataError(f"{path}: not a line of IAM-OnDB: {_reason(error)}") from None
            skipped.append(f"{path}: {_reason(error)}")
    if not found:
        why = f"the first file that cannot be read: {skipped[0]}" if skipped else "does it contain lineStrokes/?"
        raise DataError(f"{folder}: no lines of ink in this folder; {why}")
    table: dict[str, NDArray[Any]] = {
        "dxy": np.concatenate([dxy for _, dxy, _ in found]),
        "eos": np.concatenate([eos for _, _, eos in found]),
        "offsets": np.array([0, *accumulate(len(dxy) for _, dxy, _ in found)]),
        "ids": np.array([identity for identity, _, _ in found]),
    }
    if parts:
        table["split"] = np.array([parts[identity.rpartition("-")[0]] for identity, _, _ in found])
    return table, skipped


def _line_files(folder: Path) -> list[Path]:
    """Return the files of lines, sorted: those in folders `lineStrokes`, or else all XML files that are not pages."""
    files = sorted(path for path in visible(folder.rglob("*.xml")) if not path.name.startswith(PAGE))
    return [path for path in files if LINES in path.relative_to(folder).parts] or files


def _official_split(folder: Path) -> dict[str, str]:
    """Return the split of each form, or nothing if there are no lists."""
    lists = {path.name: path for path in visible(folder.rglob("*set*.txt")) if path.name in LISTS}
    if lists and (missing := [name for name in LISTS if name not in lists]):
        raise DataError(
            f"{folder}: has {', '.join(sorted(lists))} but not {', '.join(missing)}; the official split needs all four "
            "lists: add the missing ones, or remove all of them to split by a hash of the form"
        )
    return {form: LISTS[name] for name, path in lists.items() for form in _forms(path)}


def _forms(path: Path) -> list[str]:
    try:
        return read_text_bytes(path).decode().split()
    except OSError as error:
        raise DataError(f"{path}: cannot read this list of forms: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: this list of forms is not text in UTF-8; copy it from the corpus again") from None


def _reason(error: Exception) -> str:
    """Return the reason, in words, why a file is not a line of ink."""
    if isinstance(error, KeyError):
        return f"a point has no attribute {error.args[0]}"
    if isinstance(error, OverflowError):
        return "a coordinate is out of range"
    return getattr(error, "strerror", None) or str(error)


def _coordinate(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a coordinate must be a whole number, not {text!r:.40}") from None


def _read_line(path: Path) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return the moves [n, 2] of a line, and [n], 1 where the pen is lifted after a point."""
    strokes = [
        np.array([[_coordinate(point.attrib[axis]) for axis in "xy"] for point in stroke.iter("Point")], np.int32)
        for stroke in ElementTree.parse(path).getroot().iter("Stroke")
    ]
    strokes = [stroke for stroke in strokes if len(stroke)]
    if not strokes:
        raise ValueError("it has no strokes")
    points = np.concatenate(strokes)
    eos = np.zeros(len(points), np.uint8)
    eos[np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1
    return np.diff(points, axis=0, prepend=points[:1]), eos
