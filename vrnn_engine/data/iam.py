"""Reads IAM-OnDB as its owners distribute it: lines of ink, their texts, and the lists of the official split.

`lineStrokes/**/FORM-LINE.xml` is the ink of a line, `<Stroke><Point x= y= time=/>...`, in tablet units; y grows
downwards.  `ascii/**/FORM.txt` contains the text of a form.
"""

from itertools import accumulate, chain
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.rates import PEN_RATES
from vrnn_engine.base.reading.xml_tree import read_tree
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.layouts import visible
from vrnn_engine.errors import DataError

LINES = "lineStrokes"
"""Name of the folder of the lines; the corpus' other folders of XML files contain pages and transcriptions."""
TRANSCRIPTS = "ascii"
"""Name of the folder of the transcripts."""
PAGE = "strokes"
"""Prefix of the names of files that contain a whole page: `original/**/strokesz.xml`."""
LISTS = {"trainset.txt": "train", "testset_v.txt": "valid", "testset_t.txt": "valid", "testset_f.txt": "test"}
"""Split of the forms in each list of the corpus' benchmark task; its two validation sets are merged."""


class _InkOfLine(NamedTuple):
    """The file of one line."""

    id: str
    dxy: NDArray[np.int32]
    """Moves [n, 2]."""
    eos: NDArray[np.uint8]
    """[n], 1 where the pen is lifted after a point."""
    rate: float | None
    """Mean number of points per second within strokes, if the points have times."""


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
        also `split` [lines], and only the lines of forms that they name.  If there are transcripts, also `texts`
        [lines], empty for lines without one.  If all lines have times, also `points_per_second` [lines], the mean
        within strokes.
    list of str
        For each skipped file, its path and the reason.

    Raises
    ------
    DataError
        There are no lines; some of the four lists are missing; a list or a transcript is not a text file; or, if
        strict, a line cannot be read.
    """
    parts = _official_split(folder)
    found: list[_InkOfLine] = []
    skipped: list[str] = []
    for path in _line_files(folder):
        if parts and path.stem.rpartition("-")[0] not in parts:
            continue
        try:
            found.append(_read_line(path))
        except (LookupError, OSError, OverflowError, ValueError) as error:
            if strict:
                raise DataError(f"{path}: not a line of IAM-OnDB: {_reason(error)}") from None
            skipped.append(f"{path}: {_reason(error)}")
    if not found:
        why = f"the first file that cannot be read: {skipped[0]}" if skipped else "does it contain lineStrokes/?"
        raise DataError(f"{folder}: no lines of ink in this folder; {why}")
    table: dict[str, NDArray[Any]] = {
        "dxy": np.concatenate([line.dxy for line in found]),
        "eos": np.concatenate([line.eos for line in found]),
        "offsets": np.array([0, *accumulate(len(line.dxy) for line in found)]),
        "ids": np.array([line.id for line in found]),
    }
    if parts:
        table["split"] = np.array([parts[line.id.rpartition("-")[0]] for line in found])
    if texts := read_transcripts(folder):
        table["texts"] = np.array([texts.get(line.id, "") for line in found])
    rates = [line.rate for line in found if line.rate is not None]
    if len(rates) == len(found):
        table["points_per_second"] = np.array(rates, np.float32)
    return table, skipped


def read_transcripts(folder: Path) -> dict[str, str]:
    """Read the texts of all lines of a copy of IAM-OnDB, by the id of the line.

    The part of `FORM.txt` after the line `CSR:` (correct sentence recognition) contains the text of `FORM-01` in its
    first line that is not empty, and so on.

    Parameters
    ----------
    folder : Path
        Contains folders `ascii` with the transcripts, at any depth.

    Raises
    ------
    DataError
        A transcript is not a text file.
    """
    texts: dict[str, str] = {}
    for path in visible(folder.rglob("*.txt")):
        if TRANSCRIPTS in path.relative_to(folder).parts[:-1]:
            _, _, correct = _read_text(path, "transcript").partition("CSR:")
            lines = [line.strip() for line in correct.splitlines() if line.strip()]
            texts |= {f"{path.stem}-{number:02d}": line for number, line in enumerate(lines, 1)}
    return texts


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
    return _read_text(path, "list of forms").split()


def _read_text(path: Path, what: str) -> str:
    try:
        return read_text_bytes(path).decode()
    except OSError as error:
        raise DataError(f"{path}: cannot read this {what}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: this {what} is not text in UTF-8; copy it from the corpus again") from None


def _reason(error: Exception) -> str:
    """Return the reason, in words, why a file is not a line of ink."""
    if isinstance(error, KeyError):
        return f"a point has no attribute {error.args[0]}"
    if isinstance(error, OverflowError):
        return "a coordinate is out of range"
    return one_line(error)


def _coordinate(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a coordinate must be a whole number, not {text!r:.40}") from None


def _read_line(path: Path) -> _InkOfLine:
    root = read_tree(path)
    strokes = [list(stroke.iter("Point")) for stroke in root.iter("Stroke")]
    strokes = [stroke for stroke in strokes if stroke]
    if not strokes:
        raise ValueError("it has no strokes")
    points = np.array([[_coordinate(point.attrib[axis]) for axis in "xy"] for point in chain(*strokes)], np.int32)
    eos = np.zeros(len(points), np.uint8)
    eos[np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1
    return _InkOfLine(path.stem, np.diff(points, axis=0, prepend=points[:1]), eos, _mean_rate(strokes))


def _mean_rate(strokes: list[list[ElementTree.Element]]) -> float | None:
    """Return the points per second within strokes; None if points have no times, or the times do not increase.

    Raise `ValueError` if no pen has that rate.
    """
    try:
        # The times of single points are rounded to 10 ms, so only their sum is of use.
        seconds = sum(float(stroke[-1].attrib["time"]) - float(stroke[0].attrib["time"]) for stroke in strokes)
    except (KeyError, ValueError):
        return None
    steps = sum(len(stroke) - 1 for stroke in strokes)
    if not (seconds > 0 and steps):
        return None
    rate = steps / seconds
    if not PEN_RATES[0] <= rate <= PEN_RATES[1]:
        raise ValueError(f"its points are {rate:.3g} a second; are its times in seconds?")
    return rate
